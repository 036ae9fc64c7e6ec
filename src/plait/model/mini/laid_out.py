"""Linear maps of a few rows, by weights laid out once for it: in bfloat16 where the processor has it.

What a row gives never depends on the rows beside it, if there are a few: of fewer than `FEWEST_ROWS` the
product is computed by other means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from plait.model.inference.linear import native_bfloat16

FEWEST_ROWS = 8
_USUAL_ROWS = 32  # that the layout of weights is chosen for
_ERRORS = {torch.float32: 1e-5, torch.bfloat16: 1e-2}  # of a product, for its length

Product = Callable[[Tensor], Tensor]


class Linear(NamedTuple):
    """A map as it was learned: x W^T + b, and then its gelu or not.

    Attributes:
        weight: (out, in).
        bias: (out,).
    """

    weight: Tensor
    bias: Tensor
    gelu: bool = False


Way = Callable[[Linear], Product]


def best_way(maps: Sequence[Linear]) -> Way:
    """Return the fastest way that is there and right for maps of these shapes.

    The processor is asked which that is, not a clock: numbers must not hang on how busy it was.
    """
    ways = (in_bfloat16, in_float32) if native_bfloat16() else (in_float32,)
    return next((way for way in ways if all(_is_right(way, one) for one in maps)), plainly)


def in_bfloat16(linear: Linear) -> Product:
    """Return the product of bfloat16 numbers, summed in float32; it takes float32 too, and gives bfloat16."""
    ordered = _ordered(Linear(linear.weight.bfloat16(), linear.bias.bfloat16(), linear.gelu))
    return lambda x: ordered(x.bfloat16())


def in_float32(linear: Linear) -> Product:
    """Return the product in float32, by oneDNN."""
    return _ordered(linear)


def plainly(linear: Linear) -> Product:
    """Return torch's own product, anywhere."""
    weight, bias, gelu = linear
    if gelu:
        return lambda x: functional.gelu(functional.linear(x, weight, bias))
    return lambda x: functional.linear(x, weight, bias)


def _ordered(linear: Linear) -> Product:
    """Return the product by weights in oneDNN's order, private functions of torch."""
    multiply = torch.ops.mkldnn._linear_pointwise.default
    weight = torch.ops.mkldnn._reorder_linear_weight.default(linear.weight, _USUAL_ROWS)
    bias, then, kind = linear.bias, *(("gelu", "none") if linear.gelu else ("none", ""))

    def product(x: Tensor) -> Tensor:
        out: Tensor = multiply(x, weight, bias, then, [], kind)
        return out

    return product


def _is_right(way: Way, linear: Linear) -> bool:
    """Return whether a way is there, gives the plain product up to rounding, and a row the same anywhere."""
    x = torch.sin(torch.arange(64.0 * linear.weight.shape[1])).view(64, -1)
    try:
        with torch.inference_mode():
            product = way(linear)
            whole, plain = product(x), plainly(linear)(x)
            parts = (slice(0, FEWEST_ROWS), slice(3, 20), slice(17, 50))
            alike = all(torch.equal(product(x[part]), whole[part]) for part in parts)
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False
    return alike and bool((whole.float() - plain).norm() <= _ERRORS[whole.dtype] * plain.norm())
