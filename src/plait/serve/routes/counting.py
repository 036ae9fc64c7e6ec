"""Exact numbers: how much the filters let through, which values fields have, which fields there are."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from plait.serve.callers import allowed
from plait.serve.forms import filters_of, read_json
from plait.serve.models.operations import answers, takes
from plait.serve.models.requests import CountForm, FacetsForm
from plait.serve.shelves import shelf_of


def routes() -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["counting"])

    @router.post("/count", responses=answers("Counted", 400), openapi_extra=takes("CountForm"))
    async def count(request: Request) -> JSONResponse:
        """Count the documents and units that filters let through. Right: search."""
        allowed(request, "search")
        filters = filters_of((await read_json(request, CountForm)).filters)
        units, documents = await shelf_of(request).desk.ask(lambda library: library.count(filters))
        return JSONResponse({"documents": documents, "units": units})

    @router.post("/facets", responses=answers("Facets", 400), openapi_extra=takes("FacetsForm"))
    async def facets(request: Request) -> JSONResponse:
        """Count the values of fields among what filters on other fields let through. Right: search."""
        allowed(request, "search")
        form = await read_json(request, FacetsForm)
        filters, names = filters_of(form.filters), tuple(form.fields)
        counted = await shelf_of(request).desk.ask(lambda library: library.facets(names, filters))
        return JSONResponse({"facets": [asdict(facet) for facet in counted]})

    @router.get("/fields", responses=answers("Fields"))
    async def fields(request: Request) -> JSONResponse:
        """Name the fields that filters and facets may use, with what they hold. Right: search."""
        allowed(request, "search")
        every = await shelf_of(request).desk.ask(lambda library: library.fields())
        return JSONResponse({"fields": [asdict(one) for one in every]})

    return router
