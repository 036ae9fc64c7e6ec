"""How a route is told at /openapi.json: what it takes, what it answers, what it refuses."""

from __future__ import annotations

from typing import Any

from plait.serve.models.described import Schema, reference

Responses = dict[int | str, dict[str, Any]]

_PROBLEM = {"application/problem+json": {"schema": reference("Problem")}}
_WHY = {
    400: "The request cannot be used; the detail says why.",
    401: "No key, or a wrong one.",
    403: "The key has no right to this, or the request comes from another web page.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    409: "It cannot be done now.",
    413: "The body is larger than this address takes.",
    421: "The service does not answer to the name in the header Host.",
    422: "None of the files could be added.",
    429: "Too many requests; Retry-After says when to come again.",
    500: "Something went wrong here; the service's log says what.",
    501: "The service lacks an optional package; the detail names it.",
    502: "The model that writes answers failed.",
    503: "Busy, or the library is being written to; Retry-After says when to come again.",
    507: "The disk is full.",
}
GUARDED = (401, 403, 408, 413, 421, 429, 500, 503)  # the guard's, before any route
OPEN = (400, 408, 413, 421, 429, 500, 503)


def answers(name: str, *refusals: int, status: int = 200) -> Responses:
    """Return the replies of a route.

    Args:
        name: of the schema of its answer.
        refusals: statuses of problems that are its own.
    """
    content = {"application/json": {"schema": reference(name)}}
    return {status: {"description": "As asked.", "content": content}, **problems(*refusals)}


def pictures() -> Responses:
    """Return the replies of a route that shows a picture."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    shown = {"description": "The picture.", "content": {"image/png": binary, "image/jpeg": binary}}
    return {200: shown, **problems(400, 404)}


def problems(*statuses: int) -> Responses:
    """Return the replies of refusals."""
    return {status: {"description": _WHY[status], "content": _PROBLEM} for status in statuses}


def takes(name: str, form: Schema | None = None) -> dict[str, Any]:
    """Return what a route takes in its body: JSON of a schema, or else a multipart form."""
    content: dict[str, Any] = {"application/json": {"schema": reference(name)}}
    if form is not None:
        content["multipart/form-data"] = {"schema": form}
    return {"requestBody": {"required": True, "content": content}}


def takes_files(most: int) -> dict[str, Any]:
    """Return what a route takes that is sent files, so many at most."""
    file = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "properties": {"file": {"type": "array", "items": file, "minItems": 1, "maxItems": most}},
        "required": ["file"],
        "additionalProperties": False,
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}
