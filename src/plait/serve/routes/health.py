"""How the service is: whether it answers, what it holds and has done, and what it can be asked."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from plait.serve.callers import Caller, allowed, caller_of
from plait.serve.jobs import JobState
from plait.serve.limits import Limits
from plait.serve.metrics import MEDIA_TYPE
from plait.serve.models import requests as most
from plait.serve.models.operations import Responses, answers
from plait.serve.refusals import Refusal
from plait.serve.routes.house import House
from plait.serve.shelves import shelf_of

_COUNTERS: Responses = {
    200: {"description": "As asked.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


def routes(house: House) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["service"])

    @router.get("/health", responses=answers("Health"), openapi_extra={"security": []})
    async def health() -> dict[str, bool]:
        """Say that the service answers; needs no key."""
        return {"ok": True}

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> JSONResponse:
        """Describe the service, which is the same for every key."""
        return JSONResponse(request.app.openapi())

    @router.get("/metrics", responses=_COUNTERS, response_class=Response)
    async def metrics(request: Request) -> Response:
        """Return counters in Prometheus' text form. Right: admin, with the owner's own library."""
        if allowed(request, "admin").tenant:
            raise Refusal(403, "Forbidden", "metrics are of all that the service does: ask its owner")
        units, documents = await shelf_of(request).desk.ask(lambda library: library.count())
        text = house.metrics.text(documents=documents, units=units, jobs=await _counts(house, request))
        return Response(text, media_type=MEDIA_TYPE)

    @router.get("/status", responses=answers("LibraryStatus"))
    async def status(request: Request) -> JSONResponse:
        """Say what the library holds, and what this key may do. Right: search."""
        caller = allowed(request, "search")
        shelf = shelf_of(request)
        held = (await shelf.desk.ask(lambda library: library.status())).to_dict()
        settings = shelf.library.settings
        return JSONResponse(
            {
                **held,
                "folder": held["folder"] if "admin" in caller.rights else "",
                "jobs": await _counts(house, request),
                "feedback": settings.feedback,
                "answers": "written" if settings.llm_url else "quoted",
                "caller": _caller(caller_of(request)),
                "limits": _limits(house.limits),
            }
        )

    return router


async def _counts(house: House, request: Request) -> dict[JobState, int]:
    return await anyio.to_thread.run_sync((await house.jobs(request)).counts)


def _caller(caller: Caller) -> dict[str, Any]:
    return {"name": caller.name, "tenant": caller.tenant, "rights": sorted(caller.rights)}


def _limits(limits: Limits) -> dict[str, int]:
    return {
        "query_mb": limits.query_mb,
        "upload_mb": limits.upload_mb,
        "hits": most.MAX_HITS,
        "depth": most.MAX_DEPTH,
        "parts": most.MAX_PARTS,
        "characters": most.MAX_CHARACTERS,
        "filters": most.MAX_FILTERS,
        "facets": most.MAX_FACETS,
    }
