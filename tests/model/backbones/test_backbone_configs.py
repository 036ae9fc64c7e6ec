"""Configurations are made of what checkpoints say, and say how a backbone is read."""

from __future__ import annotations

import copy

import pytest
from tests.model.backbones import tiny
from transformers import (
    BertConfig,
    CLIPConfig,
    CLIPTextConfig,
    CLIPVisionConfig,
    Siglip2Config,
    SiglipConfig,
    SiglipTextConfig,
)

from plait.errors import ModelError
from plait.model import backbones


@pytest.mark.parametrize("model_type", tiny.TEXT + tiny.VISION)
def test_a_configuration_survives_as_a_dict(model_type):
    config = tiny.config(model_type)
    make = backbones.text_config if model_type in tiny.TEXT else backbones.vision_config
    again = make(config.to_dict())
    assert type(again) is type(config)
    assert again.to_dict() == config.to_dict()
    assert make(config) is config


def test_no_values_mean_clip_vit_b_32():
    assert backbones.text_config(None).to_dict() == CLIPTextConfig().to_dict()
    assert backbones.vision_config({}).to_dict() == CLIPVisionConfig().to_dict()
    assert backbones.vision_config({"patch_size": 16}).patch_size == 16


@pytest.mark.parametrize("combined", [CLIPConfig, SiglipConfig, Siglip2Config])
def test_a_model_of_both_sides_gives_the_side_asked_for(combined):
    given = combined(text_config={"hidden_size": 8}, vision_config={"hidden_size": 12})
    for values in (given, given.to_dict()):
        text, vision = backbones.text_config(values), backbones.vision_config(values)
        assert (text.model_type, text.hidden_size) == (f"{combined.model_type}_text_model", 8)
        assert (vision.model_type, vision.hidden_size) == (f"{combined.model_type}_vision_model", 12)


def test_the_callers_dict_is_left_as_it_was():
    # Old checkpoints of CLIP say some values twice, and transformers writes the second into the first.
    given = {"model_type": "clip", "text_config": {"hidden_size": 16}, "text_config_dict": {"hidden_size": 8}}
    before = copy.deepcopy(given)
    assert backbones.text_config(given).hidden_size == 8
    assert given == before


def test_a_family_of_the_other_side_or_of_none_is_refused():
    with pytest.raises(ModelError, match="'gpt2' is no supported text backbone: use one of clip_text_model,"):
        backbones.text_config({"model_type": "gpt2"})
    with pytest.raises(
        ModelError, match="'bert' is no supported vision backbone: use one of clip_vision_model"
    ):
        backbones.vision_config({"model_type": "bert"})
    with pytest.raises(ModelError, match="'clip_vision_model' is no supported text backbone"):
        backbones.text_config(CLIPVisionConfig())


def test_values_that_a_family_refuses_are_named():
    with pytest.raises(ModelError, match=r"make no BertConfig: .*hidden_size"):
        backbones.text_config({"model_type": "bert", "hidden_size": "wide"})


def test_sizes_are_those_of_the_published_backbones():
    clip = backbones.vision_config(None)
    assert (backbones.depth(clip), backbones.image_size(clip), backbones.pooled_width(clip)) == (12, 224, 768)
    assert backbones.layer_widths(clip, [0, 11]) == (768, 768)
    lite = backbones.vision_config({"model_type": tiny.LITE})
    assert (backbones.depth(lite), backbones.image_size(lite), backbones.pooled_width(lite)) == (7, 224, 320)
    assert backbones.layer_widths(lite, [2, 4, 5]) == (40, 112, 192)
    naflex = backbones.vision_config({"model_type": "siglip2_vision_model"})
    assert backbones.image_size(naflex) == 256
    assert backbones.pooled_width(SiglipTextConfig(projection_size=1152)) == 1152


def test_texts_are_as_long_as_each_family_can_read():
    longest = {"clip_text_model": 77, "siglip_text_model": 64, "bert": 512, "distilbert": 512}
    for model_type, tokens in longest.items():
        assert backbones.max_tokens(backbones.text_config({"model_type": model_type})) == tokens
    # Both count places from 2, behind the padding's.
    for model_type in ("roberta", "xlm-roberta"):
        config = backbones.text_config({"model_type": model_type, "max_position_embeddings": 514})
        assert backbones.max_tokens(config) == 512


def test_only_siglip_pads_texts_to_the_limit():
    padding = [name for name in tiny.TEXT if backbones.pads_to_max(tiny.config(name))]
    assert padding == ["siglip_text_model", "siglip2_text_model"]


def test_questions_that_a_backbone_cannot_answer_are_refused():
    with pytest.raises(ModelError, match="'clip_vision_model' is no supported text backbone"):
        backbones.max_tokens(CLIPVisionConfig())
    with pytest.raises(ModelError, match="'bert' is no supported vision backbone"):
        backbones.image_size(BertConfig())
    with pytest.raises(ModelError, match="24 x 16, expected squares"):
        backbones.image_size(CLIPVisionConfig(image_size=[24, 16]))
    with pytest.raises(ModelError, match=r"text backbone has 12 layers, but layer 12 \(from 0\)"):
        backbones.layer_widths(CLIPTextConfig(), [12])
