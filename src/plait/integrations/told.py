"""What every framework is told of a hit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from plait.library import Library
from plait.schema import Hit, SearchRequest
from plait.schema.queries import Image


def opened(library: Library | str | Path) -> Library:
    """Return the library, or the one in a folder.

    Raises:
        NoLibraryError: there is none.
    """
    return library if isinstance(library, Library) else Library(library, create=False)


def asked(
    text: str = "",
    images: tuple[Image, ...] = (),
    *,
    k: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> SearchRequest:
    """Return a request of words, pictures or both.

    Args:
        k: how many hits; None takes that of the options.
        options: the rest of a request in its JSON form, as `SearchRequest.from_dict` takes it; its query may
            hold filters, and further texts and images.

    Raises:
        QueryError: nothing is asked, or an option that there is not.
    """
    values = dict(options or {})
    query = dict(values.pop("query", {}))
    for own, given in (("texts", (text,) if text.strip() else ()), ("images", images)):
        if given and query.get(own):
            query[f"{own[:-1]}_weights"] = [*[1.0] * len(given), *_weights(query, own)]
        query[own] = [*given, *query.get(own, ())]
    if images and query.get("image_boxes"):
        query["image_boxes"] = [*[None] * len(images), *query["image_boxes"]]
    if k is not None:
        values["k"] = k
    return SearchRequest.from_dict({**values, "query": query})


def words_of(hit: Hit) -> str:
    """Return what a reader of texts gets of a hit: its words, and the caption of its figure."""
    return "\n\n".join(dict.fromkeys(text for text in (hit.passage, hit.caption) if text)) or hit.title


def facts_of(hit: Hit) -> dict[str, Any]:
    """Return where a hit stands and why it was found, in plain values; without what it has not.

    The document's own metadata are under "metadata".
    """
    values = {
        "id": hit.id,
        "kind": hit.kind,
        "title": hit.title,
        "source": hit.source,
        "place": hit.place,
        "page": hit.page,
        "section": list(hit.section),
        "box": None if hit.box is None else asdict(hit.box),
        "picture": hit.picture,
        "caption": hit.caption,
        "page_picture": hit.page_picture,
        "document_id": hit.document_id,
        "rank": hit.rank,
        "score": hit.score,
        "confidence": hit.confidence,
        "lanes": dict(hit.lanes),
        "folded": list(hit.folded),
        "metadata": dict(hit.metadata),
    }
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _weights(query: Mapping[str, Any], own: str) -> list[float]:
    given = list(query.get(f"{own[:-1]}_weights", ()))
    return given or [1.0] * len(query[own])
