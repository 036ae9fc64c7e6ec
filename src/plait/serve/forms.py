"""Requests into queries: JSON or multipart, pictures as bytes only.

A picture named by a path is refused: the service would open files for whoever may ask it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from plait.errors import QueryError
from plait.schema import Query
from plait.search.fusion import Method

MAX_HITS = 200
_MAX_PARTS = 16
_MAX_CHARACTERS = 20_000
_OPTIONS = frozenset({"query", "k", "method", "lanes"})
_FORM_FIELDS = frozenset({"text", "image", "filters", "k", "method", "lane"})


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A query and how to rank for it; the options are those of `Library.search`."""

    query: Query
    k: int = 10
    method: Method | None = None
    lanes: tuple[str, ...] | None = None


async def read_search(request: Request) -> SearchRequest:
    """Return what a request to /search or /answer asks.

    JSON: {"query": {"texts": [...], "images": [{"base64": ...}], "filters": [...]}, "k": 10}.
    Multipart: fields text and image (each may repeat), filters (JSON), k, method, lane.

    Raises:
        QueryError: it is neither, or names a picture by its path.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return _from_json(await request.body())
    if kind == "multipart/form-data":
        try:
            async with request.form(max_files=_MAX_PARTS, max_fields=4 * _MAX_PARTS) as form:
                return await _from_form(form)
        except MultiPartException as error:
            raise QueryError(f"the form cannot be read: {error.message}") from error
    raise QueryError(f"send application/json or multipart/form-data, not {kind or 'an unnamed type'}")


def _from_json(body: bytes) -> SearchRequest:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise QueryError("the body is not valid JSON") from error
    if not isinstance(values, dict) or not isinstance(values.get("query"), dict):
        raise QueryError('the body must be an object such as {"query": {"texts": ["..."]}, "k": 10}')
    if unknown := set(values) - _OPTIONS:
        raise QueryError(f"unknown key {sorted(unknown)[0]!r}: use {', '.join(sorted(_OPTIONS))}")
    return SearchRequest(
        query=_query(values["query"]),
        k=_count(values.get("k", 10)),
        method=_method(values.get("method")),
        lanes=_lanes(values.get("lanes")),
    )


async def _from_form(form: FormData) -> SearchRequest:
    if unknown := set(form) - _FORM_FIELDS:
        raise QueryError(f"unknown field {sorted(unknown)[0]!r}: use {', '.join(sorted(_FORM_FIELDS))}")
    uploads = form.getlist("image")
    if not all(isinstance(upload, UploadFile) for upload in uploads):
        raise QueryError("field image must be a file; pictures are sent, never named by a path")
    images = [await upload.read() for upload in uploads if isinstance(upload, UploadFile)]
    words = {name: [v for v in form.getlist(name) if isinstance(v, str)] for name in _FORM_FIELDS}
    try:
        filters = [f for text in words["filters"] for f in json.loads(text)]
    except (ValueError, TypeError, RecursionError) as error:
        raise QueryError("field filters must be a JSON list") from error
    query = _query({"texts": words["text"], "filters": filters}, images=[i for i in images if i])
    method = _method(words["method"][0] if words["method"] else None)
    return SearchRequest(query, _count((words["k"] or ["10"])[0]), method, _lanes(words["lane"] or None))


def _query(values: Mapping[str, Any], images: Sequence[bytes] = ()) -> Query:
    """Return a query from JSON values, and from pictures that came beside them.

    Every type is checked before the values reach `Query.from_dict`: it serves trusted callers too,
    and would take a bare string for a path.
    """
    for name in ("texts", "images", "filters", "text_weights", "image_weights"):
        value = values.get(name, [])
        if not isinstance(value, list) or len(value) > _MAX_PARTS:
            raise QueryError(f"{name} must be a list of at most {_MAX_PARTS}")
    if not all(isinstance(text, str) and len(text) <= _MAX_CHARACTERS for text in values.get("texts", [])):
        raise QueryError(f"texts must be a list of strings of at most {_MAX_CHARACTERS:,} characters")
    for image in values.get("images", []):
        if not (isinstance(image, dict) and set(image) == {"base64"} and isinstance(image["base64"], str)):
            raise QueryError('an image must be {"base64": ...}; pictures are sent, never named by a path')
    if not all(_is_filter(condition) for condition in values.get("filters", [])):
        raise QueryError('a filter must be {"field": ..., "operator": ..., "value": ...} with plain values')
    for name in ("text_weights", "image_weights"):
        if not all(_is_number(weight) for weight in values.get(name, [])):
            raise QueryError(f"{name} must be a list of numbers")
    return Query.from_dict({**values, "images": [*values.get("images", []), *images]})


def _is_filter(value: object) -> bool:
    if not (isinstance(value, dict) and {"field", "value"} <= set(value) <= {"field", "operator", "value"}):
        return False
    wanted = value["value"] if isinstance(value["value"], list) else [value["value"]]
    return isinstance(value["field"], str) and all(isinstance(v, str | int | float | bool) for v in wanted)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: object) -> int:
    try:
        count = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else 0
    except ValueError:
        count = 0
    if not 1 <= count <= MAX_HITS:
        raise QueryError(f"k must be a whole number from 1 to {MAX_HITS}")
    return count


def _method(value: object) -> Method | None:
    if value is None:
        return None
    known: tuple[Method, ...] = get_args(Method)
    for method in known:
        if value == method:
            return method
    raise QueryError(f"method must be one of {', '.join(known)}")


def _lanes(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(lane, str) for lane in value):
        raise QueryError("lanes must be a list of strings")
    return tuple(value)
