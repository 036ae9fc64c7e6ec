"""One moment of a store, loaded column by column as searches need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from threading import RLock
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plait.errors import InputError
from plait.index import rows as stored
from plait.index.base import Mask, Scores, StoredDocument
from plait.index.filters import Filterable, passing
from plait.index.multi_vector import MultiVectors
from plait.index.surroundings import SurroundedBm25, heading_text
from plait.schema import Filter, Unit
from plait.scoring.vectors import VectorField, Vectors


class Rows(Protocol):
    """A fixed set of rows with the columns of `index.rows.schema`, always read in one order."""

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns of all rows, with "_rowid"."""
        ...

    def take(self, row_ids: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return some columns of some rows, in the order asked."""
        ...


class TableSnapshot:
    """N units of a table, ordered by source, document id and place in the document.

    The order does not depend on when a document was added, so equal libraries break ties equally.
    Each column is read when a search first needs it, and then kept. Safe to use from several threads.

    Memory: 4 bytes a number of each vector field in use (while it is read, half as much again), about
    30 bytes a distinct word of each unit once BM25 is asked, and about 100 bytes a unit.

    Attributes:
        version: number of the store's version.
    """

    def __init__(self, table: Rows, fields: Sequence[VectorField], version: int) -> None:
        self.version = version
        self._table = table
        self._fields = {field.name: field for field in fields}
        self._loaded: dict[str, MultiVectors] = {}
        self._documents: dict[int, StoredDocument] = {}
        self._loading = RLock()
        self._read_order()

    def __len__(self) -> int:
        return len(self._owners)

    @property
    def owners(self) -> NDArray[np.int32]:
        """(N,) which document each unit belongs to, as the place of its id in `documents_of`."""
        return self._owners

    def mask(self, filters: Sequence[Filter]) -> Mask | None:
        """Return (N,) True where every filter holds; None when there are no filters.

        Raises:
            QueryError: an operator that does not exist.
        """
        return passing(filters, self._filterable) if filters else None

    def field_scores(self, field: str, query: Vectors, weights: Vectors, mask: Mask | None = None) -> Scores:
        """Return (N,) scores by one vector field: see `MultiVectors.scores`.

        Raises:
            InputError: there is no such field.
            ShapeError: the query does not fit it.
        """
        return self._field(field).scores(query, weights, mask)

    def bm25(self, texts: Sequence[str], weights: Sequence[float], mask: Mask | None = None) -> Scores:
        """Return (N,) weighted BM25 scores, 0 where no word matches; NaN outside the mask.

        Those of `SurroundedBm25`. How rare a word is, and how long a unit usually is, are taken over all
        units, whatever the mask.
        """
        with self._loading:  # two threads would build it twice
            bm25 = self._bm25
        scores = bm25.scores(texts, weights)
        if mask is not None:
            scores[~mask] = np.nan
        return scores

    def best_items(
        self, field: str, query: Vectors, weights: Vectors, rows: Sequence[int]
    ) -> list[int | None]:
        """Return, for each row, which of its items scored best in a field; None where it has none."""
        return self._field(field).best_items(query, weights, rows)

    def units(self, rows: Sequence[int]) -> list[tuple[Unit, StoredDocument]]:
        """Return the stored units of some rows, in that order; reads only those rows."""
        if not len(rows):
            return []
        taken = self._table.take([int(self._row_ids[row]) for row in rows], ["unit"])
        owners = [int(self._owners[row]) for row in rows]
        return [
            (stored.read_unit(row["unit"]), self._document(owner))
            for row, owner in zip(taken, owners, strict=True)
        ]

    def documents_of(self) -> Mapping[str, Sequence[int]]:
        """Return document id -> the rows of its units, which are neighbours."""
        return self._rowsof_documents

    def _read_order(self) -> None:
        """Read what every search needs: which row is which unit, and of which document."""
        names = ["document_id", "source", "ordinal", "page", "document"]
        batches = list(self._table.read(names))
        ids, owners, sources, texts = _documents_in(batches)
        ranked = sorted(range(len(ids)), key=lambda one: (sources[one], ids[one]))
        places = np.empty(len(ids), np.int32)
        places[ranked] = np.arange(len(ids), dtype=np.int32)
        ordinals = _column(batches, "ordinal", np.int32)
        owners = places[owners]
        order = np.lexsort((ordinals, owners))
        order = order[ordinals[order] >= 0]  # a document without units keeps a row that is not ranked
        self._ids = [ids[one] for one in ranked]
        self._document_texts = [texts[one] for one in ranked]
        self._owners: NDArray[np.int32] = owners[order]
        self._pages: NDArray[np.int32] = _column(batches, "page", np.int32)[order]
        self._row_ids: NDArray[np.uint64] = _column(batches, "_rowid", np.uint64)[order]
        self._by_row_id = np.argsort(self._row_ids)

    def _read(self, names: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, NDArray[np.intp]]]:
        """Yield columns of the ranked rows, and which units the rows are."""
        sorted_ids = self._row_ids[self._by_row_id]
        for batch in self._table.read(names):
            row_ids = batch["_rowid"].to_numpy()
            at = np.searchsorted(sorted_ids, row_ids)
            known = at < len(sorted_ids)
            known[known] = sorted_ids[at[known]] == row_ids[known]
            ranked = batch if known.all() else batch.filter(pa.array(known))
            yield ranked, self._by_row_id[at[known]]

    def _document(self, place: int) -> StoredDocument:
        if place not in self._documents:
            self._documents[place] = stored.read_document(self._document_texts[place])
        return self._documents[place]

    @cached_property
    def _rowsof_documents(self) -> Mapping[str, Sequence[int]]:
        edges = np.searchsorted(self._owners, np.arange(len(self._ids) + 1)).tolist()
        return {name: range(edges[i], edges[i + 1]) for i, name in enumerate(self._ids)}

    @cached_property
    def _filterable(self) -> Filterable:
        sections: list[tuple[str, ...]] = [()] * len(self)
        for batch, places in self._read(["section"]):
            for place, section in zip(places.tolist(), batch["section"].to_pylist(), strict=True):
                sections[place] = tuple(section)
        documents = [self._document(place) for place in range(len(self._ids))]
        return Filterable(documents=documents, owners=self._owners, sections=sections, pages=self._pages)

    @cached_property
    def _bm25(self) -> SurroundedBm25:
        hashes, counts, owners = [np.empty(0, np.uint64)], [np.empty(0, np.uint16)], [np.empty(0, np.int32)]
        lengths = np.zeros(len(self), np.uint32)
        headings = [""] * len(self)
        for batch, places in self._read(["terms", "counts", "words", "section"]):
            terms, sizes = stored.lists(batch["terms"])
            hashes.append(terms)
            counts.append(stored.lists(batch["counts"])[0])
            owners.append(np.repeat(places.astype(np.int32), sizes))
            lengths[places] = batch["words"].to_numpy()
            for place, section in zip(places.tolist(), batch["section"].to_pylist(), strict=True):
                headings[place] = heading_text(self._document(int(self._owners[place])).title, section)
        return SurroundedBm25.of_postings(
            np.concatenate(hashes),
            np.concatenate(counts),
            np.concatenate(owners),
            lengths,
            owners=self._owners,
            headings=headings,
        )

    def _field(self, name: str) -> MultiVectors:
        if name not in self._fields:
            known = ", ".join(self._fields) or "none"
            raise InputError(f"this library has no vector field {name!r}: its fields are {known}")
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._read_field(self._fields[name])
            return self._loaded[name]

    def _read_field(self, field: VectorField) -> MultiVectors:
        sizes = np.zeros(len(self), np.int64)
        pieces = []
        for batch, places in self._read([stored.column(field.name)]):
            items, counts = stored.vectors(batch[stored.column(field.name)], field)
            sizes[places] = counts
            pieces.append((items, counts, places))
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        vectors = np.empty((field.tokens, int(offsets[-1]), field.width), np.float32)
        while pieces:  # each half-precision piece is let go once it is copied
            items, counts, places = pieces.pop()
            first = np.cumsum(counts) - counts
            to = np.arange(len(items)) + np.repeat(offsets[places] - first, counts)
            _copy(items, vectors, to)
        return MultiVectors(vectors, offsets)


def _documents_in(
    batches: Sequence[pa.RecordBatch],
) -> tuple[list[str], NDArray[np.int32], list[str], list[str]]:
    """Return the distinct document ids, which of them each row belongs to, their sources and their JSON."""
    names = pa.chunked_array([batch["document_id"] for batch in batches], pa.string()).combine_chunks()
    coded = names.dictionary_encode()
    owners = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    sources, texts = [""] * len(coded.dictionary), [""] * len(coded.dictionary)
    start = 0
    for batch in batches:
        for row in np.flatnonzero(batch["document"].is_valid().to_numpy(zero_copy_only=False)).tolist():
            sources[owners[start + row]] = batch["source"][row].as_py()
            texts[owners[start + row]] = batch["document"][row].as_py()
        start += len(batch)
    return coded.dictionary.to_pylist(), owners, sources, texts


def _column(batches: Sequence[pa.RecordBatch], name: str, dtype: type[Any]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *(batch[name].to_numpy() for batch in batches)])


def _copy(items: NDArray[np.float16], vectors: Vectors, to: NDArray[np.int64]) -> None:
    """Copy (items, tokens, width) into the places `to` of (tokens, every item, width)."""
    if len(to) and to[-1] - to[0] == len(to) - 1 and (np.diff(to) == 1).all():
        vectors[:, to[0] : to[-1] + 1] = items.transpose(1, 0, 2)  # neighbours: no index needed
    else:
        for token in range(items.shape[1]):
            vectors[token, to] = items[:, token]
