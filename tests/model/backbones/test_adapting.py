"""Adapters begin as nothing, learn alone, and merge into the weights they adapt."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from tests.model.backbones import tiny
from tests.model.backbones.tiny import TEXT, VISION

from plait.errors import ModelError
from plait.model import backbones

ALL = TEXT + VISION
LAYERS = [0, 2]


def states(made, model_type):
    found = tiny.read(made, LAYERS, tiny.inputs(model_type))
    return torch.cat([layer.flatten() for layer in found.layers])


def learn(made, model_type, *, steps=2):
    """Take a few steps that move the states; return the names of what moved."""
    before = {name: parameter.detach().clone() for name, parameter in made.named_parameters()}
    optimizer = torch.optim.Adam([p for p in made.parameters() if p.requires_grad], lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        states(made, model_type).pow(2).mean().backward()
        optimizer.step()
    return {name for name, parameter in made.named_parameters() if not torch.equal(parameter, before[name])}


@pytest.mark.parametrize("model_type", ALL)
def test_new_adapters_change_nothing(model_type):
    made = tiny.tower(model_type, LAYERS)
    before = states(made, model_type)
    backbones.adapt(made, rank=2, alpha=4.0)
    assert torch.equal(states(made.eval(), model_type), before)


@pytest.mark.parametrize("model_type", ALL)
def test_only_adapters_learn_and_all_of_them(model_type):
    made = tiny.tower(model_type, LAYERS)
    backbones.adapt(made, rank=2, alpha=4.0)
    adapters = {name for name, _ in made.named_parameters() if "lora_" in name}
    assert {name for name, parameter in made.named_parameters() if parameter.requires_grad} == adapters
    assert learn(made, model_type) == adapters


@pytest.mark.parametrize("model_type", ALL)
def test_merged_adapters_give_the_same_under_the_old_names(model_type):
    made = tiny.tower(model_type, LAYERS)
    names, before = list(made.state_dict()), states(made, model_type)
    backbones.adapt(made, rank=2, alpha=4.0)
    learn(made, model_type)
    learnt = states(made.eval(), model_type)
    backbones.merge_adapters(made)
    torch.testing.assert_close(states(made, model_type), learnt, rtol=0, atol=1e-5)
    assert not torch.allclose(learnt, before, rtol=0, atol=1e-3)
    assert list(made.state_dict()) == names
    backbones.adapt(made, rank=1, alpha=1.0)  # nothing of the old ones is in the way


def test_attention_and_mlp_are_adapted_by_default_and_heads_never():
    made = tiny.tower("siglip_vision_model", [0], pooled=True)
    backbones.adapt(made, rank=2, alpha=4.0)
    adapted = {name.partition(".lora_A")[0] for name, _ in made.named_parameters() if ".lora_A" in name}
    assert adapted == {
        f"encoder.layers.{layer}.{part}"
        for layer in range(tiny.DEPTH)
        for part in (
            *(f"self_attn.{name}_proj" for name in ("q", "k", "v", "out")),
            "mlp.fc1",
            "mlp.fc2",
        )
    }


def test_only_the_targets_asked_for_are_adapted():
    made = tiny.tower("bert", [1])
    backbones.adapt(made, rank=2, alpha=4.0, targets=["query", "value"])
    adapted = {name.partition(".lora_A")[0] for name, _ in made.named_parameters() if ".lora_A" in name}
    assert adapted == {
        f"encoder.layer.{layer}.attention.self.{name}" for layer in (0, 1) for name in ("query", "value")
    }


def test_an_adapter_is_its_matrices_product_scaled_by_alpha_over_rank():
    made = tiny.tower("clip_text_model", [0])
    weight = made.encoder.layers[0].mlp.fc1.weight.detach().clone()
    backbones.adapt(made, rank=2, alpha=6.0, targets=["fc1"])
    adapter = made.encoder.layers[0].mlp.fc1
    torch.nn.init.normal_(adapter.lora_B["default"].weight)
    down, up = adapter.lora_A["default"].weight.detach(), adapter.lora_B["default"].weight.detach()
    backbones.merge_adapters(made)
    torch.testing.assert_close(made.encoder.layers[0].mlp.fc1.weight, weight + 3.0 * up @ down)


def test_a_tower_without_adapters_is_left_as_it_is_by_a_merge():
    made = tiny.tower("bert", [0])
    before = tiny.read(made, [0], tiny.inputs("bert")).layers[0]
    backbones.merge_adapters(made)
    assert torch.equal(tiny.read(made, [0], tiny.inputs("bert")).layers[0], before)


def test_adapters_that_make_no_sense_are_refused():
    made = tiny.tower("bert", [0])
    with pytest.raises(ModelError, match=r"rank 0, alpha 1.0 and dropout 0.0"):
        backbones.adapt(made, rank=0, alpha=1.0)
    with pytest.raises(ModelError, match=r"rank 2, alpha 1.0 and dropout 1.0"):
        backbones.adapt(made, rank=2, alpha=1.0, dropout=1.0)
    with pytest.raises(ModelError, match=r"rank 2, alpha 0.0 and dropout 0.0"):
        backbones.adapt(made, rank=2, alpha=0.0)
    with pytest.raises(ModelError, match="no 'q_proj' to adapt: use some of dense, key, query, value"):
        backbones.adapt(made, rank=2, alpha=1.0, targets=["query", "q_proj"])
    backbones.adapt(made, rank=2, alpha=1.0)
    with pytest.raises(ModelError, match="already has adapters"):
        backbones.adapt(made, rank=2, alpha=1.0)


def test_neither_peft_nor_bert_is_imported_before_it_is_used():
    heavy = ["peft", "transformers.models.bert.modeling_bert"]
    code = f"import sys, plait.model.backbones; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
