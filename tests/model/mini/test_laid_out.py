"""Linear maps by weights laid out for a few rows: against torch's own, and what a row is promised."""

import pytest
import torch
from torch.nn import functional

from plait.model.inference.linear import native_bfloat16
from plait.model.mini import laid_out
from plait.model.mini.laid_out import FEWEST_ROWS, Linear, Way, best_way, in_bfloat16, in_float32, plainly

WAYS = (
    pytest.param(in_bfloat16, marks=pytest.mark.skipif(not native_bfloat16(), reason="no such instructions")),
    in_float32,
    plainly,
)


def linear(*, gelu: bool = False) -> Linear:
    torch.manual_seed(0)
    return Linear(torch.randn(48, 96) / 96**0.5, torch.randn(48), gelu)


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_product(way: Way, gelu: bool) -> None:
    one, x = linear(gelu=gelu), torch.randn(20, 96)
    expected = functional.linear(x, one.weight, one.bias)
    expected = functional.gelu(expected) if gelu else expected
    error = 1e-2 if way is in_bfloat16 else 1e-6
    assert (way(one)(x).float() - expected).norm() <= error * expected.norm()


@pytest.mark.parametrize("way", WAYS)
def test_a_row_gives_the_same_beside_any_others(way: Way) -> None:
    product, x = way(linear(gelu=True)), torch.randn(200, 96)
    whole = product(x)
    for count in (FEWEST_ROWS, 9, 17, 33, 64, 130):
        for start in (0, 3, 57):
            assert torch.equal(product(x[start : start + count]), whole[start : start + count])


def test_what_bfloat16_gave_may_be_given_to_it() -> None:
    if not native_bfloat16():
        pytest.skip("no such instructions")
    product, x = in_bfloat16(linear()), torch.randn(8, 96)
    assert product(x).dtype == torch.bfloat16
    assert torch.equal(product(x.bfloat16()), product(x))


def test_without_the_instructions_products_are_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laid_out, "native_bfloat16", lambda: False)
    assert best_way([linear()]) in (in_float32, plainly)


def absent(one: Linear) -> laid_out.Product:
    raise AttributeError("no such call in this torch")


def wrong(one: Linear) -> laid_out.Product:
    return lambda x: plainly(one)(x) * 1.02


def uneven(one: Linear) -> laid_out.Product:
    return lambda x: plainly(one)(x) * (1 + 1e-6 * len(x))


@pytest.mark.parametrize("way", [absent, wrong, uneven])
def test_a_way_that_is_absent_or_wrong_or_uneven_is_not_taken(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laid_out, "native_bfloat16", lambda: True)
    monkeypatch.setattr(laid_out, "in_bfloat16", way)
    monkeypatch.setattr(laid_out, "in_float32", way)
    assert best_way([linear()]) is plainly
