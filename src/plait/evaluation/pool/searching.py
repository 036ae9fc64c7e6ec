"""Every candidate of a pool scored by one lane, the best ones kept: nothing is left to an index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from plait.evaluation.pool.best import Best
from plait.evaluation.pool.lanes import PoolLane, Rows, Scores
from plait.evaluation.pool.moments import Moments, Running
from plait.evaluation.systems import BM25


@dataclass(frozen=True, slots=True)
class Top:
    """The best candidates of Q queries.

    Attributes:
        places: (Q, K) in the pool, best first, equal ones in the order of the pool.
        scores: (Q, K) higher is better; -inf where there are fewer than K.
        moments: of all candidates; None where they were not asked for.
    """

    places: Rows
    scores: Scores
    moments: Moments | None = None


def top(
    lane: PoolLane,
    queries: Rows,
    *,
    k: int,
    moments: bool = False,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Top:
    """Return the best K = min(k, N) candidates of some queries; none of those that do not ask the lane.

    What `blocks` says chooses `slack` more than K, what `pairs` says orders them: the result is the same to
    the last bit however the pool is cut and on whichever device, unless more than `slack` candidates
    score what the last one does. A candidate that shares no word with the query is none of BM25's best.

    Args:
        moments: whether to take them too.
        watch: called with how many pairs of query and candidate were scored, and will have been.
    """
    k = min(k, len(lane))
    places, scores = np.zeros((len(queries), k), np.int64), np.full((len(queries), k), -np.inf, np.float32)
    taken = np.zeros((2, len(queries)))
    asking = np.flatnonzero(lane.asked[queries]) if k else np.zeros(0, np.int64)
    for start in range(0, len(asking), lane.at_once):
        part = asking[start : start + lane.at_once]
        best, running = Best(len(part), min(k + lane.slack, len(lane))), Running(len(part))
        for first, block in lane.blocks(queries[part]):
            _take_in(block, first, best, running if moments else None, of_words=lane.name == BM25)
            watch(start * len(lane) + len(part) * (first + block.shape[1]), len(asking) * len(lane))
        places[part], scores[part] = _ordered(lane, queries[part], *best.sorted(), k)
        taken[:, part] = running.moments()
    return Top(places, scores, Moments(*taken) if moments else None)


def _take_in(block: Tensor, first: int, best: Best, running: Running | None, *, of_words: bool) -> None:
    """Take in (Q, n) scores of the candidates from `first` on."""
    without = block[0].isnan()
    partly = bool(without.any())
    if running is not None:
        running.add(block[:, ~without] if partly else block)
    if partly or of_words:
        block = block.masked_fill(block <= 0 if of_words else without, -torch.inf)
    best.keep(block, first)


def _ordered(lane: PoolLane, queries: Rows, places: Rows, scores: Scores, k: int) -> tuple[Rows, Scores]:
    """Return (Q, K) places and exact scores, given more than K of them, roughly in order."""
    if lane.slack:
        for row, query in enumerate(queries.tolist()):
            there = np.sort(places[row, np.isfinite(scores[row])])
            exact = lane.pairs(query, there)
            order = np.argsort(-exact, kind="stable")
            places[row, : len(there)], scores[row, : len(there)] = there[order], exact[order]
    return places[:, :k], scores[:, :k]
