"""Asking every query of every system: a library's real search, and systems made of its lanes' scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.data.collections.base import LabelledQuery
from plait.errors import QueryError
from plait.evaluation.evaluate import Answers
from plait.evaluation.measures import ranking
from plait.evaluation.systems import System
from plait.index.base import Scores
from plait.library.evaluating.corpora import Items
from plait.search.fusion import Method, Weights
from plait.search.searcher import Searcher

Told = Callable[[int, int], None]  # how many queries are done, and of how many


@dataclass(frozen=True, slots=True)
class Search:
    """How a library is searched.

    Attributes:
        lanes: which may speak; None: all.
        weights: what each lane counts; see `search.fusion.fuse`.
        recall: as of `Searcher.search`.
    """

    method: Method = "gated"
    lanes: tuple[str, ...] | None = None
    weights: Weights | None = None
    recall: float = 0.99

    def hears(self, lane: str) -> bool:
        """Whether a lane may speak."""
        return (self.lanes is None or lane in self.lanes) and (self.weights or {}).get(lane, 1.0) > 0


def ask_search(
    searcher: Searcher,
    items: Items,
    queries: Sequence[LabelledQuery],
    search: Search,
    *,
    depth: int,
    told: Told = lambda done, total: None,
) -> Answers:
    """Return what a user's search answers, and how long each answer took.

    The first query is asked once before, for what is only loaded then takes no part in its time.

    Args:
        depth: how many hits are asked for.
    """
    answers = Answers()

    def ask(labelled: LabelledQuery) -> None:
        started = time.perf_counter()
        hits = searcher.search(
            labelled.query,
            k=depth,
            method=search.method,
            lanes=search.lanes,
            weights=search.weights,
            per_document=items.per_document(labelled.id),
            recall=search.recall,
        )
        answers.seconds[labelled.id] = time.perf_counter() - started
        answers.run[labelled.id] = items.found(labelled.id, hits)

    for done, labelled in enumerate(queries, 1):
        if not any(search.hears(lane) for lane in searcher.asked_lanes(labelled.query)):
            answers.unasked.add(labelled.id)
            continue
        try:
            if not answers.seconds:
                ask(labelled)
            ask(labelled)
        except QueryError as error:
            answers.failed[labelled.id] = str(error)
        told(done, len(queries))
    return answers


def ask_systems(
    searcher: Searcher,
    items: Items,
    queries: Sequence[LabelledQuery],
    systems: Sequence[System],
    *,
    depth: int,
    told: Told = lambda done, total: None,
) -> dict[str, Answers]:
    """Return what each system answers, all from the same exact scores of a searcher's lanes.

    Args:
        depth: how many items each run keeps.
    """
    answers = {system.name: Answers() for system in systems}
    needed = {lane for system in systems for lane in system.lanes}
    for done, labelled in enumerate(queries, 1):
        wanted = needed.intersection(searcher.asked_lanes(labelled.query))
        try:
            lanes = searcher.scores(labelled.query, sorted(wanted)) if wanted else {}
        except QueryError as error:
            for of_system in answers.values():
                of_system.failed[labelled.id] = str(error)
            continue
        for system in systems:
            scores = system.scores(lanes, searcher.encoder.mixture)
            if scores is None:
                answers[system.name].unasked.add(labelled.id)
            else:
                answers[system.name].run[labelled.id] = best(scores, items, labelled.id, depth)
        told(done, len(queries))
    return answers


def best(scores: Scores, items: Items, query: str, depth: int) -> dict[str, float]:
    """Return item -> the score of its best unit, of the best items in the order of `ranking`.

    Args:
        scores: (N,), NaN for units that are not found.
    """
    there = np.flatnonzero(~np.isnan(scores))
    count = 4 * depth
    while True:
        found: dict[str, float] = {}
        for row in _first(scores, there, count):
            found.setdefault(items.of_row(query, row), float(scores[row]))
        if len(found) >= depth or count >= len(there):
            return {item: found[item] for item in ranking(found, query=query)[:depth]}
        count *= 4  # a few items have the best units: look at more


def _first(scores: Scores, rows: NDArray[np.intp], count: int) -> list[int]:
    """Return the best of some rows, best first, and all that are equal to the last of them."""
    if count < len(rows):
        least = np.partition(scores[rows], len(rows) - count)[len(rows) - count]
        rows = rows[scores[rows] >= least]
    return [int(row) for row in rows[np.argsort(-scores[rows], kind="stable")]]
