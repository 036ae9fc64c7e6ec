"""Bodies of requests into what the library takes: JSON or multipart, pictures as bytes only.

A picture named by a path is refused: the service would open files for whoever may ask it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio.to_thread
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from plait.errors import InputError, QueryError
from plait.schema import Filter, SearchRequest
from plait.serve.models.requests import MAX_PARTS, ExplainForm, Filters, Form, SearchForm, SimilarForm

F = TypeVar("F", bound=Form)

_JSON, _MULTIPART = "application/json", "multipart/form-data"
_SIMPLE_FIELDS = frozenset({"text", "image", "filters", "k", "method", "lane", "kind"})
_SHOWN = 200  # characters of what was seen that a refusal repeats
_LARGE = 200_000  # bytes; a larger body is read in a thread, so that the loop stays free meanwhile
_FILTERS: TypeAdapter[Any] = TypeAdapter(Filters)


async def read_json(request: Request, form: type[F]) -> F:
    """Return the body of a request that takes JSON alone.

    Raises:
        InputError: it is not JSON of that form.
    """
    if _kind(request) != _JSON:
        raise InputError(f"send {_JSON}, not {_kind(request) or 'an unnamed type'}")
    return await _checked(form, await request.body())


async def read_search(request: Request) -> SearchRequest:
    """Return what a request to /search or /answer asks.

    JSON is a search request's own form. Multipart has it in the field "request", where an image may be
    {"upload": 0}, the first file of the fields "image"; or it has simple fields: text and image (each may
    repeat), filters (JSON), k, kind, method and lane (may repeat).

    Raises:
        InputError: it is none of them, or names a picture by its path.
    """
    if _kind(request) == _JSON:
        return search_request(await _checked(SearchForm, await request.body()))
    async with _multipart(request) as form:
        if "request" in form:
            texts, images = await _fields(form, {"request", "image"})
            return search_request(await _checked(SearchForm, _only(texts, "request").encode()), images)
        return await _simple(form)


async def read_explain(request: Request) -> tuple[SearchRequest, str]:
    """Return the request and the id of the hit that a request to /explain asks about.

    JSON is {"request": ..., "id": ...}; multipart has the fields request, id and image.

    Raises:
        InputError: as in `read_search`.
    """
    if _kind(request) == _JSON:
        explain = await _checked(ExplainForm, await request.body())
        return search_request(explain.request), explain.id
    async with _multipart(request) as form:
        texts, images = await _fields(form, {"request", "image", "id"})
        values = {"request": _parsed(_only(texts, "request"), "request"), "id": _only(texts, "id")}
        explain = _valid(ExplainForm, values)
        return search_request(explain.request, images), explain.id


def similar_request(form: SimilarForm) -> SearchRequest:
    """Return the request for what is like a hit."""
    options = form.model_dump(exclude_unset=True, exclude={"id", "filters"})
    query = {"like": [form.id], "filters": [one.model_dump() for one in form.filters]}
    return SearchRequest.from_dict({**options, "query": query})


def search_request(form: SearchForm, uploads: Sequence[bytes] = ()) -> SearchRequest:
    """Return the request that a checked form means.

    Args:
        uploads: files that came beside it; each must be named by an image.

    Raises:
        QueryError: what `Query` refuses, or files and images that do not fit each other.
    """
    values = form.model_dump(exclude_unset=True)
    images = values["query"].get("images", [])
    named = [image["upload"] for image in images if "upload" in image]
    if sorted(named) != list(range(len(uploads))):
        raise QueryError(
            f"{len(uploads)} files were sent in the fields 'image', and the request names {named or 'none'}: "
            'name each once, counted from 0, as {"upload": 0}'
        )
    values["query"]["images"] = [uploads[i["upload"]] if "upload" in i else i for i in images]
    return SearchRequest.from_dict(values)


def read_filters(text: str) -> tuple[Filter, ...]:
    """Return the filters of a JSON list.

    Raises:
        InputError: it is none.
    """
    try:
        checked = _FILTERS.validate_python(_parsed(text, "filters"))
    except ValidationError as error:
        raise InputError(f"filters: {said_of(error.errors(include_url=False))}") from error
    return filters_of(checked)


def filters_of(forms: Sequence[Form]) -> tuple[Filter, ...]:
    """Return what checked filters mean."""
    every = [form.model_dump() for form in forms]
    return tuple(
        Filter(**{**one, "value": tuple(one["value"]) if isinstance(one["value"], list) else one["value"]})
        for one in every
    )


async def known_only(request: Request) -> None:
    """Refuse what the address of a request asks beside what its route takes; a mistyped filter would count
    for nothing.

    It waits for nothing: FastAPI would call a plain function in a thread, at the cost of two wake-ups.

    Raises:
        InputError: naming it.
    """
    if not request.scope["query_string"]:
        return
    known = [parameter.alias for parameter in request.scope["route"].dependant.query_params]
    if unknown := sorted(set(request.query_params) - set(known)):
        said = f"use {', '.join(known)}" if known else "this address takes none"
        raise InputError(f"unknown parameter {unknown[0][:_SHOWN]!r}: {said}")


def said_of(errors: Sequence[Any]) -> str:
    """Return the first of what pydantic found wrong, in words: where, what was expected, what was seen."""
    first: Mapping[str, Any] = errors[0]
    place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in first["loc"]).lstrip(".")
    if first["type"] == "extra_forbidden":
        return f"unknown key {place!r}"[:_SHOWN] + ": /openapi.json names those there are"
    if first["type"] == "missing":
        return f"{place} is missing"
    if first["type"] == "json_invalid":
        return f"the body is not valid JSON: {first['ctx']['error']}"
    said = str(first["msg"]).replace("Input should", "it should")
    seen = repr(first["input"])
    cut = seen if len(seen) <= _SHOWN else f"{seen[:_SHOWN]}..."
    return f"{place[:_SHOWN] or 'the body'}: {said}; got {cut}"


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _checked(form: type[F], body: bytes) -> F:
    if len(body) > _LARGE:
        return await anyio.to_thread.run_sync(_valid_json, form, body)
    return _valid_json(form, body)


def _valid_json(form: type[F], body: bytes) -> F:
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise InputError(said_of(error.errors(include_url=False))) from error


def _valid(form: type[F], values: Mapping[str, Any]) -> F:
    try:
        return form.model_validate(values)
    except ValidationError as error:
        raise InputError(said_of(error.errors(include_url=False))) from error


@asynccontextmanager
async def _multipart(request: Request) -> AsyncIterator[FormData]:
    if _kind(request) != _MULTIPART:
        raise InputError(f"send {_JSON} or {_MULTIPART}, not {_kind(request) or 'an unnamed type'}")
    try:
        async with request.form(max_files=MAX_PARTS, max_fields=4 * MAX_PARTS) as form:
            yield form
    except MultiPartException as error:
        raise InputError(f"the form cannot be read: {error.message}") from error


async def _fields(
    form: FormData, known: set[str] | frozenset[str]
) -> tuple[dict[str, list[str]], list[bytes]]:
    """Return the texts of each field, and the bytes of the files in the fields "image", in order."""
    if unknown := sorted(set(form) - known):
        raise InputError(f"unknown field {unknown[0][:_SHOWN]!r}: use {', '.join(sorted(known))}")
    texts: dict[str, list[str]] = {name: [] for name in known}
    images = []
    for name, value in form.multi_items():
        if (name == "image") != isinstance(value, UploadFile):
            raise InputError(
                "field image must be a file; pictures are sent, never named by a path"
                if name == "image"
                else f"field {name} must be text, not a file"
            )
        if isinstance(value, UploadFile):
            images.append(await value.read())
        else:
            texts[name].append(value)
    return texts, images


async def _simple(form: FormData) -> SearchRequest:
    texts, images = await _fields(form, _SIMPLE_FIELDS)
    sent = [image for image in images if image]  # a browser sends an empty file where none was chosen
    values: dict[str, Any] = {
        "query": {
            "texts": texts["text"],
            "images": [{"upload": place} for place in range(len(sent))],
            "filters": [one for text in texts["filters"] for one in _listed(text)],
        }
    }
    for name in ("k", "method", "kind"):
        if texts[name]:
            values[name] = _only(texts, name)
    if texts["lane"]:
        values["lanes"] = texts["lane"]
    if "k" in values:
        values["k"] = _whole(values["k"])
    return search_request(_valid(SearchForm, values), sent)


def _only(texts: Mapping[str, Sequence[str]], name: str) -> str:
    if len(texts[name]) != 1:
        raise InputError(f"give field {name} once, got it {len(texts[name])} times")
    return texts[name][0]


def _listed(text: str) -> list[Any]:
    values = _parsed(text, "filters")
    if not isinstance(values, list):
        raise InputError("field filters must be a JSON list")
    return values


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} must be valid JSON, got {text[:_SHOWN]!r}") from error


def _whole(text: str) -> int | str:
    """Return a whole number of at most six digits, or else the text, which is then refused as none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else text
