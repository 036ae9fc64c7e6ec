"""Why a hit was found."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from plait.serve.callers import allowed, concerns
from plait.serve.forms import read_explain
from plait.serve.models.multipart import EXPLAIN_FIELDS
from plait.serve.models.operations import answers, takes
from plait.serve.shelves import shelf_of
from plait.serve.showing import shown_explanation


def routes() -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["searching"])

    @router.post(
        "/explain", responses=answers("Explanation", 400), openapi_extra=takes("ExplainForm", EXPLAIN_FIELDS)
    )
    async def explain(request: Request) -> JSONResponse:
        """Say why a hit of a request was found. Right: search."""
        allowed(request, "search")
        asked, hit_id = await read_explain(request)
        concerns(request, hit_id)
        said = await shelf_of(request).desk.explain(asked, hit_id)
        return JSONResponse(shown_explanation(said))

    return router
