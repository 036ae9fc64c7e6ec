"""Documents of a library a page at a time, read without reading all of them."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from plait.errors import InputError
from plait.index.base import Snapshot, StoredDocument
from plait.schema import Filter, Unit

if TYPE_CHECKING:
    from plait.library.library import Library

_Key = tuple[str, str]  # source and id: the order of documents


@dataclass(frozen=True, slots=True)
class Listing:
    """Some documents in their order, by source and then id.

    Attributes:
        documents: of this page.
        total: how many there are on all pages.
        next: asks for the page after; "" on the last. It stays good while documents come and go.
    """

    documents: tuple[StoredDocument, ...]
    total: int
    next: str = ""


@dataclass(frozen=True, slots=True)
class Neighboured:
    """A unit, and what stands around it.

    Attributes:
        unit: its pictures with paths as they are stored.
        document: which it is of.
        previous, next: ids of the units before and after; "" at an end of the document.
    """

    unit: Unit
    document: StoredDocument
    previous: str
    next: str


def listed(library: Library, *, after: str = "", limit: int = 50, filters: Sequence[Filter] = ()) -> Listing:
    """Return a page of the documents that have a unit which the filters let through.

    Args:
        after: `Listing.next` of the page before; "" for the first.
        limit: documents on the page, at least 1.

    Raises:
        InputError: `after` is none that was given.
        QueryError: a filter that cannot be meant, or on a field that no document has.
    """
    snapshot = library.snapshot()
    rows = snapshot.documents_of()
    ids = [*rows]
    mask = snapshot.mask(filters)
    if mask is not None:
        ids = [ids[owner] for owner in np.unique(snapshot.owners[mask])]
    key = partial(_key, library, snapshot, rows)
    first = bisect_right(ids, _read(after), key=key) if after else 0
    shown = tuple(_stored(library, snapshot, rows, id) for id in ids[first : first + limit])
    last = first + len(shown) >= len(ids)
    return Listing(shown, len(ids), "" if last else _written(shown[-1]))


def document_of(library: Library, document_id: str) -> StoredDocument | None:
    """Return what is known of one document; None if there is none of that id."""
    snapshot = library.snapshot()
    rows = snapshot.documents_of()
    return _stored(library, snapshot, rows, document_id) if document_id in rows else None


def unit_of(library: Library, unit_id: str) -> Neighboured | None:
    """Return a unit with what stands around it; None if there is none of that id. Reads three units."""
    snapshot = library.snapshot()
    document, _, ordinal = unit_id.rpartition(":")
    rows = snapshot.documents_of().get(document, ())
    if not (ordinal.isascii() and ordinal.isdecimal() and len(ordinal) <= 9):
        return None
    place = int(ordinal)
    found = _among(snapshot, rows[max(0, place - 1) : place + 2], unit_id, expected=min(place, 1))
    return found or _among(snapshot, rows, unit_id)  # a repair may have left out units before it


def _among(
    snapshot: Snapshot, rows: Sequence[int], unit_id: str, *, expected: int | None = None
) -> Neighboured | None:
    read = snapshot.units(rows)
    ids = [unit.id for unit, _ in read]
    if unit_id not in ids or expected not in (None, ids.index(unit_id)):
        return None
    at = ids.index(unit_id)
    return Neighboured(*read[at], previous="".join(ids[:at][-1:]), next="".join(ids[at + 1 :][:1]))


def _key(library: Library, snapshot: Snapshot, rows: Mapping[str, Sequence[int]], id: str) -> _Key:
    return _stored(library, snapshot, rows, id).source, id


def _stored(
    library: Library, snapshot: Snapshot, rows: Mapping[str, Sequence[int]], id: str
) -> StoredDocument:
    if rows[id]:
        return snapshot.units(rows[id][:1])[0][1]
    return next(document for document in library.documents() if document.id == id)  # holds no unit: rare


def _written(document: StoredDocument) -> str:
    key = json.dumps([document.source, document.id], ensure_ascii=False)
    return base64.urlsafe_b64encode(key.encode("utf-8", "surrogatepass")).decode()


def _read(after: str) -> _Key:
    try:
        key = base64.urlsafe_b64decode(after.encode()).decode("utf-8", "surrogatepass")
        source, id = json.loads(key)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise InputError(
            "after must be `next` of the page before, as it came; leave it out to begin"
        ) from error
    if not isinstance(source, str) or not isinstance(id, str):
        raise InputError("after must be `next` of the page before, as it came; leave it out to begin")
    return source, id
