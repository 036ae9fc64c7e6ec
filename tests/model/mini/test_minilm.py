"""MiniLM written out, against transformers' BertModel with the same weights."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers.models.bert.configuration_bert import BertConfig
from transformers.models.bert.modeling_bert import BertModel

from plait.model.mini.minilm import load_minilm

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}


@pytest.fixture
def bert(tmp_path: Path) -> BertModel:
    torch.manual_seed(0)
    model = BertModel(BertConfig(**SIZES)).eval()
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        tmp_path / "model.safetensors",
    )
    (tmp_path / "config.json").write_text(json.dumps({**SIZES, "hidden_act": "gelu", "anything": "else"}))
    return model


def test_every_layer_equals_transformers_at_words_whatever_the_padding(
    bert: BertModel, tmp_path: Path
) -> None:
    ids = torch.tensor([[3, 7, 9, 11, 2], [4, 5, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]).bool()
    with torch.inference_mode():
        expected = bert(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True).hidden_states
        found = load_minilm(tmp_path)(ids, mask)
    assert len(found) == SIZES["num_hidden_layers"] + 1
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours[mask], theirs[mask], atol=1e-5)


def test_no_mask_equals_a_mask_of_words_only(bert: BertModel, tmp_path: Path) -> None:
    ids = torch.tensor([[3, 7, 9]])
    model = load_minilm(tmp_path)
    with torch.inference_mode():
        assert torch.allclose(model(ids)[-1], model(ids, torch.ones_like(ids).bool())[-1], atol=1e-6)


def test_weights_of_another_size_are_refused(bert: BertModel, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**SIZES, "hidden_size": 32}))
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_minilm(tmp_path)
