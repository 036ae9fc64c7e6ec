"""Pseudo-recall: whether the words of an answer stand in any of the first passages, judged or not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from plait.data.collections.pools import Candidate, PoolQuery
from plait.evaluation.measures import PerQuery, ranking
from plait.schema import Run

_NAME = re.compile(r"pseudo-recall@([1-9]\d*)")


def depth_of(measure: str) -> int | None:
    """Return the K of "pseudo-recall@K"; None of any other measure."""
    match = _NAME.fullmatch(measure)
    return int(match[1]) if match else None


def pseudo_recall(
    runs: Mapping[str, Run],
    queries: Sequence[PoolQuery],
    candidates: Iterable[Candidate],
    measures: Sequence[str],
) -> dict[str, PerQuery]:
    """Return for each run: measure -> query id -> 1 if any of the first K passages holds an answer, else 0.

    An answer is held where it is a part of the passage's words, capital letters and the white space around
    it aside: "art" is in "party". A query without answers has 0.

    The candidates are read once; of their words nothing is kept.

    Args:
        runs: name -> run.
        candidates: of the pool, with the words of every one that was found.
        measures: "pseudo-recall@K", others are passed over.

    Source: Lin et al., PreFLMR (arXiv 2402.08327), as their evaluation and that of ReT compute it.
    """
    depths = {name: depth for name in measures if (depth := depth_of(name)) is not None}
    deepest = max(depths.values(), default=0)
    found = {
        name: {query.id: ranking(run.get(query.id, {}), query=query.id)[:deepest] for query in queries}
        for name, run in runs.items()
    }
    held = _held(found.values(), queries, candidates) if depths else set()

    def value(query: str, first: Sequence[str]) -> float:
        return float(any((query, candidate) in held for candidate in first))

    return {
        name: {
            measure: {query: value(query, first[:depth]) for query, first in of_run.items()}
            for measure, depth in depths.items()
        }
        for name, of_run in found.items()
    }


def holds(text: str, answers: Iterable[str]) -> bool:
    """Return whether a text holds any of some answers, by the published rule."""
    lowered = text.lower()
    return any(answer.strip().lower() in lowered for answer in answers)


def _held(
    found: Iterable[Mapping[str, Sequence[str]]],
    queries: Sequence[PoolQuery],
    candidates: Iterable[Candidate],
) -> set[tuple[str, str]]:
    """Return the pairs of query and candidate, among those found, of which one answers the other."""
    finders: dict[str, set[str]] = {}
    for of_run in found:
        for query, names in of_run.items():
            for name in names:
                finders.setdefault(name, set()).add(query)
    answers = {query.id: query.answers for query in queries}
    return {
        (query, candidate.id)
        for candidate in candidates
        for query in finders.get(candidate.id, ())
        if holds(candidate.side.text, answers[query])
    }
