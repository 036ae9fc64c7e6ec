"""Towers stop where they are last read, and keep the names that checkpoints give."""

from __future__ import annotations

import pytest
from tests.model.backbones import tiny
from tests.model.backbones.tiny import DEPTH, TEXT, VISION
from transformers import CLIPTextModel, CLIPVisionModel

from plait.errors import ModelError
from plait.model import backbones
from plait.model.backbones.kinds import FAMILIES


@pytest.mark.parametrize("model_type", TEXT + VISION)
def test_a_tower_ends_at_the_last_layer_read_unless_pooled(model_type):
    path = FAMILIES[model_type].layers
    assert len(tiny.tower(model_type, [0, 1]).get_submodule(path)) == 2
    assert len(tiny.tower(model_type, [0, 1], pooled=True).get_submodule(path)) == DEPTH


@pytest.mark.parametrize(
    ("model_type", "whole", "norm"),
    [
        ("clip_text_model", CLIPTextModel, "final_layer_norm"),
        ("clip_vision_model", CLIPVisionModel, "post_layernorm"),
    ],
)
def test_weights_are_named_as_in_clip_checkpoints(model_type, whole, norm):
    names = set(whole(tiny.config(model_type)).state_dict())
    cut = {name for name in names if norm not in name and "layers.3" not in name}
    assert set(tiny.tower(model_type, [0, 2]).state_dict()) == cut
    assert set(tiny.tower(model_type, [0], pooled=True).state_dict()) == names


@pytest.mark.parametrize("model_type", TEXT + VISION)
def test_the_callers_configuration_is_left_as_it_was(model_type):
    config = tiny.config(model_type)
    before = config.to_dict()
    make = backbones.text_tower if model_type in TEXT else backbones.vision_tower
    make(config, [0])
    assert config.to_dict() == before


def test_layers_that_cannot_be_read_are_refused():
    with pytest.raises(ModelError, match=r"text backbone has 4 layers, but layer 4 \(from 0\)"):
        backbones.text_tower(tiny.config("clip_text_model"), [0, 4])
    with pytest.raises(ModelError, match="no layers of the vision backbone are to be read"):
        backbones.vision_tower(tiny.config("dinov2"), [])
    with pytest.raises(ModelError, match="'bert' is no supported vision backbone"):
        backbones.vision_tower(tiny.config("bert"), [0])


def test_a_siglip_without_a_head_gives_layers_but_no_pooled_vector():
    config = backbones.vision_config(tiny.values("siglip_vision_model") | {"vision_use_head": False})
    backbones.vision_tower(config, [0])
    with pytest.raises(ModelError, match="no pooling head"):
        backbones.vision_tower(config, [0], pooled=True)
