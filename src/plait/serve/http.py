"""The HTTP service over one library, put together: routes, what stands before them, and their description.

What each address takes and answers is in `routes`, and complete at /openapi.json. Every answer but the
page's files and /health needs a key. Errors are problem documents (refusals.py).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI

from plait.errors import PlaitError
from plait.library import Library
from plait.serve.attending import Attending
from plait.serve.audit import Audit
from plait.serve.crew import Crew
from plait.serve.feedback import check_setting
from plait.serve.forms import known_only
from plait.serve.guard import Guard
from plait.serve.jobs import Workshop
from plait.serve.keys import Keys
from plait.serve.limits import Limits
from plait.serve.metrics import Measuring, Metrics
from plait.serve.openapi import add_openapi
from plait.serve.problems import add_problems
from plait.serve.routes import counting, documents, explaining, health, jobs, pages, searching, units
from plait.serve.routes.house import House
from plait.serve.shelves import Shelves

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LIMITS = Limits()

_log = logging.getLogger("plait.serve")


def create_app(
    library: Library,
    *,
    token: str | None,
    hosts: Collection[str] = LOOPBACK,
    limits: Limits = _LIMITS,
    workshop: Workshop | None = None,
    keys: bool = True,
    audit: bool = True,
    crew: Crew | None = None,
) -> FastAPI:
    """Return the service over an open library, which whoever opened it closes after the service has ended.

    Run it with its lifespan on: at the start what was sent earlier goes on being added, and at the end all
    that the service opened is closed.

    Args:
        token: what the library's owner sends as a bearer token; None asks nobody for a key, for an app that
            is mounted behind a login of its own.
        hosts: names, without port, under which callers may address the service.
        limits: how much, how often and how long; see `Limits`.
        workshop: adds what is sent; None makes one, whose worker is a process of its own. A library with
            an encoder object of its own takes `Workshop(InProcess(encoder))`.
        keys: let the keys of the library's folder in beside the token.
        audit: note requests in the library's folder.
        crew: processes that search the library, started and ended with the service; None searches in this
            one, which for large libraries keeps one processor busy and no more.

    Raises:
        InputError: the library's setting `feedback` is none that there is.
    """
    check_setting(library.settings.feedback)
    metrics = Metrics()
    house = House(workshop or Workshop(), metrics, limits)
    shelves = Shelves(library, crew=crew)
    log = Audit(library.folder) if audit else None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(_resume, house.workshop, library)
        if crew is not None:
            crew.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_warm, shelves)
            yield
            tasks.cancel_scope.cancel()
        await anyio.to_thread.run_sync(house.workshop.stop)
        if crew is not None:
            crew.stop()
        await shelves.close()
        if log is not None:
            await anyio.to_thread.run_sync(log.close)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.workshop = house.workshop
    asked = _routers(house)
    for router in asked:
        app.include_router(router, dependencies=[Depends(known_only)])
    app.include_router(pages.routes())
    add_problems(app, [route for router in (*asked, pages.routes()) for route in router.routes])
    add_openapi(app)
    app.add_middleware(Attending)
    app.add_middleware(
        Guard,
        token=token,
        hosts=hosts,
        shelves=shelves,
        keys=Keys(library.folder) if keys else None,
        audit=log,
        limits=limits,
        pages=pages.PAGES,
        uploads={"/documents"},
    )
    app.add_middleware(Measuring, metrics=metrics)  # the last is the outermost
    return app


def _routers(house: House) -> list[APIRouter]:
    """Return the routes of all but the page."""
    return [
        searching.routes(house),
        explaining.routes(),
        counting.routes(),
        documents.routes(house),
        jobs.routes(house),
        units.routes(),
        health.routes(house),
    ]


def _resume(workshop: Workshop, library: Library) -> None:
    """Make a library that holds nothing searchable, and go on with what was sent to it and to its tenants."""
    if not (library.folder / "library.json").exists():
        library.add_documents(())
    workshop.resume(library)


async def _warm(shelves: Shelves) -> None:
    """Read the model and the library while the first who asks is still typing."""
    try:
        async with shelves.using("") as shelf:
            await shelf.desk.warm()
    except PlaitError as error:  # each search will say so too
        _log.error("the library cannot be searched: %s", error)
