"""Towers stop where they are last read, and their hidden states stay what transformers gives."""

from __future__ import annotations

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

from plait.errors import ModelError
from plait.model import backbones

TEXT = CLIPTextConfig(
    vocab_size=64, hidden_size=8, intermediate_size=16, num_hidden_layers=4, num_attention_heads=2,
    max_position_embeddings=16, bos_token_id=62, eos_token_id=63, pad_token_id=0,
)  # fmt: skip
VISION = CLIPVisionConfig(
    hidden_size=8,
    intermediate_size=16,
    num_hidden_layers=4,
    num_attention_heads=2,
    image_size=16,
    patch_size=8,
)


@pytest.mark.parametrize(
    ("name", "text", "vision"),
    [
        ("clip_vit_b", list(range(12)), list(range(12))),
        ("clip_vit_l", list(range(12)), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]),
        (
            "openclip_vit_h",
            [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23],
            [0, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 31],
        ),
        (
            "openclip_vit_g",
            [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 31],
            [2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47],
        ),
    ],
)
def test_named_strategies_are_the_releases(name, text, vision):
    chosen = backbones.strategy(name)
    assert (list(chosen.text), list(chosen.vision)) == (text, vision)


def test_text_layers_are_the_hidden_states_of_the_whole_backbone():
    tower, whole = backbones.text_tower(TEXT, [0, 2]).eval(), CLIPTextModel(TEXT).eval()
    whole.load_state_dict(tower.state_dict(), strict=False)
    ids, mask = torch.tensor([[62, 5, 6, 63], [62, 7, 63, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    found = backbones.text_layers(tower, [0, 2], input_ids=ids, attention_mask=mask)
    expected = whole(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    assert len(tower.encoder.layers) == 3
    for layer, states in zip([0, 2], found, strict=True):
        torch.testing.assert_close(states, expected[layer + 1], rtol=0, atol=1e-6)


def test_vision_layers_are_the_hidden_states_of_the_whole_backbone():
    tower, whole = backbones.vision_tower(VISION, [1]).eval(), CLIPVisionModel(VISION).eval()
    whole.load_state_dict(tower.state_dict(), strict=False)
    pixels = torch.randn(2, 3, 16, 16)
    (found,) = backbones.vision_layers(tower, [1], pixel_values=pixels)
    expected = whole(pixel_values=pixels, output_hidden_states=True).hidden_states[2]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_every_weight_of_a_tower_gets_a_gradient():
    tower = backbones.vision_tower(VISION, [0, 2])
    states = backbones.vision_layers(tower, [0, 2], pixel_values=torch.randn(2, 3, 16, 16))
    sum(s.pow(2).sum() for s in states).backward()
    assert [name for name, p in tower.named_parameters() if p.grad is None] == []


def test_a_frozen_tower_records_no_gradient():
    tower = backbones.vision_tower(VISION, [0]).requires_grad_(False)
    (states,) = backbones.vision_layers(tower, [0], pixel_values=torch.randn(2, 3, 16, 16))
    assert states.grad_fn is None


def test_the_callers_configuration_keeps_its_depth():
    backbones.text_tower(TEXT, [0])
    assert TEXT.num_hidden_layers == 4


def test_layers_that_cannot_be_read_are_refused():
    with pytest.raises(ModelError, match=r"4 layers, but layer 4 \(from 0\)"):
        backbones.text_tower(TEXT, [0, 4])
    with pytest.raises(ModelError, match="unknown layer strategy 'clip': use one of clip_vit_b"):
        backbones.strategy("clip")
    for text, vision in (((0, 1), (0,)), ((), ()), ((1, 0), (0, 1)), ((-1,), (0,))):
        with pytest.raises(ModelError):
            backbones.LayerStrategy(text, vision)
