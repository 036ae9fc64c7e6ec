"""Calls that several threads make at once, done as one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar, cast

A = TypeVar("A")
B = TypeVar("B")


class Together(Generic[A, B]):
    """Makes a call for each item, or one for all that came while another was at work.

    Nobody waits for others to come: who finds nobody at work begins at once, alone. So a single user loses
    nothing, and the more there are, the more share a call.

    Args:
        most: items of one call.
        told: called with the number of items before each call.
    """

    def __init__(self, *, most: int = 16, told: Callable[[int], None] | None = None) -> None:
        self._most = most
        self._told = told
        self._waiting: deque[_Turn[A, B]] = deque()
        self._queue = Lock()
        self._at_work = Lock()

    def __call__(self, work: Callable[[list[A]], Sequence[B]], item: A) -> B:
        """Return what the work gives for an item; raises what it raises for this item.

        Args:
            work: returns one result for each item, in order; the same for all callers. It is not kept, and
                what an item gives must not depend on the others.
        """
        return self.each(work, [item])[0]

    def each(self, work: Callable[[list[A]], Sequence[B]], items: Sequence[A]) -> list[B]:
        """Return what the work gives for each of some items; raises what it raises for the first that fails.

        Args:
            work: as above.
        """
        mine: list[_Turn[A, B]] = [_Turn(item) for item in items]
        with self._queue:
            self._waiting.extend(mine)
        while not _done(mine):  # their turn may come in a later batch than the first that is made here
            with self._at_work:
                if not _done(mine):
                    self._do(work, self._next())
        for turn in mine:
            if turn.error is not None:
                raise turn.error
        return [cast("B", turn.result) for turn in mine]

    def _next(self) -> list[_Turn[A, B]]:
        with self._queue:
            return [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]

    def _do(self, work: Callable[[list[A]], Sequence[B]], turns: list[_Turn[A, B]]) -> None:
        """Do the work of some turns; where that fails, each for itself, so that one error is one's own."""
        try:
            if self._told is not None:
                self._told(len(turns))
            for turn, result in zip(turns, work([turn.item for turn in turns]), strict=True):
                turn.result = result
        except BaseException as error:
            if len(turns) == 1:
                turns[0].error = error
            else:
                for turn in turns:
                    self._do(work, [turn])
        for turn in turns:
            turn.is_done = True


@dataclass(slots=True, eq=False)
class _Turn(Generic[A, B]):
    item: A
    result: B | None = None
    error: BaseException | None = None
    is_done: bool = False


def _done(turns: Sequence[_Turn[A, B]]) -> bool:
    return all(turn.is_done for turn in turns)
