"""Where requests meet a library: each call in a worker thread, so that the loop stays free."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from plait.library import Library
from plait.schema import Hits, SearchRequest

T = TypeVar("T")


class Desk:
    """Takes calls to one library, one at a time."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._turn = anyio.Lock()

    async def ask(self, call: Callable[[Library], T]) -> T:
        """Return what a call to the library returns."""
        async with self._turn:
            return await anyio.to_thread.run_sync(call, self.library)

    async def search(self, request: SearchRequest) -> Hits:
        """Return the answer to a request."""
        return await self.ask(lambda library: library.search(request))
