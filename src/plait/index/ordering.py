"""Which row of a store is which unit: the order in which a snapshot ranks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plait.index import rows as stored
from plait.scoring.vectors import VectorField

AT_A_TIME = 1024  # rows taken together


class Rows(Protocol):
    """A fixed set of rows with the columns of `index.rows.schema`, always read in one order."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns there are; those of format 1 lack digest and items."""
        ...

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns of all rows, with "_rowid"."""
        ...

    def take(self, row_ids: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return some columns of some rows, in the order asked."""
        ...

    def take_batch(self, row_ids: NDArray[np.uint64], columns: Sequence[str]) -> pa.RecordBatch:
        """Return some columns of some rows, with "_rowid", in any order."""
        ...


@dataclass(frozen=True)
class UnitOrder:
    """N units, ordered by source, document id and place in the document.

    Attributes:
        rows: the rows they stand in.
        row_ids: (N,) the row of each unit.
        owners: (N,) the place of each unit's document in `ids`.
        pages: (N,) 1-based; 0 for a unit without.
        digests: (N,) of each unit's row; empty in format 1, which had none.
        items: vector field -> (N,) how many items each unit has; empty in format 1.
        ids, sources: (documents,) strings, ordered by source, then id.
        first_row_ids: (documents,) the row that holds each document itself.
    """

    rows: Rows
    row_ids: NDArray[np.uint64]
    owners: NDArray[np.int32]
    pages: NDArray[np.int32]
    digests: NDArray[np.uint64]
    items: Mapping[str, NDArray[np.int32]]
    ids: pa.StringArray
    sources: pa.StringArray
    first_row_ids: NDArray[np.uint64]

    @classmethod
    def of(cls, rows: Rows, fields: Sequence[VectorField]) -> UnitOrder:
        """Return the order of a store's units, reading a few small columns."""
        has_digests = "digest" in rows.columns
        counts = {field.name: stored.items_column(field.name) for field in fields if has_digests}
        extra = [*(["digest"] if has_digests else []), *counts.values()]
        batches = list(rows.read(["document_id", "source", "ordinal", "page", *extra]))
        ids, sources, owners = _documents_in(batches)
        keys = [("source", "ascending"), ("id", "ascending")]
        ranked = pc.sort_indices(pa.table({"source": sources, "id": ids}), sort_keys=keys).to_numpy()
        places = np.empty(len(ids), np.int32)
        places[ranked] = np.arange(len(ids), dtype=np.int32)
        ordinals = _column(batches, "ordinal", np.int32)
        row_ids = _column(batches, "_rowid", np.uint64)
        owners = places[owners]
        order = np.lexsort((ordinals, owners))
        firsts = order[np.searchsorted(owners[order], np.arange(len(ids)))]
        order = order[ordinals[order] >= 0]  # a document without units keeps a row that is not ranked
        pa.default_memory_pool().release_unused()  # else what was read for a moment stays taken
        return cls(
            rows,
            row_ids[order],
            owners[order],
            _column(batches, "page", np.int32)[order],
            _column(batches, "digest", np.uint64)[order] if has_digests else np.empty(0, np.uint64),
            {name: _column(batches, column, np.int32)[order] for name, column in counts.items()},
            ids.take(pa.array(ranked)),
            sources.take(pa.array(ranked)),
            row_ids[firsts],
        )

    def __len__(self) -> int:
        return len(self.row_ids)

    @cached_property
    def has_digests(self) -> bool:
        """Whether the rows are of format 2, which names what is derived from them."""
        return "digest" in self.rows.columns

    @property
    def keys(self) -> NDArray[np.uint64]:
        """(N,) what names each unit's content: its row's digest; in format 1, which had none, its row."""
        return self.digests if self.has_digests else self.row_ids

    def rows_of_keys(self, keys: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Return (keys,) the places of the units that keys name, -1 for those that are not there."""
        if not len(self):
            return np.full(len(keys), -1, np.intp)
        at = np.minimum(np.searchsorted(self._sorted_keys, keys), len(self) - 1)
        return np.where(self._sorted_keys[at] == keys, self._by_key[at], -1)

    def read(self, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, NDArray[np.intp]]]:
        """Yield columns of the units' rows, and which units the rows are."""
        for batch in self.rows.read(columns):
            yield self.placed(batch)

    def placed(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, NDArray[np.intp]]:
        """Return those rows of a batch, with "_rowid", that are units, and which units they are."""
        row_ids = batch["_rowid"].to_numpy()
        at = np.searchsorted(self._sorted, row_ids)
        known = at < len(self._sorted)
        known[known] = self._sorted[at[known]] == row_ids[known]
        ranked = batch if known.all() else batch.filter(pa.array(known))
        return ranked, self._by_row_id[at[known]]

    def rows_of_documents(self) -> Mapping[str, Sequence[int]]:
        """Return document id -> the places of its units, which are neighbours."""
        return _RowsOfDocuments(self.ids, self.owners)

    @cached_property
    def _by_key(self) -> NDArray[np.intp]:
        return np.argsort(self.keys)

    @cached_property
    def _sorted_keys(self) -> NDArray[np.uint64]:
        return self.keys[self._by_key]

    @cached_property
    def _by_row_id(self) -> NDArray[np.intp]:
        return np.argsort(self.row_ids)

    @cached_property
    def _sorted(self) -> NDArray[np.uint64]:
        return self.row_ids[self._by_row_id]


def vectors_of(
    rows: Rows, row_ids: NDArray[np.uint64], field: VectorField
) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.float16]]]:
    """Yield digests, numbers of items, and vectors (items, tokens kept, width) of some rows, in any order.

    A thousand rows are in memory at a time.
    """
    name = stored.column(field.name)
    for first in range(0, len(row_ids), AT_A_TIME):
        batch = rows.take_batch(row_ids[first : first + AT_A_TIME], ["digest", name])
        vectors, sizes = stored.vectors(batch[name], field)
        yield batch["digest"].to_numpy(), sizes, vectors


