"""Cross-encoders from folders: a tiny BERT, and a graph whose scores can be counted."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.helpers.libraries import write_page
from tests.helpers.sentence_models import tiny_tokenizer
from tests.helpers.tiny_encoder import TinyEncoder
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification

from plait import Library, Query
from plait.errors import ModelError
from plait.library.reranking.cross_encoder import load_cross_encoder
from plait.search.rerank.base import reranked
from plait.settings import Settings

# A graph in the ONNX format: how many tokens of the second text are the token 3.
COUNTS = base64.b64decode(
    "CAg6hwMKLQoOYXR0ZW50aW9uX21hc2sKDnRva2VuX3R5cGVfaWRzEgZzZWNvbmQiA011bAoeCglpbnB1dF9pZHMKBndhbnRlZBIC"
    "aXMiBUVxdWFsChoKAmlzEgNpc24iBENhc3QqCQoCdG8YB6ABAgoYCgNpc24KBnNlY29uZBIEaGl0cyIDTXVsCi0KBGhpdHMKBGF4"
    "ZXMSA3N1bSIJUmVkdWNlU3VtKg8KCGtlZXBkaW1zGAGgAQIKHgoDc3VtEgZsb2dpdHMiBENhc3QqCQoCdG8YAaABAhIBZyoWCAEQ"
    "B0IGd2FudGVkSggDAAAAAAAAACoUCAEQB0IEYXhlc0oIAQAAAAAAAABaHQoJaW5wdXRfaWRzEhAKDggHEgoKAxIBYgoDEgFuWiIK"
    "DmF0dGVudGlvbl9tYXNrEhAKDggHEgoKAxIBYgoDEgFuWiIKDnRva2VuX3R5cGVfaWRzEhAKDggHEgoKAxIBYgoDEgFuYhkKBmxv"
    "Z2l0cxIPCg0IARIJCgMSAWIKAggBQgQKABAN"
)
PAIRS = [("red", "a red circle"), ("red", "a"), ("red blue", "the blue square of red paper")]


@pytest.fixture
def counting(tmp_path: Path) -> Path:
    """Return a folder with a model that counts how often "seal" stands in the second text."""
    folder = tmp_path / "counting"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(COUNTS)
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "seal": 3}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B:1", special_tokens=[])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random BERT that gives one score for two texts."""
    folder = tmp_path_factory.mktemp("bert")
    return save_bert(folder, labels=1)


def save_bert(folder: Path, *, labels: int) -> Path:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
        pad_token_id=0,
        num_labels=labels,
        initializer_range=0.5,
    )
    BertForSequenceClassification(config).eval().save_pretrained(folder)
    tiny_tokenizer(max_tokens=32).save_pretrained(folder)
    return folder


def test_a_graph_is_given_both_texts_apart_and_padding_counts_nothing(counting):
    score = load_cross_encoder(str(counting)).score
    pairs = [("seal seal", "a seal"), ("seal", "pump"), ("a", "seal " * 5), ("a", "seal " * 3000)]
    assert score(pairs).tolist() == [1, 0, 5, 511]  # of the last, as much as is read


def test_a_model_scores_as_it_does_by_itself(bert):
    found = load_cross_encoder(str(bert)).score(PAIRS)
    model, tokenizer = BertForSequenceClassification.from_pretrained(bert), tiny_tokenizer(max_tokens=32)
    with torch.inference_mode():
        alone = [model(**tokenizer(*pair, return_tensors="pt")).logits.item() for pair in PAIRS]
    assert len(set(found.tolist())) == 3
    # The package puts one score through a sigmoid, which keeps the order.
    assert found.argsort().tolist() == torch.tensor(alone).argsort().tolist()


def test_a_search_gives_first_what_the_model_prefers(tmp_path, counting):
    folder = tmp_path / "manuals"
    folder.mkdir()
    write_page(folder, "short", "The pump and its seal.")
    write_page(folder, "long", "Pump: seal after seal after seal, a seal for each.")
    query = Query(texts=("pump seal", "pump"), text_weights=(1, 3))
    reranker = replace(load_cross_encoder(str(counting)), share=1.0)
    with Library(folder, encoder=TinyEncoder()) as library:
        library.add([folder])
        before = library.searcher().ranking(query)
        after = reranked(before, [reranker], library.searcher())
        titles = [
            library.searcher().snapshot.units([one.places[0].row])[0][0].title for one in (before, after)
        ]
    assert titles == ["short", "long"]


def test_a_query_without_words_is_left_alone(tmp_path, counting):
    folder = tmp_path / "manuals"
    folder.mkdir()
    for name, colour in (("one", "red"), ("two", "blue")):
        write_page(folder, name, "A seal.", colour)
    asked = Query.of("", folder / "one.png")
    found = []
    for rerank in ("", f"cross-encoder:{counting}"):
        with Library(folder, encoder=TinyEncoder(), settings=Settings(rerank=rerank)) as library:
            library.add([folder])
            found.append([(hit.id, hit.score) for hit in library.search(asked)])
    assert found[0] == found[1]


def test_models_of_another_kind_are_refused(tmp_path, counting):
    with pytest.raises(ModelError, match="no cross-encoder"):
        load_cross_encoder(str(save_bert(tmp_path / "three", labels=3)))
    (counting / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        load_cross_encoder(str(counting))
    with pytest.raises(ModelError, match="nowhere"):
        load_cross_encoder(str(tmp_path / "nowhere"))
