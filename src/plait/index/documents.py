"""The documents of a snapshot, column by column: what filters and headings look at."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plait.schema import Scalar

Column = Any  # a pyarrow array, or a list of scalars


class Readable(Protocol):
    """Rows that can be read column by column, as those of a snapshot."""

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]: ...


class DocumentColumns:
    """One value a document, read from the store when it is asked for, and not kept.

    Args:
        rows: every row of the store.
        first_row_ids: (documents,) the row that holds each document's JSON.
        ids, sources: (documents,) strings, in the same order.
    """

    def __init__(
        self, rows: Readable, first_row_ids: NDArray[np.uint64], ids: pa.Array, sources: pa.Array
    ) -> None:
        self._rows = rows
        self._ids = ids
        self._sources = sources
        self._order = np.argsort(first_row_ids)
        self._sorted = first_row_ids[self._order]

    def column(self, name: str) -> Column:
        """Return (documents,) the values of a field, null or None where a document lacks it.

        Args:
            name: "document" (its id), "source", "title", "tenant", "version", or a key of the metadata.
        """
        if name == "document":
            return self._ids
        if name == "source":
            return self._sources
        values: list[Scalar | None] = [None] * len(self._ids)
        for places, texts in self._documents():
            for place, text in zip(places, texts, strict=True):
                values[place] = _own(text, name) if name in _OWN else _metadata(text)[0].get(name)
        return values

    def fields(self) -> Collection[str]:
        """Return the keys that some document's metadata has."""
        return {key for _, texts in self._documents() for text in texts for key in _metadata(text)[0]}

    def _documents(self) -> Iterator[tuple[list[int], list[str]]]:
        """Yield the places of some documents, and their JSON."""
        for batch in self._rows.read(["document"]):
            there = batch.filter(batch["document"].is_valid())
            places = self._order[np.searchsorted(self._sorted, there["_rowid"].to_numpy())]
            yield places.tolist(), there["document"].to_pylist()


_OWN = ("title", "tenant", "version")
_ABSENT: dict[str, Scalar] = {"tenant": "", "version": 1}  # of documents stored before there were such
_METADATA = '"metadata": '
_decode = json.JSONDecoder().raw_decode


def _metadata(text: str) -> tuple[dict[str, Scalar], int]:
    """Return a document's metadata and where they end; reading only them takes a third of the time.

    In JSON each quote inside a string has a backslash before it, so the first match is the key.
    """
    metadata, end = _decode(text, text.index(_METADATA) + len(_METADATA))
    return metadata, end


def _own(text: str, name: str) -> Scalar | None:
    """Return a field of the document itself; all but the title are written after the metadata."""
    if name == "title":
        title: str = json.loads(text)["title"]
        return title
    rest: dict[str, Scalar] = json.loads("{" + text[_metadata(text)[1] + 2 :])
    return rest.get(name, _ABSENT[name])