def kept_units(before: UnitOrder, now: UnitOrder) -> NDArray[np.int32]:
    """Return (N,) for each unit now, which it was before; -1 for one of a document that changed at all."""
    kept = np.full(len(now), -1, np.int32)
    if not len(before) or not len(now) or not before.has_digests or not now.has_digests:
        return kept
    by_digest = np.argsort(before.digests)
    at = np.minimum(np.searchsorted(before.digests[by_digest], now.digests), len(before) - 1)
    found = by_digest[at]
    same = before.digests[found] == now.digests
    kept[same] = found[same]
    sizes_before, sizes_now = np.bincount(before.owners), np.bincount(now.owners)
    broken = (kept < 0) | (sizes_before[before.owners[found]] != sizes_now[now.owners])
    neighbours = np.diff(now.owners) == 0
    broken[1:] |= neighbours & (np.diff(kept) != 1)  # a document's units stood in this order
    kept[np.bincount(now.owners, broken)[now.owners] > 0] = -1
    return kept


class _RowsOfDocuments(Mapping[str, Sequence[int]]):
    """Document id -> the places of its units, found by looking through the ids."""

    def __init__(self, ids: pa.StringArray, owners: NDArray[np.int32]) -> None:
        self._ids = ids
        self._owners = owners

    def __getitem__(self, name: str) -> range:
        place = pc.index(self._ids, name).as_py()
        if place < 0:
            raise KeyError(name)
        first, last = np.searchsorted(self._owners, [place, place + 1]).tolist()
        return range(first, last)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids.to_pylist())

    def __len__(self) -> int:
        return len(self._ids)


def _documents_in(
    batches: Sequence[pa.RecordBatch],
) -> tuple[pa.StringArray, pa.StringArray, NDArray[np.int32]]:
    """Return the distinct document ids, their sources, and which of them each row belongs to."""
    names = pa.chunked_array([batch["document_id"] for batch in batches], pa.string()).combine_chunks()
    coded = names.dictionary_encode()
    owners = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    firsts = np.unique(owners, return_index=True)[1]
    sources = pa.chunked_array([batch["source"] for batch in batches], pa.string())
    return coded.dictionary, sources.take(pa.array(firsts)).combine_chunks(), owners


def _column(batches: Sequence[pa.RecordBatch], name: str, dtype: type[Any]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *(batch[name].to_numpy() for batch in batches)])
