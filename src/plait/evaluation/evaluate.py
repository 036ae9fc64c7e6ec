"""Ask every query of a collection, and say how well the answers are, kind by kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plait.data.collections.base import Collection, LabelledQuery
from plait.errors import QueryError
from plait.evaluation.intervals import bootstrap
from plait.evaluation.measures import per_query
from plait.evaluation.report import KindReport, Latency, Report
from plait.schema import Hit, Query

Search = Callable[[Query], Mapping[str, float]]  # document id -> score, higher is better
MEASURES = ("success@1", "success@10", "recall@10", "ndcg@10", "mrr")


@dataclass(slots=True)
class Answers:
    """What a system answered.

    Attributes:
        run: query id -> document id -> score; {} for a query that could not be asked.
        seconds: query id -> how long it took.
        failed: query id -> why it could not be asked.
    """

    run: dict[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def evaluate(
    search: Search,
    collection: Collection,
    *,
    measures: Sequence[str] = MEASURES,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Return how well `search` answers a collection, for each kind of query with intervals.

    A query without a relevant document is not asked, only counted; one that `search` refuses with a
    QueryError is reported and scores 0, so that refusing hard queries gains nothing.

    Args:
        search: query in, scores of documents out. `found_by` makes one of a library or searcher.
        seed: of the bootstrap; the same seed and answers give the same report, but for latencies.
        progress: called with how many queries are done, and of how many.

    Raises:
        InputError: an unknown measure, no judged query, or a score that is not a number.
    """
    answers = ask(search, collection.judged(), progress=progress)
    return score(answers, collection, measures=measures, seed=seed)


def ask(
    search: Search, queries: Sequence[LabelledQuery], *, progress: Callable[[int, int], None] | None = None
) -> Answers:
    """Return what `search` answers, and how long each answer took."""
    answers = Answers()
    for done, labelled in enumerate(queries, 1):
        started = time.perf_counter()
        try:
            answers.run[labelled.id] = search(labelled.query)
        except QueryError as error:
            answers.run[labelled.id] = {}
            answers.failed[labelled.id] = str(error)
        answers.seconds[labelled.id] = time.perf_counter() - started
        if progress is not None:
            progress(done, len(queries))
    return answers


def score(
    answers: Answers, collection: Collection, *, measures: Sequence[str] = MEASURES, seed: int = 0
) -> Report:
    """Return the report on answers already there, such as a run read from a file.

    Raises:
        InputError: an unknown measure, no judged query, or a score that is not a number.
    """
    judged = collection.judged()
    qrels = {query.id: collection.qrels[query.id] for query in judged}
    values = per_query(answers.run, qrels, measures)
    groups: dict[str, list[str]] = {}
    for query in judged:
        groups.setdefault(query.kind, []).append(query.id)
    if len(groups) != 1:
        groups = {**groups, "all": [query.id for query in judged]}
    return Report(
        collection=collection.name,
        kinds=tuple(_of_kind(kind, ids, values, answers, seed) for kind, ids in groups.items()),
        per_query={query.id: {name: values[name][query.id] for name in values} for query in judged},
        run=answers.run,
        failed=answers.failed,
        unjudged=len(collection.queries) - len(judged),
        seed=seed,
    )


def found_by(search: Callable[[Query], Sequence[Hit]], *, by_document: bool = True) -> Search:
    """Return a `Search` made of one that returns hits: `found_by(lambda q: library.search(q, k=100))`.

    Args:
        by_document: name what is found by its document, of which the best unit counts; else by unit.
    """

    def asked(query: Query) -> dict[str, float]:
        scores: dict[str, float] = {}
        for hit in search(query):
            name = hit.document_id if by_document else hit.unit_id
            scores[name] = max(hit.score, scores.get(name, hit.score))
        return scores

    return asked


def _of_kind(
    kind: str, ids: Sequence[str], values: Mapping[str, Mapping[str, float]], answers: Answers, seed: int
) -> KindReport:
    intervals = {
        name: bootstrap([of_query[one] for one in ids], seed=seed) for name, of_query in values.items()
    }
    taken = [1000 * answers.seconds[one] for one in ids if one in answers.seconds]
    return KindReport(kind, len(ids), intervals, _latency(taken) if taken else None)


def _latency(milliseconds: Sequence[float]) -> Latency:
    return Latency(*(float(value) for value in np.percentile(milliseconds, (50, 95, 99))))
