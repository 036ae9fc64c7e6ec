"""How sure a mean is: bootstrap confidence intervals over queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    return bootstrap_all({"": values}, level=level, resamples=resamples, seed=seed)[""]


def bootstrap_all(
    values: Mapping[str, Sequence[float]], *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> dict[str, Interval]:
    """Return the interval that `bootstrap` gives each of several measures of the same queries.

    They share their draws, which a seed and the number of queries fix: which measures there are, and in
    which order, changes no interval.

    Args:
        values: measure -> one value for each query, the queries in one order.

    Raises:
        InputError: as `bootstrap`, or measures of different numbers of queries.
    """
    counts = {len(of_measure) for of_measure in values.values()}
    if len(counts) > 1:
        raise InputError(f"expected a value of every measure for each query, got {sorted(counts)} values")
    if counts == {0}:
        raise InputError("there are no values to average: no query was judged")
    if not 0 < level < 1 or resamples < 1:
        raise InputError(f"expected 0 < level < 1 and resamples >= 1, got {level} and {resamples}")
    arrays = [np.asarray(of_measure, np.float64) for of_measure in values.values()]
    means = _resampled_means(arrays, resamples, np.random.default_rng(seed))
    bounds = [np.quantile(row, [(1 - level) / 2, (1 + level) / 2]) for row in means]
    return {
        name: Interval(float(array.mean()), float(low), float(high), len(array))
        for name, array, (low, high) in zip(values, arrays, bounds, strict=True)
    }


def _resampled_means(
    arrays: Sequence[NDArray[np.float64]], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return (measures, resamples) means, drawn in blocks of bounded memory."""
    means = np.empty((len(arrays), resamples))
    count = len(arrays[0]) if arrays else 1
    block = max(1, _NUMBERS_AT_ONCE // count)
    for start in range(0, resamples, block):
        drawn = rng.integers(0, count, (min(block, resamples - start), count), np.int32)
        for row, array in zip(means, arrays, strict=True):
            row[start : start + len(drawn)] = array[drawn].mean(1)
    return means
