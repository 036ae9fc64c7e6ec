"""The tools search and similar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plait.errors import QueryError, ReadError
from plait.library import Library
from plait.schema import Hit, Hits, SearchRequest
from plait.serve.mcp.answers import Answer, said_of
from plait.serve.mcp.forms import SearchForm, SimilarForm
from plait.serve.mcp.pictures import SMALL_PX, shown

_SIMPLE = ("text", "image_path", "image_base64", "filters")


def search(library: Library, form: SearchForm) -> Answer:
    """Find places by words, by a picture, or by a whole query.

    Raises:
        QueryError: nothing is asked, two pictures are given, or a query beside simple fields.
    """
    values = form.model_dump(exclude_unset=True, exclude={*_SIMPLE, "pictures", "query"})
    request = SearchRequest.from_dict({**values, "query": _query(form)})
    return _found(library, library.search(request), form.pictures)


def similar(library: Library, form: SimilarForm) -> Answer:
    """Find what is like a hit.

    Raises:
        QueryError: nothing is stored under the id.
    """
    values = form.model_dump(exclude_unset=True, exclude={"id", "filters", "pictures"})
    query = {"like": [form.id], "filters": [one.model_dump() for one in form.filters]}
    hits = library.search(SearchRequest.from_dict({**values, "query": query}))
    return _found(library, hits, form.pictures)


def _query(form: SearchForm) -> dict[str, Any]:
    given = [name for name in _SIMPLE if getattr(form, name)]
    if form.query is not None:
        if given:
            raise QueryError(f"give {given[0]} inside query, or leave query out")
        return form.query.model_dump(exclude_unset=True)
    if form.image_path and form.image_base64:
        raise QueryError("give image_path or image_base64, not both")
    images = [{"path": form.image_path}] if form.image_path else []
    images += [{"base64": form.image_base64}] if form.image_base64 else []
    filters = [one.model_dump() for one in form.filters]
    return {"texts": [form.text], "images": images, "filters": filters}


def _found(library: Library, hits: Hits, pictures: int) -> Answer:
    said = []
    for hit, path in _shown_of(hits, pictures):
        try:
            picture = shown(path, longest_px=SMALL_PX, max_pixels=library.settings.max_pixels)
        except ReadError:  # removed meanwhile: the words stand without it
            continue
        what = ", ".join(words for words in (hit.title, hit.caption or hit.place) if words)
        said.append((f"Picture of hit {hit.rank}: {what}", picture))
    return Answer(said_of(hits), hits.to_dict(), said)


def _shown_of(hits: Hits, count: int) -> Iterator[tuple[Hit, str]]:
    """Yield the first hits that have a picture of their own: the figure that matched, or else the page."""
    seen: set[str] = set()
    for hit in hits:
        path = hit.page_picture if hit.kind == "passage" else hit.picture or hit.page_picture
        if path and path not in seen and len(seen) < count:
            seen.add(path)
            yield hit, path
