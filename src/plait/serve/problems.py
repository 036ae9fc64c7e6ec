"""What goes wrong on purpose, as problem documents."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from plait.errors import (
    GenerateError,
    InputError,
    LibraryError,
    LibraryLockedError,
    MissingExtraError,
    PlaitError,
)
from plait.serve.forms import said_of
from plait.serve.refusals import MEDIA_TYPE, Refusal

_KINDS = {404: "NotFound", 405: "MethodNotAllowed"}
_LOCKED_SECONDS = "5"  # a batch of an ingest is stored in about that


def add_problems(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer refusals, errors that plait raises, and what FastAPI refuses with problem documents.

    Args:
        routes: of the app.
    """

    @app.exception_handler(Refusal)
    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return Response(error.body(), error.status, media_type=MEDIA_TYPE, headers=error.headers)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        said = str(error.detail)
        if error.status_code == 404:
            said = "there is nothing at this address"
        elif error.status_code == 405:
            headers["Allow"] = _methods(routes, request)
            said = f"this address takes {headers['Allow']}, not {request.method}"
        kind = _KINDS.get(error.status_code, "BadRequest")
        return await refused(request, Refusal(error.status_code, kind, said, headers=headers))

    @app.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return await refused(request, Refusal(400, "InputError", said_of(error.errors())))

    @app.exception_handler(PlaitError)
    async def on_purpose(request: Request, error: Exception) -> Response:
        assert isinstance(error, PlaitError)
        return await refused(request, _refusal(error))


def _refusal(error: PlaitError) -> Refusal:
    statuses: tuple[tuple[type[PlaitError], int], ...] = (
        (InputError, 400),
        (LibraryLockedError, 503),
        (LibraryError, 500),
        (MissingExtraError, 501),
        (GenerateError, 502),
    )
    status = next((status for kind, status in statuses if isinstance(error, kind)), 500)
    headers = {"Retry-After": _LOCKED_SECONDS} if status == 503 else {}
    return Refusal(status, type(error).__name__, str(error), headers=headers)


def _methods(routes: Sequence[BaseRoute], request: Request) -> str:
    """Return the methods that an address takes; Starlette names those of its first route alone."""
    there = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in there for method in getattr(route, "methods", None) or ()}
    return ", ".join(sorted(methods))
