"""Where requests meet a library: calls in worker threads beside each other, so that the loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from plait.index.threads import processors
from plait.library import Library
from plait.rag.answer import Answer
from plait.schema import Explanation, Hits, Query, SearchRequest
from plait.serve.crew import Crew
from plait.serve.refusals import too_many

T = TypeVar("T")

_CALLS = 8  # at work at a time, beside searches: reading what is stored, removing
_WAITING = 64  # searches; at 20 ms each, the last waits for a second
_SECONDS_EACH = 0.03  # that a search takes, as clients are told who come when too many wait


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
        crew: processes that search in place of this one, which then holds no vectors; whoever made it starts
            and ends it.

    Attributes:
        ready: whether the model and the library have been read.
    """

    def __init__(
        self,
        library: Library,
        *,
        searches: int | None = None,
        waiting: int = _WAITING,
        crew: Crew | None = None,
    ) -> None:
        if crew is None:
            library.follow()
        else:
            library.also_renew(crew.renew)
        self.library = library
        self.ready = False
        self._crew = crew
        self._waiting = waiting
        self._searches = anyio.CapacityLimiter(searches or 2 * processors())
        self._calls = anyio.CapacityLimiter(_CALLS)

    async def ask(self, call: Callable[[Library], T]) -> T:
        """Return what a call to the library returns."""
        return await anyio.to_thread.run_sync(call, self.library, limiter=self._calls)

    async def search(self, request: SearchRequest) -> Hits:
        """Return the answer to a request; a caller that is cancelled while it waits leaves the queue.

        Raises:
            Refusal: too many wait already.
        """
        if self._crew is None:
            self._check_queue(self._searches.statistics().tasks_waiting, int(self._searches.total_tokens))
            return await anyio.to_thread.run_sync(self.library.search, request, limiter=self._searches)
        self._check_queue(self._crew.asked - len(self._crew), len(self._crew))
        hits: Hits = await asyncio.wrap_future(self._crew.ask(request))
        return hits

    async def explain(self, request: SearchRequest, hit_id: str) -> Explanation:
        """Return why a request finds a hit.

        Raises:
            PlaitError: as `Library.explain`.
        """
        if self._crew is None:
            return await self.ask(lambda library: library.explain(request, hit_id))
        explanation: Explanation = await asyncio.wrap_future(self._crew.ask(request, explain=hit_id))
        return explanation

    async def answer(self, query: Query, *, k: int) -> Answer:
        """Return what the best hits of a question say.

        Raises:
            PlaitError: as `Library.answer`.
        """
        hits = await self.search(SearchRequest(query, k=k))
        return await self.ask(lambda library: library.answer(query, k=k, hits=hits))

    async def warm(self) -> None:
        """Read the model and the library now, so that the first who asks does not wait for it.

        Raises:
            PlaitError: they cannot be read; each search will say so too.
        """
        if self._crew is None:
            await self.ask(_first_search)
        else:
            await anyio.to_thread.run_sync(self._crew.wait)
        self.ready = True

    def _check_queue(self, waiting: int, at_work: int) -> None:
        """Refuse one more search where too many wait.

        Raises:
            Refusal: they do.
        """
        if waiting >= self._waiting:
            seconds = waiting * _SECONDS_EACH / at_work
            raise too_many("too many searches wait already; ask again soon", seconds, status=503, kind="Busy")


def _first_search(library: Library) -> None:
    library.search(SearchRequest(Query.of("first"), k=1))
