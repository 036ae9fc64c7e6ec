"""One result alone: its means by kind, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plait.errors import InputError
from plait.evaluation.compare.comparing import grouped, kind_of, shared_measures
from plait.evaluation.compare.pairing import named
from plait.evaluation.compare.results import Result
from plait.evaluation.intervals import Interval, bootstrap


@dataclass(frozen=True, slots=True)
class Standing:
    """The mean of one measure over the queries of one kind, with its 95 % interval."""

    kind: str
    measure: str
    value: Interval


def standings(result: Result, *, measures: Sequence[str] = (), seed: int = 0) -> tuple[Standing, ...]:
    """Return every kind in the order of the queries, "all" last; in each, every measure.

    A judged query that a run file leaves out counts 0.

    Args:
        measures: (): those that are stored, or the usual ones of a run file.
        seed: of the intervals.

    Raises:
        InputError: an unknown measure, or no judged query.
    """
    wanted = {*result.answered, *result.silent}
    queries = [query for query in result.judgements.asked if query in wanted]
    if not queries:
        raise InputError(f"{result.name} has no judged query that it could be asked: nothing is measured")
    names = tuple(dict.fromkeys(measures)) or shared_measures((result,))
    values = {name: result.values(name, queries) for name in names}
    groups = grouped(kind_of(query, result) for query in queries)
    return tuple(
        Standing(kind, name, bootstrap([values[name][place] for place in places], seed=seed))
        for kind, places in groups.items()
        for name in names
    )


def remarks(result: Result, measures: Sequence[str]) -> tuple[str, ...]:
    """Return what a reader should know before believing the numbers, a sentence each."""
    silent = [f"{named(result.silent)} without a line in {result.name}: counted 0"] if result.silent else []
    return (*silent, *result.remarks(measures))
