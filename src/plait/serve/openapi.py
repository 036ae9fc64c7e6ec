"""The service's own description, as OpenAPI 3.1: every route, request, reply and refusal."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

import plait
from plait.serve.models import requests as forms
from plait.serve.models.described import reference
from plait.serve.models.operations import GUARDED, OPEN, problems
from plait.serve.models.replies import replies

_FORMS = (
    forms.SearchForm,
    forms.SimilarForm,
    forms.ExplainForm,
    forms.CountForm,
    forms.FacetsForm,
    forms.OpinionForm,
)
_ABOUT = """Search over documents that weave text and images.

Every request but those for the page and /health carries `Authorization: Bearer KEY`: the token that
`plait serve` prints, or a key that `plait keys add` made. What is refused is answered with a problem
document (RFC 9457)."""
_TAGS = [
    {"name": "searching", "description": "Ask with words, pictures and stored parts."},
    {"name": "counting", "description": "Exact numbers."},
    {"name": "documents", "description": "Add, list and remove."},
    {"name": "reading", "description": "Look at what was found."},
    {"name": "service", "description": "How the service is."},
]


def add_openapi(app: FastAPI) -> None:
    """Let an app describe itself, once all its routes are there; the description is made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _described(app: FastAPI) -> dict[str, Any]:
    told = get_openapi(
        title="plait", version=plait.__version__, description=_ABOUT, routes=app.routes, tags=_TAGS
    )
    _, models = models_json_schema(
        [(form, "validation") for form in _FORMS], ref_template=reference("{model}")["$ref"]
    )
    components = told.setdefault("components", {})
    components["schemas"] = {**models["$defs"], **replies()}
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    told["security"] = [{"key": []}]
    for operations in told["paths"].values():
        for operation in operations.values():
            _complete(operation)
    return told


def _complete(operation: dict[str, Any]) -> None:
    """Add the refusals that every route may give, and take away the form of FastAPI's, which none gives."""
    replies = operation["responses"]
    if "HTTPValidationError" in str(replies.get("422")):
        del replies["422"]
    is_open = operation.get("security") == []
    for status, reply in problems(*(OPEN if is_open else GUARDED)).items():
        replies.setdefault(str(status), reply)
    operation["responses"] = dict(sorted(replies.items()))
