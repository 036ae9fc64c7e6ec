"""Problems of a collection's files as they are met: kept once each, or the end of it; and told in short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

from plait.data.collections.base import Problem
from plait.data.training.examples import BadRow
from plait.data.training.report import Tally
from plait.errors import InputError


class Problems(Sequence[Problem]):
    """What was left out so far; `report` is what readers of lines call.

    Holds problems in the order in which they were met, each once, however often its file is read.

    Args:
        strict: the first problem raises an InputError that begins with its place.
        most: so many are kept, and those after only counted; None: all are kept.

    Attributes:
        total: how many there were.
    """

    def __init__(self, *, strict: bool = False, most: int | None = None) -> None:
        self.total = 0
        self.strict = strict
        self._most = most
        self._kept: list[Problem] = []
        self._seen: set[Problem] = set()

    def report(self, place: str, message: str) -> None:
        """Take in a problem.

        Raises:
            InputError: problems are not allowed.
        """
        problem = Problem(place, message)
        if self.strict:
            raise InputError(str(problem))
        if problem in self._seen:
            return
        self.total += 1
        if self._most is None or len(self._kept) < self._most:
            self._seen.add(problem)
            self._kept.append(problem)

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, position: int) -> Problem: ...
    @overload
    def __getitem__(self, position: slice) -> list[Problem]: ...
    def __getitem__(self, position: int | slice) -> Problem | list[Problem]:
        return self._kept[position]


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
