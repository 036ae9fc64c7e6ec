"""Which queries of two results are compared, and what a reader should know of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from plait.errors import InputError
from plait.evaluation.compare.results import Result

Missing = Literal["stop", "common", "zero"]
_NAMED = 5  # queries in a message
_SAY_NOTHING = {"measures", "baselines", "each_lane"}  # of the numbers of one system


@dataclass(frozen=True, slots=True)
class Pairing:
    """The queries of two results.

    Attributes:
        queries: those to compare, in A's order, then B's.
        only_a, only_b: those that the other result has no answer to.
        remarks: what a reader should know, a sentence each.
    """

    queries: tuple[str, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    remarks: tuple[str, ...]


def pair(a: Result, b: Result, *, missing: Missing) -> Pairing:
    """Return the queries to compare; judged ones that two run files both leave out count 0 in both.

    Args:
        missing: of queries that only one has an answer to: "stop", compare the "common" others, or count
            "zero" for who has none.

    Raises:
        InputError: results of different collections, unless `missing` is "common"; queries that only one
            has, if it is "stop"; or no query to compare.
    """
    _check_collections(a, b, missing)
    only_a, only_b = _less(a.answered, b.answered), _less(b.answered, a.answered)
    if missing == "stop" and (only_a or only_b):
        raise InputError(_stop_message(a, b, only_a, only_b))
    neither = _less(a.silent, b.answered) if b.silent else ()
    both = _less(a.answered, only_a)
    if not both:
        raise InputError(f"{a.name} and {b.name} answer no query in common: nothing can be compared")
    wanted = {*both, *neither, *(() if missing == "common" else (*only_a, *only_b))}
    order = dict.fromkeys((*a.judgements.asked, *b.judgements.asked))
    return Pairing(
        queries=tuple(query for query in order if query in wanted),
        only_a=only_a,
        only_b=only_b,
        remarks=tuple(_remarks(a, b, only_a, only_b, neither, missing)),
    )


def named(queries: Sequence[str]) -> str:
    """Return how many queries there are, and the first few: "7 queries (q1, q2, q3, q4, q5, ...)"."""
    shown = ", ".join(queries[:_NAMED]) + (", ..." if len(queries) > _NAMED else "")
    return f"{len(queries)} {'query' if len(queries) == 1 else 'queries'} ({shown})"


def _less(queries: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    left_out = set(others)
    return tuple(query for query in queries if query not in left_out)


def _check_collections(a: Result, b: Result, missing: Missing) -> None:
    if missing != "common" and _collections_differ(a, b):
        raise InputError(f"{_of_collections(a, b)}; --common compares the queries that both have")


def _collections_differ(a: Result, b: Result) -> bool:
    if a.manifest is None or b.manifest is None:
        return False
    return a.manifest.collection_fingerprint != b.manifest.collection_fingerprint


def _of_collections(a: Result, b: Result) -> str:
    one, other = (
        f"{result.manifest.collection} ({result.manifest.collection_fingerprint[:12]})"
        for result in (a, b)
        if result.manifest
    )
    return (
        f"{a.name} and {b.name} are of different collections: {one} and {other}; documents, queries or "
        "judgements differ"
    )


def _stop_message(a: Result, b: Result, only_a: Sequence[str], only_b: Sequence[str]) -> str:
    found = [
        f"{named(only)} {'has' if len(only) == 1 else 'have'} an answer in {of.name} and none in {less.name}"
        for only, of, less in ((only_a, a, b), (only_b, b, a))
        if only
    ]
    return "; ".join((*found, "--common leaves such queries out, --zero counts 0 for who has no answer"))


def _remarks(
    a: Result,
    b: Result,
    only_a: Sequence[str],
    only_b: Sequence[str],
    neither: Sequence[str],
    missing: Missing,
) -> Iterator[str]:
    if _collections_differ(a, b):
        yield _of_collections(a, b)
    done = "left out" if missing == "common" else "counted 0 there"
    for only, less in ((only_a, b), (only_b, a)):
        if only:
            yield f"{less.name} has no answer to {named(only)}: {done}"
    if neither:
        yield f"neither answers {named(neither)}: counted 0 in both"
    yield from _differing_settings(a, b)


def _differing_settings(a: Result, b: Result) -> Iterator[str]:
    if a.manifest is None or b.manifest is None:
        return
    if a.manifest.seed != b.manifest.seed:
        yield f"they were evaluated with different seeds: {a.manifest.seed} and {b.manifest.seed}"
    one, other = a.manifest.options, b.manifest.options
    for name in dict.fromkeys((*one, *other)):
        if name not in _SAY_NOTHING and one.get(name) != other.get(name):
            yield f"they were evaluated with different {name}: {one.get(name)} and {other.get(name)}"
