"""The algebra of the fast head, each identity against the modules that it folds."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from plait.model.inference.folding import adapted, after_norm, chained, of_linear


def random(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return module.requires_grad_(False)


def applied(affine, x):
    return functional.linear(x, affine.weight, affine.bias)


# An adapter may widen, keep, or narrow; and its norm may have fewer numbers than the layer.
@pytest.mark.parametrize(("layer_width", "width"), [(4, 16), (15, 16), (16, 16), (24, 16), (1, 2)])
def test_adapter_norm_and_map_are_one_product_over_a_root(layer_width, width):
    adapter, norm = random(nn.Linear(layer_width, width)), random(nn.LayerNorm(width), 1)
    weight, states = torch.randn(6, width), 3 * torch.randn(5, layer_width)
    folded = adapted(adapter, norm, weight)
    numerator, root = applied(folded.product, states).split([6, len(folded.product.bias) - 6], dim=-1)
    assert root.shape[1] == min(width, layer_width)
    variance = (root.square().sum(-1, keepdim=True) + folded.rest) / folded.width
    found = numerator * torch.rsqrt(variance + folded.eps) + weight @ norm.bias
    torch.testing.assert_close(found, norm(adapter(states)) @ weight.T, atol=2e-5, rtol=2e-5)


def test_an_adapter_that_gives_a_constant_gives_the_norms_shift():
    adapter, norm = random(nn.Linear(3, 8)), random(nn.LayerNorm(8), 1)
    nn.init.zeros_(adapter.weight)
    nn.init.constant_(adapter.bias, 2.0)
    folded = adapted(adapter, norm, torch.eye(8))
    torch.testing.assert_close(applied(folded.product, torch.randn(4, 3)), torch.zeros(4, 8 + 3))
    assert folded.rest == 0.0


@pytest.mark.parametrize("bias", [True, False])
def test_a_norms_scale_and_shift_move_into_the_map_behind_it(bias):
    norm, linear = random(nn.LayerNorm(8)), random(nn.Linear(8, 3, bias=bias), 1)
    x = torch.randn(5, 8)
    folded = applied(
        after_norm(linear.weight, linear.bias, norm), functional.layer_norm(x, (8,), eps=norm.eps)
    )
    torch.testing.assert_close(folded, linear(norm(x)), atol=1e-5, rtol=1e-5)


def test_maps_of_one_intermediate_are_one_map_of_its_source():
    first, gate, other = (random(nn.Linear(4, 4), seed) for seed in range(3))
    x = torch.randn(5, 4)
    z = first(x)
    folded = chained(of_linear(first), of_linear(gate, plus=0.5), of_linear(other))
    expected = torch.cat((z, gate(z) + 0.5, other(z)), dim=-1)
    torch.testing.assert_close(applied(folded, x), expected, atol=1e-5, rtol=1e-5)
