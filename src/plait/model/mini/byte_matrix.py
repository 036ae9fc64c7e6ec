"""A matrix in 8 bits, multiplied as it is stored: a quarter of what its float32 would have to be read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor

_STEPS = 127  # of an 8-bit integer, either side of 0


class ByteMatrix:
    """Multiplies rows of numbers, each rounded to 16 bits of its largest, in sums of whole numbers.

    So a product differs from that in float32 in the fourth digit, and never hangs on the rows beside it.

    Args:
        codes: (n, d) int8.
        scales: (n,) what each row is multiplied with.
    """

    def __init__(self, codes: Tensor, scales: Tensor) -> None:
        self._codes, self._scales = codes, scales

    def across(self, x: Tensor) -> Tensor:
        """Return (B, n), the products of (B, d) with each row."""
        return _products(x, self._codes.t()).mul_(self._scales)

    def along(self, shares: Tensor) -> Tensor:
        """Return (B, d), the sums of the rows in shares of them, (B, n)."""
        return _products(shares * self._scales, self._codes)


def in_bytes(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the codes, (n, d) int8, and the scale of each row: the matrix is about their product."""
    scale = matrix.abs().amax(1).clamp_min(1e-12) / _STEPS
    return torch.round(matrix / scale[:, None]).to(torch.int8), scale


def _products(x: Tensor, codes: Tensor) -> Tensor:
    """Return (B, columns) float32 of x, (B, k), in two bytes a number, and codes, (k, columns)."""
    step = x.abs().amax(1, keepdim=True).clamp_min_(1e-30).div_(_STEPS)
    whole = x / step
    coarse = whole.round()
    fine = whole.sub_(coarse).mul_(2 * _STEPS).round_()
    sums = torch._int_mm(torch.cat([coarse, fine]).to(torch.int8), codes).float()
    return torch.add(sums[: len(x)], sums[len(x) :], alpha=1 / (2 * _STEPS)).mul_(step)


@cache
def bytes_work() -> bool:
    """Return whether the processor multiplies bytes itself and torch's product, a private function, is right.

    The processor is asked, not a clock: numbers must not hang on how busy it was. Without such instructions
    some add pairs of products in 16 bits, which overflow: so the largest numbers are tried.
    """
    seen: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if not any(seen.get(name) for name in ("avx512_vnni", "avx_vnni", "amx_int8")):
        return False
    try:
        return all(_is_right(rows, right) for right in _extremes(384, 96) for rows in (2, 6, 16))
    except (AttributeError, RuntimeError):
        return False


def _is_right(rows: int, right: Tensor) -> bool:
    """Return whether products with a matrix are right, as it lies and turned round."""
    turned = right.t().contiguous().t()
    return all(
        torch.equal(torch._int_mm(left, matrix), (left.double() @ right.double()).int())
        for left in _extremes(rows, len(right))
        for matrix in (right, turned)
    )


def _extremes(rows: int, columns: int) -> list[Tensor]:
    lowest, highest = (torch.full((rows, columns), end, dtype=torch.int8) for end in (-_STEPS, _STEPS))
    mixed = (torch.arange(rows * columns) * 37 % 255 - _STEPS).to(torch.int8).view(rows, columns)
    return [lowest, highest, mixed]
