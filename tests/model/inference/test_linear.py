"""Packed maps against torch's own, and what int8 promises of rows."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPMLP

from plait.encode.mini_towers import package_folder
from plait.model.inference import linear
from plait.model.inference.linear import FloatLinear, Int8Linear, PackedLinear, Packing, packed, quantized
from plait.model.inference.towers import pack_linears
from plait.model.mini.configuration_mini import TextTower
from plait.model.mini.minilm import load_minilm

_TEXT = TextTower()
FOLDER = package_folder(_TEXT.package) / _TEXT.folder


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-5), ("bfloat16", 3e-2), ("int8", 3e-2)])
@pytest.mark.parametrize("shape", [(1, 24), (7, 24), (2, 5, 24)])
def test_packed_maps_give_the_product(precision, error, bias, shape):
    weight, x = torch.randn(40, 24) / 24**0.5, torch.randn(shape)
    shift = torch.randn(40) if bias else None
    found = packed(weight, shift, Packing(precision))(x)
    assert found.dtype == torch.float32
    assert (found - functional.linear(x, weight, shift)).norm() <= error * (1 + x.norm())


def test_without_onednns_order_the_product_is_the_same(monkeypatch):
    weight, shift, x = torch.randn(40, 24), torch.randn(40), torch.randn(7, 24)
    ordered = FloatLinear(weight, shift, torch.float32)(x)
    monkeypatch.setattr(linear, "can_prepack", lambda weight: False)
    torch.testing.assert_close(FloatLinear(weight, shift, torch.float32)(x), ordered)


def test_int8_worked_by_hand():
    # Rows scale by 127 and 254; each number is one that 8 bits hold exactly.
    map_ = Int8Linear(torch.tensor([[127.0, 1.0], [-254.0, 4.0]]), torch.tensor([0.5, 0.0]))
    found = map_(torch.tensor([[127.0, 2.0], [0.0, 0.0]]))
    torch.testing.assert_close(found, torch.tensor([[127.0 * 127 + 2 + 0.5, -254.0 * 127 + 8], [0.5, 0.0]]))


def test_a_large_row_does_not_blur_the_others_in_int8():
    map_, x = Int8Linear(torch.randn(6, 16), None), torch.randn(3, 16)
    louder = x * torch.tensor([[1.0], [1.0], [1e4]])
    assert torch.equal(map_(x)[:2], map_(louder)[:2])


def test_quantized_rows_are_within_half_a_step():
    x = torch.randn(5, 64)
    whole, scale = quantized(x)
    assert whole.dtype == torch.int8
    assert bool((whole.abs().amax(-1) == 127).all())
    assert bool(((whole * scale - x).abs() <= scale / 2 * 1.0001).all())


@pytest.mark.parametrize(
    ("precision", "cosine"), [("float32", 0.999999), ("bfloat16", 0.9995), ("int8", 0.99)]
)
def test_a_trained_tower_keeps_its_vectors(precision, cosine):
    ids = torch.tensor([[101, 2129, 2079, 1045, 4550, 1996, 5492, 23967, 2044, 2224, 102]])
    own = load_minilm(FOLDER)
    tower = load_minilm(FOLDER)
    for part in tower.modules():
        if isinstance(part, nn.Linear):
            part.__class__ = nn.Linear  # its own class only leaves out the initialisation
    pack_linears(tower, Packing(precision))
    assert sum(isinstance(part, PackedLinear) for part in tower.modules()) == 6 * len(tower.encoder.layer)
    with torch.inference_mode():
        expected, found = own(ids, None)[-1].mean(1), tower(ids, None)[-1].mean(1)
    assert functional.cosine_similarity(found, expected).min() >= cosine


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_quick_gelu_is_silu_between_scaled_maps(precision):
    config = CLIPTextConfig(hidden_size=16, intermediate_size=64, hidden_act="quick_gelu")
    tower = nn.ModuleDict({"mlp": CLIPMLP(config).requires_grad_(False)})
    x = torch.randn(5, 16)
    expected = tower["mlp"](x)
    pack_linears(tower, Packing(precision))
    assert isinstance(tower["mlp"].fc1, PackedLinear)
    torch.testing.assert_close(
        tower["mlp"](x), expected, atol={"float32": 1e-6, "int8": 1e-2}[precision], rtol=0
    )
