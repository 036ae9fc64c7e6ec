"""Exact scores for as few units as a recall needs, in the order of rough scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Rows = NDArray[np.intp]
Rescore = Callable[[Rows], Scores]

_FIRST = 128  # units in the first batch: from fewer the spread of residuals is not known well enough
_GROWTH = 4  # how many times as many units may be known after a batch as before it
_WIDER = 1.1  # residuals are drawn a little wider than they were seen: their tails are heavier than normal
_SAMPLE = 8192  # rough scores that stand for those far from the best
_GROUPS = 256  # groups of neighbours in rank, at most, that are taken to be as good as the best of them


@dataclass(frozen=True, slots=True)
class Rescored:
    """What is known of N units.

    Attributes:
        scores: (N,) exact scores; NaN for units that were not rescored.
        rows: the units that were, the roughly best first.
        expected_recall: the share of the k best units by exact scores that is expected among them.
    """

    scores: Scores
    rows: Rows
    expected_recall: float


def rescored(rough: Scores, rescore: Rescore, *, k: int, recall: float) -> Rescored:
    """Rescore units in growing batches until the k best are expected to be known to a recall.

    A unit's exact score is its rough score and a residual, whose mean and spread change slowly with the rough
    score. What the residuals of rescored units are says how likely each of the others is to beat the k-th
    exact score so far; the sum over them is the number of units that are expected to be missed.

    Args:
        rough: (N,) approximate scores, higher is better, of any scale; NaN: there is no such unit.
        rescore: returns the exact scores of some rows, in their order.
        k: how many units are asked for, at least 1.
        recall: share of the k best to find on average, in (0, 1]; 1 rescores every unit.
    """
    ranking = _Ranking(rough)
    known = min(max(_FIRST, 2 * k), len(ranking)) if recall < 1 else len(ranking)
    scores = np.full(len(rough), np.nan, np.float32)
    done, misses = 0, float(len(ranking))
    while done < len(ranking):
        rows = ranking.first(known)[done:known]
        scores[rows] = rescore(rows)
        done = known
        needed, misses = _enough(ranking, scores, done, k, (1 - recall) * k)
        if needed <= done:
            break
        known = min(needed, _GROWTH * done, len(ranking))
    return Rescored(scores, ranking.first(done), max(0.0, 1 - misses / k))


class _Ranking:
    """The order of units by rough scores, of which only the beginning is worked out."""

    def __init__(self, rough: Scores) -> None:
        self.rough = rough
        there = ~np.isnan(rough)
        self._size = int(np.count_nonzero(there))
        self._stride = max(1, len(rough) // _SAMPLE)
        sample = rough[:: self._stride][there[:: self._stride]]
        self._sample = -np.sort(-sample)
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

    def after(self, done: int) -> tuple[Scores, NDArray[np.float64], NDArray[np.float64]]:
        """Return groups of the units after the first `done`: best rough score, size, and rank of the first.

        Those far from the best are represented by a sample, and their sizes and ranks estimated.
        """
        near, near_sizes = _groups(self.rough[self._rows[done:]])
        far, far_sizes = _groups(self._sample[np.searchsorted(-self._sample, -self._lowest, side="right") :])
        each = (self._size - len(self._rows)) / max(1.0, far_sizes.sum())
        sizes = np.concatenate([near_sizes, each * far_sizes])
        return np.concatenate([near, far]), sizes, done + np.cumsum(sizes) - sizes

    def _order(self, wanted: int) -> None:
        """Order about so many units, those that score best."""
        place = wanted // self._stride
        self._lowest = self._sample[place] if place < len(self._sample) else np.float32(-np.inf)
        rows = np.flatnonzero(self.rough >= self._lowest)
        self._rows: Rows = rows[np.argsort(-self.rough[rows], kind="stable")]


def _groups(scores: Scores) -> tuple[Scores, NDArray[np.float64]]:
    """Return the best score and the size of groups of neighbours, the larger the further from the first."""
    edges = np.unique(np.geomspace(1, len(scores) + 1, _GROUPS).astype(np.intp)) - 1
    return scores[edges[:-1]], np.diff(edges).astype(np.float64)


def _enough(ranking: _Ranking, scores: Scores, done: int, k: int, allowed: float) -> tuple[int, float]:
    """Return how many units must be known for at most `allowed` misses, and how many are expected now."""
    if done == len(ranking):
        return done, 0.0
    rows = ranking.first(done)
    kth = np.partition(scores[rows], done - k)[done - k]
    others, sizes, ranks = ranking.after(done)
    expected = sizes * _chances(ranking.rough[rows], scores[rows], others, kth)
    left = np.cumsum(expected[::-1])[::-1]  # misses if all before were known
    enough = np.flatnonzero(left <= allowed)
    return int(np.ceil(ranks[enough[0]])) if len(enough) else len(ranking), float(left[0])


def _chances(rough: Scores, exact: Scores, others: Scores, kth: np.float32) -> NDArray[np.float64]:
    """Return how likely each of some units, of which rough scores are known, beats the k-th exact score.

    Args:
        rough, exact: of the units that were rescored, the roughly best first.
        others: rough scores of others.
    """
    residuals = (exact - rough).astype(np.float64)
    near = slice(len(rough) // 2, None)  # the best differ from the rest, of which there are many more
    slope = _slope(rough.astype(np.float64), residuals)
    centre, level = rough[near].mean(), residuals[near].mean()
    off = residuals[near] - level - slope * (rough[near] - centre)
    spread = _WIDER * max(float(off.std()), 1e-7 * abs(float(kth)), 1e-30)
    distances = (kth - others - level - slope * (others - centre)) / spread
    return np.array([erfc(distance / sqrt(2)) / 2 for distance in distances])


def _slope(rough: NDArray[np.float64], residuals: NDArray[np.float64]) -> float:
    """Return how residuals change with rough scores, by least squares, in [-1, 0].

    A residual that falls with the rough score is not believed: beyond what was seen, it would hide units.
    """
    deviations = rough - rough.mean()
    variance = deviations @ deviations
    slope = deviations @ residuals / variance if variance > 0 else 0.0
    return float(np.clip(slope, -1, 0))
