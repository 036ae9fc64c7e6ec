"""Ask every query of a collection, and say how well the answers are, kind by kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plait.data.collections.base import AnyQuery, Collection, LabelledQuery, Labels, judged
from plait.errors import InputError, QueryError
from plait.evaluation.intervals import bootstrap_all
from plait.evaluation.measures import PerQuery, per_query
from plait.evaluation.report import KindReport, Latency, Report
from plait.schema import Hit, Query

# Returns document id -> score, higher is better; None if it cannot be asked such a query at all.
Search = Callable[[Query], Mapping[str, float] | None]
MEASURES = ("success@1", "success@10", "recall@10", "ndcg@10", "mrr")


@dataclass(slots=True)
class Answers:
    """What a system answered.

    Attributes:
        run: query id -> document id -> score; {} for a query that could not be asked.
        seconds: query id -> how long it took.
        failed: query id -> why it could not be asked, though it should have been: it scores 0.
        unasked: ids of queries that the system is not made for, such as pictures for one that matches
            words. Of a kind of which every query is such a one, the report says nothing; otherwise they
            score 0.
    """

    run: dict[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unasked: set[str] = field(default_factory=set)


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
        search: query in, scores of documents out, or None for a query that it is not made for.
            `found_by` makes one of a library or searcher.
        seed: of the bootstrap; the same seed and answers give the same report, but for latencies.
        progress: called with how many queries are done, and of how many.

    Raises:
        InputError: an unknown measure, no judged query, or a score that is not a finite number.
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
            found = search(labelled.query)
        except QueryError as error:
            found = {}
            answers.failed[labelled.id] = str(error)
        if found is None:
            answers.unasked.add(labelled.id)
        else:
            answers.seconds[labelled.id] = time.perf_counter() - started
        answers.run[labelled.id] = found or {}
        if progress is not None:
            progress(done, len(queries))
    return answers


def score(
    answers: Answers, labels: Labels[AnyQuery], *, measures: Sequence[str] = MEASURES, seed: int = 0
) -> Report:
    """Return the report on answers already there, such as a run read from a file.

    Raises:
        InputError: an unknown measure, no judged query, or a score that is not a finite number.
    """
    qrels = {query.id: labels.qrels[query.id] for query in judged(labels)}
    return summarise(per_query(answers.run, qrels, measures), answers, labels, seed=seed)


def summarise(values: PerQuery, answers: Answers, labels: Labels[AnyQuery], *, seed: int = 0) -> Report:
    """Return the report on values of any measures, of which `score` knows only its own.

    Args:
        values: measure -> query id -> value, for every judged query.

    Raises:
        InputError: no judged query.
    """
    queries = judged(labels)
    if not queries:
        raise InputError(f"there is nothing to measure: no query of {labels.name!r} has a relevant document")
    groups: dict[str, list[str]] = {}
    for query in queries:
        groups.setdefault(query.kind, []).append(query.id)
    if len(groups) != 1:
        groups = {**groups, "all": [query.id for query in queries]}
    return Report(
        collection=labels.name,
        kinds=tuple(_of_kind(kind, ids, values, answers, seed) for kind, ids in groups.items()),
        per_query={query.id: {name: values[name][query.id] for name in values} for query in queries},
        run=answers.run,
        failed=answers.failed,
        unjudged=len(labels.queries) - len(queries),
        seed=seed,
        unasked=frozenset(answers.unasked),
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


def _of_kind(kind: str, ids: Sequence[str], values: PerQuery, answers: Answers, seed: int) -> KindReport:
    unasked = sum(one in answers.unasked for one in ids)
    if unasked == len(ids):
        return KindReport(kind, len(ids), {}, unasked=unasked)
    of_kind = {name: [of_query[one] for one in ids] for name, of_query in values.items()}
    taken = [1000 * answers.seconds[one] for one in ids if one in answers.seconds]
    return KindReport(
        kind,
        len(ids),
        bootstrap_all(of_kind, seed=seed),
        _latency(taken) if taken else None,
        unasked,
    )


def _latency(milliseconds: Sequence[float]) -> Latency:
    return Latency(*(float(value) for value in np.percentile(milliseconds, (50, 95, 99))))
