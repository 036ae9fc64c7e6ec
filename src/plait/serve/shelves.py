"""Whose documents a caller sees: each tenant has a library of its own, below the owner's.

.plait/tenants/<tenant>/.plait/    a whole library, as of `library.folder`

Nothing is shared between two tenants but the encoder: not an index, so not how rare a word is; not a count,
a facet, a duplicate, a remembered query or an id. Whose library a request goes to depends on its key alone.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
from starlette.requests import Request

from plait.encode.base import Encoder
from plait.library import Library
from plait.library.folder import NAME, TENANTS
from plait.serve.crew import Crew
from plait.serve.desk import Desk
from plait.serve.feedback import RecentQueries
from plait.serve.keys import tenant_named


@dataclass(frozen=True, slots=True)
class Shelf:
    """One library, and what the service keeps beside it.

    Attributes:
        tenant: whose it is; "" is the owner of the whole.
        library: with nobody else's documents in it.
        desk: takes calls to it.
        recent: the queries asked of it last.
    """

    tenant: str
    library: Library
    desk: Desk
    recent: RecentQueries


class Shelves:
    """Opens the libraries of tenants when they are asked for, and closes those that were not for longest.

    Args:
        library: the owner's, open; whoever opened it closes it.
        most_open: tenants' libraries that stay open while nobody uses them.
        crew: processes that search the owner's.
    """

    def __init__(self, library: Library, *, most_open: int = 16, crew: Crew | None = None) -> None:
        self._most_open = most_open
        self._owner = self._shelf("", library, crew)
        self._open: OrderedDict[str, Shelf] = OrderedDict()
        self._users: Counter[str] = Counter()
        self._turn = anyio.Lock()

    @asynccontextmanager
    async def using(self, tenant: str) -> AsyncIterator[Shelf]:
        """Give a tenant's shelf, which stays open meanwhile; "" gives the owner's.

        Raises:
            InputError: the tenant's name is none.
            LibraryError: the library cannot be opened or made.
        """
        if not tenant:
            yield self._owner
            return
        shelf = await self._taken(tenant)
        try:
            yield shelf
        finally:
            self._users[tenant] -= 1

    async def close(self) -> None:
        """Close the tenants' libraries; nobody may use one any more."""
        async with self._turn:
            while self._open:
                await self._closed(self._open.popitem()[1])

    async def _taken(self, tenant: str) -> Shelf:
        """Return a tenant's shelf, counted as used once more."""
        if tenant not in self._open:
            async with self._turn:
                if tenant not in self._open:
                    await self._close_idle()
                    self._open[tenant] = await self._opened(tenant)
        self._open.move_to_end(tenant)
        self._users[tenant] += 1
        return self._open[tenant]

    async def _close_idle(self) -> None:
        """Make room for one more."""
        idle = [tenant for tenant in self._open if not self._users[tenant]]
        for tenant in idle[: max(0, len(self._open) + 1 - self._most_open)]:
            del self._users[tenant]
            await self._closed(self._open.pop(tenant))

    async def _opened(self, tenant: str) -> Shelf:
        """Open or make a tenant's library, with the owner's settings and model."""
        encoder = await self._owner.desk.ask(lambda library: library.encoder())
        library = await anyio.to_thread.run_sync(self._library, tenant, encoder)
        return self._shelf(tenant, library)

    def _library(self, tenant: str, encoder: Encoder) -> Library:
        folder = tenant_folder(self._owner.library.folder, tenant)
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        library = Library(folder, settings=self._owner.library.settings, encoder=encoder)
        if not (folder / "library.json").exists():
            library.add_documents(())  # so that it can be searched before anything is in it
        return library

    def _shelf(self, tenant: str, library: Library, crew: Crew | None = None) -> Shelf:
        return Shelf(tenant, library, Desk(library, crew=crew), RecentQueries())

    async def _closed(self, shelf: Shelf) -> None:
        await anyio.to_thread.run_sync(shelf.library.close)


def shelf_of(request: Request) -> Shelf:
    """Return what a request's caller sees, as the guard found out."""
    shelf = request.state.shelf
    assert isinstance(shelf, Shelf)
    return shelf


def tenant_folder(folder: Path, tenant: str) -> Path:
    """Return a tenant's `.plait` folder.

    Args:
        folder: the owner's `.plait`.

    Raises:
        InputError: the tenant's name is none.
    """
    return folder / TENANTS / tenant_named(tenant) / NAME


def tenants(folder: Path) -> list[str]:
    """Return the tenants that have a library.

    Args:
        folder: the owner's `.plait`.
    """
    return sorted(file.parent.parent.name for file in (folder / TENANTS).glob(f"*/{NAME}/library.json"))
