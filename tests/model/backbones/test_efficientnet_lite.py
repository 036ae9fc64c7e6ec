"""EfficientNet-Lite0 as a transformers model: what its configuration allows, and how it is stored."""

from __future__ import annotations

import pytest
import torch

from plait.errors import ModelError
from plait.model.backbones.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel, folded


def test_every_place_of_a_map_is_a_token_without_a_grid():
    model = EfficientNetLiteModel(EfficientNetLiteConfig(grid=None))
    with torch.inference_mode():
        out = model(torch.zeros(1, 3, 64, 96))
    assert [tuple(states.shape) for states in out.hidden_states] == [
        (1, 32 * 48, 16),
        (1, 16 * 24, 24),
        (1, 8 * 12, 40),
        (1, 4 * 6, 80),
        (1, 4 * 6, 112),
        (1, 2 * 3, 192),
        (1, 2 * 3, 320),
    ]


def test_maps_smaller_than_the_grid_are_kept():
    model = EfficientNetLiteModel(EfficientNetLiteConfig(grid=3))
    with torch.inference_mode():
        out = model(torch.zeros(1, 3, 64, 64))
    assert [states.shape[1] for states in out.hidden_states] == [9, 9, 9, 9, 9, 4, 4]


def test_a_random_network_lets_signals_through():
    torch.manual_seed(0)
    model = EfficientNetLiteModel(EfficientNetLiteConfig())
    with torch.inference_mode():
        last = model(torch.randn(2, 3, 64, 64)).last_hidden_state
    assert 0.01 < last.std() < 100


def test_a_stored_model_is_loaded_as_it_was(tmp_path):
    torch.manual_seed(0)
    model = EfficientNetLiteModel(EfficientNetLiteConfig(grid=2, num_hidden_layers=3)).eval()
    model.save_pretrained(tmp_path)
    loaded = EfficientNetLiteModel.from_pretrained(tmp_path)
    pixels = torch.randn(1, 3, 32, 32)
    assert (loaded.config.grid, loaded.config.num_hidden_layers) == (2, 3)
    assert torch.equal(loaded(pixels).last_hidden_state, model(pixels).last_hidden_state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": 0}, "the grid is 0, expected 1 or more"),
        ({"num_hidden_layers": 0}, "has 7 stages, got 0"),
        ({"num_hidden_layers": 8}, "has 7 stages, got 8"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(ModelError, match=message):
        EfficientNetLiteConfig(**options)


def test_a_checkpoint_of_another_network_is_refused():
    with pytest.raises(ModelError, match=r"not one of EfficientNet-Lite0: '_bn0.weight'"):
        folded({})
