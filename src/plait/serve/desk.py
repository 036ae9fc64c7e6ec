"""Where requests meet a library: calls in worker threads beside each other, so that the loop stays free."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from plait.library import Library
from plait.schema import Hits, Query, SearchRequest
from plait.serve.refusals import too_many

T = TypeVar("T")

_CALLS = 8  # at work at a time, beside searches: reading what is stored, removing
_WAITING = 64  # searches; at 10 ms each, the last waits for less than a second
_SECONDS_EACH = 0.05  # that a search takes, as clients are told who come when too many wait


class Desk:
    """Takes calls to one library, several at a time, and searches in their own, bounded queue.

    A library's reading is safe from several threads, and its writing takes the folder's lock. Searches that
    come at once share their encoding and their scans (`scoring.together`), so a few more are at work than
    there are processors. Reading the newest state of a large library takes a while: searches go on from the
    one before (`Library.follow`).

    Args:
        library: whoever opened it closes it.
        searches: at work at a time; None means two a processor.
        waiting: searches that may wait for their turn.

    Attributes:
        ready: whether the model and the library have been read.
    """

    def __init__(self, library: Library, *, searches: int | None = None, waiting: int = _WAITING) -> None:
        library.follow()
        self.library = library
        self.ready = False
        self._waiting = waiting
        self._searches = anyio.CapacityLimiter(searches or int(os.environ.get("PS", "4")) * _processors())
        self._calls = anyio.CapacityLimiter(_CALLS)

    async def ask(self, call: Callable[[Library], T]) -> T:
        """Return what a call to the library returns."""
        return await anyio.to_thread.run_sync(call, self.library, limiter=self._calls)

    async def search(self, request: SearchRequest) -> Hits:
        """Return the answer to a request; a caller that is cancelled while it waits leaves the queue.

        Raises:
            Refusal: too many wait already.
        """
        waiting = self._searches.statistics().tasks_waiting
        if waiting >= self._waiting:
            seconds = waiting * _SECONDS_EACH / self._searches.total_tokens
            raise too_many("too many searches wait already; ask again soon", seconds, status=503, kind="Busy")
        return await anyio.to_thread.run_sync(self.library.search, request, limiter=self._searches)

    async def warm(self) -> None:
        """Read the model and the library now, so that the first who asks does not wait for it.

        Raises:
            PlaitError: they cannot be read; each search will say so too.
        """
        await self.ask(_first_search)
        self.ready = True


def _first_search(library: Library) -> None:
    library.search(SearchRequest(Query.of("first"), k=1))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
