"""Problems of a collection's files as they are met: kept once each, or the end of it; and told in short."""

from __future__ import annotations

from collections.abc import Iterable

from plait.data.collections.base import Problem
from plait.data.training.examples import BadRow
from plait.data.training.report import Tally
from plait.errors import InputError


class Problems:
    """What was left out so far; `report` is what readers of lines call.

    Args:
        strict: the first problem raises an InputError that begins with its place.

    Attributes:
        found: in the order they were met, each once, however often its file is read.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.found: list[Problem] = []
        self._seen: set[Problem] = set()
        self._strict = strict

    def report(self, place: str, message: str) -> None:
        """Keep a problem.

        Raises:
            InputError: problems are not allowed.
        """
        problem = Problem(place, message)
        if self._strict:
            raise InputError(str(problem))
        if problem not in self._seen:
            self._seen.add(problem)
            self.found.append(problem)


def summary(problems: Iterable[Problem]) -> str:
    """Return a line for each kind of problem, the most frequent first, with the first few places; "" if none.

    Problems are of one kind when their messages differ only in numbers and in what they quote.
    """
    tally = Tally()
    for problem in problems:
        tally.add_bad("", BadRow(problem.place, problem.message))
    kinds = tally.report(repeated=0, examples=(), entities=2).bad_kinds
    lines = []
    for kind in kinds:
        more = ", ..." if kind.count > len(kind.places) else ""
        lines.append(f"{kind.count:,} x {kind.reason}\n    at {', '.join(kind.places)}{more}")
    return "\n".join(lines)
