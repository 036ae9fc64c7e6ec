"""How sure a mean is: bootstrap confidence intervals over queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plait.errors import InputError

_NUMBERS_AT_ONCE = 250_000  # 1 MB of indices: what a processor keeps close is drawn fastest


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over queries, and the bounds that its resampled means keep.

    Attributes:
        count: how many queries.
    """

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        """Return the mean and its bounds in hundredths: "41.3 [36.0, 46.5]"."""
        return f"{100 * self.mean:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def bootstrap(
    values: Sequence[float], *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Return the mean of some values with its percentile bootstrap interval.

    To compare two systems, pass the differences of their values query by query: an interval that leaves
    out 0 is a difference that a different draw of queries would likely show too. The same seed gives the
    same interval for the same values in the same order.

    Args:
        values: one for each query.
        level: share of resampled means inside the interval, in (0, 1).
        resamples: draws of as many queries, with repetition.

    Raises:
        InputError: no values, or a level or number of resamples out of range.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    if not len(values):
        raise InputError("there are no values to average: no query was judged")
    if not 0 < level < 1 or resamples < 1:
        raise InputError(f"expected 0 < level < 1 and resamples >= 1, got {level} and {resamples}")
    array = np.asarray(values, np.float64)
    means = _resampled_means(array, resamples, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(array.mean()), float(low), float(high), len(array))


def _resampled_means(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], resamples: int, rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return (resamples,) means, drawn in blocks of bounded memory."""
    means = np.empty(resamples)
    block = max(1, _NUMBERS_AT_ONCE // len(values))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        means[start : start + rows] = values[
            rng.integers(0, len(values), (rows, len(values)), np.int32)
        ].mean(1)
    return means
