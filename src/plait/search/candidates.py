"""From rough scores of all units to exact scores of the best: which are looked at again, and how many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from plait.errors import InputError
from plait.index.base import Scores
from plait.schema import SearchPlan
from plait.search.rescoring import leading, rescored

Rows = NDArray[np.intp]
Exact = Callable[[str, Rows], Scores]
Fuse = Callable[[dict[str, Scores]], Scores]
FuseSome = Callable[[dict[str, Scores], Rows], Scores]


def ranked(
    lanes: dict[str, Scores],
    rough: Sequence[str],
    exact: Exact,
    fuse: Fuse,
    *,
    k: int,
    recall: float,
    fuse_some: FuseSome | None = None,
    keeps_order: bool = True,
    pooled: Sequence[str] | None = None,
) -> tuple[Scores, SearchPlan]:
    """Fuse lanes, the rough ones made exact for as many of the best units as the recall needs.

    Args:
        lanes: lane -> (N,) scores; those of rough lanes are made exact here where they are looked at again.
        rough: names of the lanes that are approximations.
        exact: gives the exact scores of some rows in one lane.
        fuse: combines all lanes, in (N,).
        k: how many of the best are wanted.
        recall: the share of the exact best k that the answer must hold, in expectation; 1 looks at all.
        fuse_some: combines all lanes for some rows, as `fuse` does among all; None takes them from `fuse`.
        keeps_order: whether one lane alone, combined, ranks units as its own scores do.
        pooled: those of the rough lanes whose scores lie lower than exact ones; None means all.

    Returns:
        (N,) fused scores, NaN for a unit that was not looked at exactly; and what was done.

    Raises:
        InputError: a recall outside (0, 1].
    """
    if not 0 < recall <= 1:
        raise InputError(f"recall must be above 0 and at most 1, got {recall}")
    alone = len(lanes) == 1 and keeps_order
    if not alone:
        for lane in rough if pooled is None else pooled:
            lanes[lane] = _levelled(lanes[lane], partial(exact, lane))
    fused = fuse(lanes)
    units = int(np.count_nonzero(~np.isnan(fused)))
    how = {lane: "rough" if lane in rough else "exact" for lane in lanes}
    if not rough:
        return fused, SearchPlan(units=units, rescored=units, recall=recall, expected_recall=1.0, lanes=how)

    def again(rows: Rows) -> Scores:
        for lane in rough:
            lanes[lane][rows] = exact(lane, rows)
        # One lane alone is ranked by its own scores, whose order no fusion changes.
        return lanes[rough[0]][rows] if alone else fused_at(rows)

    def fused_at(rows: Rows) -> Scores:
        return fuse(lanes)[rows] if fuse_some is None else fuse_some(lanes, rows)

    start = lanes[rough[0]] if alone else fused
    there = np.flatnonzero(~np.isnan(start))  # a filter may leave few of many
    leaders = there[:0] if alone else _leading(lanes, rough, fused)
    also = np.searchsorted(there, leaders)
    found = rescored(start[there], lambda places: again(there[places]), k=k, recall=recall, also=also)
    looked_at = there[found.rows]
    exactly = np.full(len(fused), np.nan, np.float32)
    exactly[looked_at] = fused_at(looked_at)
    return exactly, SearchPlan(
        units=units,
        rescored=len(found.rows),
        recall=recall,
        expected_recall=found.expected_recall,
        lanes=how,
    )


def _leading(lanes: dict[str, Scores], rough: Sequence[str], fused: Scores) -> Rows:
    """Return the best units of each rough lane: a true match there errs by more than fused scores let see."""
    best: Rows = np.concatenate([leading(lanes[lane], _LEADING) for lane in rough])
    found: Rows = best[~np.isnan(fused[best])]
    return found


def _levelled(rough: Scores, exact: Callable[[Rows], Scores]) -> Scores:
    """Return rough scores moved and stretched so that their mean and spread are those of exact ones.

    Pooled vectors score lower than the best of all, and fusion weighs lanes by their mean and spread. Those
    of exact scores are estimated from some units all over the library, by regression on the rough ones.
    """
    there = np.flatnonzero(~np.isnan(rough))
    every = rough[there].astype(np.float64)
    if every.size < 2:
        return rough
    middle = every.mean()
    variance = every.var(mean=middle)
    deviation = np.sqrt(variance)
    if deviation < _NO_SPREAD:
        return rough
    some = np.linspace(0, len(there) - 1, min(_SAMPLE, len(there))).astype(np.intp)
    seen, wanted = every[some], exact(there[some]).astype(np.float64)
    slope = ((seen - seen.mean()) * (wanted - wanted.mean())).mean() / max(seen.var(), _NO_SPREAD**2)
    unexplained = wanted - wanted.mean() - slope * (seen - seen.mean())
    mean = wanted.mean() + slope * (middle - seen.mean())
    spread = np.sqrt(slope**2 * variance + unexplained.var())
    levelled: Scores = (mean + spread / deviation * (rough - middle)).astype(np.float32)
    return levelled


_LEADING = 32
_SAMPLE = 256
_NO_SPREAD = 1e-6
