"""The queries that a report shows: what was asked, what was expected, and what both results found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plait.evaluation.compare.comparing import Change, Comparison
from plait.evaluation.compare.results import Result
from plait.evaluation.measures import ranking
from plait.evaluation.stored import Asked

_EXPECTED = 3  # relevant documents shown for a query; the others are counted
_FOUND = 5


@dataclass(frozen=True, slots=True)
class Expected:
    """A relevant document, and its rank in each result; None where it was not found."""

    document: str
    rank_a: int | None
    rank_b: int | None


@dataclass(frozen=True, slots=True)
class Card:
    """One query of a report.

    Attributes:
        expected: relevant documents, the highest grades first.
        unshown: how many relevant documents there are besides.
        relevant: all of them.
        first_a, first_b: what each result found first.
        failed: why a result could not be asked, a sentence each.
    """

    change: Change
    asked: Asked
    expected: tuple[Expected, ...]
    unshown: int
    relevant: frozenset[str]
    first_a: tuple[str, ...]
    first_b: tuple[str, ...]
    failed: tuple[str, ...]

    @property
    def documents(self) -> set[str]:
        """All documents that it shows."""
        return {*(one.document for one in self.expected), *self.first_a, *self.first_b}


def cards_of(comparison: Comparison, changes: Sequence[Change]) -> list[Card]:
    """Return a card for each of some changed queries, in their order."""
    return [_card(comparison.a, comparison.b, change) for change in changes]


def _card(a: Result, b: Result, change: Change) -> Card:
    query = change.query
    found_a, found_b = (ranking(result.run.get(query, {}), query=query) for result in (a, b))
    grades = _grades(a, b, query)
    relevant = sorted(grades, key=lambda document: (-grades[document], document))
    return Card(
        change=change,
        asked=_asked(a, b, query),
        expected=tuple(
            Expected(document, _rank(document, found_a), _rank(document, found_b))
            for document in relevant[:_EXPECTED]
        ),
        unshown=max(0, len(relevant) - _EXPECTED),
        relevant=frozenset(relevant),
        first_a=tuple(found_a[:_FOUND]),
        first_b=tuple(found_b[:_FOUND]),
        failed=tuple(f"{result.name}: {result.failed[query]}" for result in (a, b) if query in result.failed),
    )


def _grades(a: Result, b: Result, query: str) -> Mapping[str, int]:
    """Return the relevant documents of a query, and their grades."""
    judged = next((r.judgements.qrels[query] for r in (a, b) if query in r.judgements.qrels), {})
    return {document: grade for document, grade in judged.items() if grade > 0}


def _asked(a: Result, b: Result, query: str) -> Asked:
    """Return what a query asks, from the result that knows more of it."""
    known = [r.judgements.asked[query] for r in (a, b) if query in r.judgements.asked]
    return next((one for one in known if one.text or one.image), known[0])


def _rank(document: str, found: Sequence[str]) -> int | None:
    return found.index(document) + 1 if document in found else None
