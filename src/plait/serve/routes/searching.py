"""Asking: searches, what is like a hit, answers in words, and opinions about what was found."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from plait.schema import SearchRequest
from plait.serve.callers import allowed, concerns
from plait.serve.feedback import keep_opinion
from plait.serve.forms import read_json, read_search, similar_request
from plait.serve.models.multipart import SEARCH_FIELDS
from plait.serve.models.operations import answers, takes
from plait.serve.models.requests import MAX_ANSWER_HITS, OpinionForm, SimilarForm
from plait.serve.routes.house import House
from plait.serve.shelves import shelf_of
from plait.serve.showing import shown_answer, shown_hits


def routes(house: House) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["searching"])

    async def found(request: Request, asked: SearchRequest) -> JSONResponse:
        shelf = shelf_of(request)
        start = time.perf_counter()
        with house.metrics.searching():
            hits = await shelf.desk.search(asked)
        seconds = round(time.perf_counter() - start, 4)
        return JSONResponse(
            {**shown_hits(hits), "seconds": seconds, "query_id": shelf.recent.remember(asked.query)}
        )

    @router.post("/search", responses=answers("Found", 400), openapi_extra=takes("SearchForm", SEARCH_FIELDS))
    async def search(request: Request) -> JSONResponse:
        """Find what texts, images and stored parts ask for. Right: search."""
        allowed(request, "search")
        return await found(request, await read_search(request))

    @router.post("/similar", responses=answers("Found", 400), openapi_extra=takes("SimilarForm"))
    async def similar(request: Request) -> JSONResponse:
        """Find more like a hit. Right: search."""
        allowed(request, "search")
        form = await read_json(request, SimilarForm)
        concerns(request, form.id)
        return await found(request, similar_request(form))

    @router.post(
        "/answer",
        responses=answers("Answer", 400, 501, 502),
        openapi_extra=takes("SearchForm", SEARCH_FIELDS),
    )
    async def answer(request: Request) -> JSONResponse:
        """Answer a question from the best hits, every sentence with its source. Right: search.

        Only the query and k (at most 20) count.
        """
        allowed(request, "search")
        asked = await read_search(request)
        k = min(asked.k, MAX_ANSWER_HITS)
        with house.metrics.searching():
            said = await shelf_of(request).desk.answer(asked.query, k=k)
        return JSONResponse(shown_answer(said))

    @router.post("/feedback", responses=answers("Kept", 400, 404), openapi_extra=takes("OpinionForm"))
    async def feedback(request: Request) -> dict[str, Any]:
        """Keep what somebody says of a hit. Right: search."""
        allowed(request, "search")
        shelf = shelf_of(request)
        opinion = await read_json(request, OpinionForm)
        concerns(request, opinion.unit)
        kept = await shelf.desk.ask(lambda library: keep_opinion(library, opinion, shelf.recent))
        return {"kept": kept}

    return router
