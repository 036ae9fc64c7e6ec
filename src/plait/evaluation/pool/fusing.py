"""Several lanes made one ranking of a pool, from the best of each and from what each is like as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.evaluation.pool.lanes import PoolLane, Rows, Scores
from plait.evaluation.pool.searching import Top
from plait.evaluation.systems import BM25, System
from plait.scoring.mixture import MixtureParameters, mixture
from plait.search.fusion import RANK_OFFSET, SMALLEST_SPREAD

_MEAN_WHERE_MISSING = ("text", "bm25", "ret")  # as `scoring.mixture` has it


@dataclass(frozen=True, slots=True)
class Heard:
    """What one lane says of C candidates for one query.

    Attributes:
        scores: (C,) NaN where a candidate has nothing to compare.
        best: (K,) the lane's best scores in the whole pool, highest first.
        mean, deviation: of the lane's scores over the whole pool.
    """

    scores: Scores
    best: Scores
    mean: float
    deviation: float


def fused(
    systems: Sequence[System],
    lanes: Mapping[str, PoolLane],
    tops: Mapping[str, Top],
    queries: Rows,
    *,
    k: int,
    parameters: MixtureParameters | None = None,
) -> list[Top]:
    """Return the K best of each system for some queries.

    Candidates are the best of each lane that a query asks. Each gets the score that `System.scores` gives
    it over the whole pool, for sums and the mixture take the pool's mean and deviation. Only of
    reciprocal ranks, a lane gives nothing to candidates that are not among its best.

    Args:
        lanes: by name; others of a system are not heard.
        tops: the best of each lane for the queries, with moments of lanes that are combined.
        parameters: of the mixture; without, "gated" is "zsum", as `search.fusion.fuse` has it.
    """
    found = [_nothing(len(queries), k) for _ in systems]
    for row, query in enumerate(queries.tolist()):
        known: dict[tuple[str, ...], tuple[Rows, dict[str, Heard]]] = {}
        for system, (places, scores) in zip(systems, found, strict=True):
            asked = tuple(name for name in system.lanes if name in lanes and lanes[name].asked[query])
            if not asked:
                continue
            if asked not in known:
                known[asked] = _of_query({name: (lanes[name], tops[name]) for name in asked}, query, row)
            candidates, heard = known[asked]
            together = _together(system, heard, parameters)
            order = np.argsort(-together, kind="stable")[:k]
            places[row, : len(order)], scores[row, : len(order)] = candidates[order], together[order]
    return [Top(*some) for some in found]


def _nothing(queries: int, k: int) -> tuple[Rows, Scores]:
    return np.zeros((queries, k), np.int64), np.full((queries, k), -np.inf, np.float32)


def _of_query(
    lanes: Mapping[str, tuple[PoolLane, Top]], query: int, row: int
) -> tuple[Rows, dict[str, Heard]]:
    """Return a query's candidates, ascending, and what each lane says of them."""
    listed = [top.places[row, np.isfinite(top.scores[row])] for _, top in lanes.values()]
    candidates = np.unique(np.concatenate(listed))
    return candidates, {name: _heard(*lane, query, row, candidates) for name, lane in lanes.items()}


def _heard(lane: PoolLane, top: Top, query: int, row: int, candidates: Rows) -> Heard:
    listed = np.isfinite(top.scores[row])
    known = np.searchsorted(candidates, top.places[row, listed])
    scores = np.full(len(candidates), np.nan, np.float32)
    unknown = np.ones(len(candidates), np.bool_)
    scores[known], unknown[known] = top.scores[row, listed], False
    if unknown.any():
        scores[unknown] = lane.pairs(query, candidates[unknown])
    mean, deviation = (0.0, 0.0) if top.moments is None else (float(one[row]) for one in top.moments)
    return Heard(scores, top.scores[row, listed], mean, deviation)


def _together(
    system: System, heard: Mapping[str, Heard], parameters: MixtureParameters | None
) -> NDArray[np.float32]:
    """Return (C,) what the lanes of a query make of its candidates."""
    if system.method is None:
        (alone,) = heard.values()
        return alone.scores
    if system.method == "rrf":
        return _reciprocal_ranks(heard)
    if system.method == "gated" and parameters is not None:
        return mixture({name: _filled(name, lane) for name, lane in heard.items()}, parameters)
    return _z_sum(heard)


def _z_sum(heard: Mapping[str, Heard]) -> Scores:
    normalised = [
        np.nan_to_num((lane.scores.astype(np.float64) - lane.mean) / lane.deviation, nan=0.0)
        for lane in heard.values()
        if lane.deviation >= SMALLEST_SPREAD
    ]
    return sum(normalised, np.zeros(len(next(iter(heard.values())).scores))).astype(np.float32)


def _reciprocal_ranks(heard: Mapping[str, Heard]) -> Scores:
    fused = np.zeros(len(next(iter(heard.values())).scores), np.float32)
    for name, lane in heard.items():
        worst = lane.best[-1] if len(lane.best) else np.inf
        ranked = np.flatnonzero((lane.scores >= worst) & ((lane.scores > 0) | (name != BM25)))
        fused[ranked] += 1 / (RANK_OFFSET + 1 + np.searchsorted(-lane.best, -lane.scores[ranked]))
    return fused


def _filled(name: str, lane: Heard) -> Scores:
    """Return the scores, the pool's mean where the mixture takes the mean."""
    if name not in _MEAN_WHERE_MISSING:
        return lane.scores
    return np.where(np.isnan(lane.scores), np.float32(lane.mean), lane.scores)
