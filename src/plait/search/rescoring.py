"""Exact scores for as few units as a recall needs, in the order of rough scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Scores

Rows = NDArray[np.intp]
Numbers = NDArray[np.float64]
Rescore = Callable[[Rows], Scores]

_FIRST = 128  # units that are rescored at least: from fewer, their residuals are not known well enough
_CONTROLS = 64  # units further down that are rescored to learn how residuals change
_GROWTH = 3  # how many times as many units may be rescored after a look at the residuals as before
_SAMPLE = 8192  # rough scores that stand for those far from the best
_GROUPS = 256  # groups of neighbours, at most, that are taken to be as good as the best of them
_STEPS = np.arange(_GROUPS, dtype=np.float64)
_NONE: Rows = np.empty(0, np.intp)
_CERTAIN = 6.0  # deviations beyond which one in a billion is
_LARGEST = 0.05  # share of the residuals that says how far they reach,
_MEAN_OF_LARGEST = 2.0627  # and the mean of that share of a standard normal distribution


@dataclass(frozen=True, slots=True)
class Rescored:
    """What is known of N units.

    Attributes:
        scores: (N,) exact scores; NaN for units that were not rescored.
        rows: the units that were.
        expected_recall: the share of the k best units by exact scores that is expected among them.
    """

    scores: Scores
    rows: Rows
    expected_recall: float


def rescored(rough: Scores, rescore: Rescore, *, k: int, recall: float, also: Rows = _NONE) -> Rescored:
    """Rescore units in growing batches until the k best are expected to be known to a recall.

    A unit's exact score is its rough score and a residual. The residuals of the rescored units, and of a few
    far below them, say how likely each of the others is to beat the k-th exact score so far: their mean is
    taken to change linearly with the rough score, and they to be normal around it, as wide as the largest of
    them suggest. The sum of these chances is the number of units that are expected to be missed.

    Args:
        rough: (N,) approximate scores, higher is better, of any scale; NaN: there is no such unit.
        rescore: returns the exact scores of some rows, in their order, which is ascending.
        k: how many units are asked for, at least 1.
        recall: share of the k best to find on average, in (0, 1]; 1 rescores every unit.
        also: units to rescore whatever their scores. Where scores are fused of several, those `leading` by
            each rough one: that of a true match errs the most, and the others may not show it.
    """
    ranking, known = _Ranking(rough), _Known(rough, rescore)
    done = min(max(_FIRST, 2 * k), len(ranking)) if recall < 1 else len(ranking)
    controls = ranking.spread(done, _CONTROLS)
    known.add(np.concatenate([ranking.first(done), controls, also]))
    while True:
        needed, misses = _enough(ranking, known, controls, done, k, (1 - recall) * k)
        if needed <= done:
            return Rescored(known.scores, known.rows, max(0.0, 1 - misses / k))
        done = min(needed, _GROWTH * done, len(ranking))
        known.add(ranking.first(done))


def leading(rough: Scores, count: int) -> Rows:
    """Return the units that score best, best first; fewer where fewer exist, and NaN is none."""
    sample = rough[:: max(1, len(rough) // _SAMPLE)]
    some = sample[~np.isnan(sample)]
    # Twice as many as are wanted of the whole score above this place of the sample, most often.
    place = 2 * count * len(some) // max(1, len(rough)) + 8
    lowest = np.partition(some, -place)[-place] if place < len(some) else np.float32(-np.inf)
    best = np.flatnonzero(rough >= lowest)
    if len(best) < count:
        best = np.flatnonzero(~np.isnan(rough))
    return ordered(rough, best)[:count]


def ordered(scores: Scores, rows: Rows) -> Rows:
    """Return some rows, ascending, by their scores, best first; of equal ones the earlier, and none is NaN.

    A stable sort by numbers of 64 bits: the order of a score's bits, and the place. NumPy sorts those with
    the processor's vectors, which takes half the time of `argsort` and less.
    """
    bits = (np.float32(0) - scores[rows].astype(np.float32, copy=False)).view(np.int32)
    ascending = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))  # of negative numbers, more bits are less
    places = ascending.astype(np.int64) << 32
    places |= np.arange(len(rows))
    places.sort()
    best: Rows = rows[places & 0xFFFFFFFF]
    return best


class _Known:
    """The units that were rescored.

    Attributes:
        rows: which they are.
        scores: (N,) exact scores; NaN for others.
    """

    def __init__(self, rough: Scores, rescore: Rescore) -> None:
        self._rough = rough
        self._rescore = rescore
        self._has = np.zeros(len(rough), np.bool_)
        self.rows = _NONE
        self.scores = np.full(len(rough), np.nan, np.float32)

    def add(self, rows: Rows) -> None:
        """Rescore those of some rows that were not yet."""
        new = _distinct(np.sort(rows[~self._has[rows]]))
        self.scores[new] = self._rescore(new)
        self._has[new] = True
        self.rows = np.concatenate([self.rows, new])

    def residuals(self, rows: Rows) -> Numbers:
        """Return exact less rough scores."""
        return self.scores[rows].astype(np.float64) - self._rough[rows]


class _Ranking:
    """The order of units by rough scores, of which only the beginning is worked out."""

    def __init__(self, rough: Scores) -> None:
        self.rough = rough
        there = ~np.isnan(rough)
        self._size = int(np.count_nonzero(there))
        self._stride = max(1, len(rough) // _SAMPLE)
        self._sample = self._sorted(np.flatnonzero(there[:: self._stride]) * self._stride)
        self._after: dict[int, tuple[Rows, Numbers]] = {}
        self._order(_SAMPLE // 2)

    def __len__(self) -> int:
        return self._size

    def first(self, count: int) -> Rows:
        """Return the best units, best first; of equal ones the earlier row."""
        wanted = count
        while len(self._rows) < count:
            wanted *= 2
            self._order(wanted)
        return self._rows[:count]

    def after(self, done: int) -> tuple[Rows, Numbers]:
        """Return units after the first `done`, and how many each stands for: more, the further it is.

        A unit stands for itself and for some that come after it. Those far from the best are known by a
        sample, from which their number is estimated.
        """
        if done in self._after:
            return self._after[done]
        self.first(done)
        near, near_sizes = _groups(self._rows[done:])
        far, far_sizes = _groups(self._far)
        each = (self._size - len(self._rows)) / max(1.0, far_sizes.sum())
        self._after[done] = np.concatenate([near, far]), np.concatenate([near_sizes, each * far_sizes])
        return self._after[done]

    def spread(self, done: int, count: int) -> Rows:
        """Return at most `count` units after the first `done`, whose ranks grow by equal factors."""
        rows, sizes = self.after(done)
        ranks = done + np.cumsum(sizes)
        steps = (self._size + 1) / (done + 1)
        wanted = np.searchsorted(ranks, (done + 1) * steps ** np.linspace(0, 1, count))
        return rows[_distinct(wanted[wanted < len(rows)])]

    def _order(self, wanted: int) -> None:
        """Order about so many units, those that score best."""
        place = wanted // self._stride
        scores = self.rough[self._sample]
        lowest = scores[place] if place < len(scores) else np.float32(-np.inf)
        self._rows = self._sorted(np.flatnonzero(self.rough >= lowest))
        self._after.clear()
        self._far = self._sample[np.count_nonzero(scores >= lowest) :]

    def _sorted(self, rows: Rows) -> Rows:
        return ordered(self.rough, rows)


def _groups(rows: Rows) -> tuple[Rows, Numbers]:
    """Return the first rows and the sizes of groups of neighbours, the larger the further they are."""
    edges = _distinct(np.rint(np.exp(_STEPS * (math.log(len(rows) + 1) / (_GROUPS - 1)))).astype(np.intp)) - 1
    return rows[edges[:-1]], (edges[1:] - edges[:-1]).astype(np.float64)


def _distinct(ascending: Rows) -> Rows:
    """Return the numbers, 0 or more, without repetitions."""
    first = np.ones(len(ascending), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=first[1:])
    return ascending[first]


def _enough(
    ranking: _Ranking, known: _Known, controls: Rows, done: int, k: int, allowed: float
) -> tuple[int, float]:
    """Return how many units must be known for at most `allowed` misses, and how many are missed now."""
    if done == len(ranking):
        return done, 0.0
    kth = float(np.partition(known.scores[known.rows], -k)[-k])
    others, sizes = ranking.after(done)
    expected, deviation = _expected(ranking.rough, known, ranking.first(done), controls, others)
    chances = _normal_beyond((kth - expected) / max(deviation, 1e-7 * abs(kth), 1e-30))
    left = np.cumsum((sizes * chances)[::-1])[::-1]  # misses, if all before were known
    enough = np.flatnonzero(left <= allowed)
    ranks = done + np.cumsum(sizes) - sizes
    return (math.ceil(ranks[enough[0]]) if len(enough) else len(ranking)), float(left[0])


def _expected(
    rough: Scores, known: _Known, first: Rows, controls: Rows, others: Rows
) -> tuple[Numbers, float]:
    """Return the exact scores to expect of some units, and the standard deviation around them.

    Args:
        first: the roughly best units, all known.
        controls: known units, of which those further down count.
    """
    near = first[len(first) // 2 :]  # the best of all differ from the rest
    below = controls[rough[controls] < rough[first[-1]]]
    rows = np.concatenate([near, below])
    weights = np.repeat([1 / len(near), 1 / max(1, len(below))], [len(near), len(below)])
    line = _line(rough[rows], known.residuals(rows), weights / weights.sum())
    usual = math.sqrt(weights @ (known.residuals(rows) - line(rough[rows])) ** 2 / weights.sum())
    seen = np.concatenate([first, below])
    off = np.sort(known.residuals(seen) - line(rough[seen]))
    largest = off[-math.ceil(_LARGEST * len(off)) :].mean() / _MEAN_OF_LARGEST
    return rough[others] + line(rough[others]), max(usual, float(largest))


def _line(at: Scores, values: Numbers, weights: Numbers) -> Callable[[Scores], Numbers]:
    """Return the line of least squares through some values; a level one if all are at one place."""
    middle, level = weights @ at, weights @ values
    variance = weights @ (at - middle) ** 2
    slope = weights @ ((at - middle) * (values - level)) / variance if variance > 0 else 0.0
    return lambda places: level + slope * (places - middle)


def _normal_beyond(distances: Numbers) -> Numbers:
    """Return how likely a standard normal number is above each distance."""
    chances = np.where(distances < 0, 1.0, 0.0)
    close = np.flatnonzero(np.abs(distances) < _CERTAIN)
    chances[close] = [math.erfc(distance / math.sqrt(2)) / 2 for distance in distances[close].tolist()]
    return chances
