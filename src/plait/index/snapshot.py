"""One moment of a store, loaded column by column as searches need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from threading import RLock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plait.errors import InputError, QueryError
from plait.index import facets
from plait.index import rows as stored
from plait.index.base import ItemKind, Mask, Scores, StoredDocument
from plait.index.documents import DocumentColumns
from plait.index.filters import Filterable, passing
from plait.index.multi_vector import MultiVectors
from plait.index.ordering import AT_A_TIME, Rows, UnitOrder, kept_units, vectors_of
from plait.index.scan.field import Piece, ScannedField
from plait.index.scan.scan_lookup import located
from plait.index.scan.segment import Segment
from plait.index.scan.segments import Segments
from plait.index.stored_units import StoredUnits
from plait.index.surroundings import SurroundedBm25
from plait.index.text_segments import TermRows, heading_text
from plait.schema import Facet, FieldInfo, Filter, Unit
from plait.scoring.vectors import VectorField, Vectors

EXACT_BYTES = 64 << 20  # as float32: up to here a field is held in memory and scanned exactly
_WORTH_READING_ALL = 8  # rows taken one by one cost so many times what a row read in order does


class TableSnapshot:
    """N units of a table, ordered by source, document id and place in the document.

    The order does not depend on when a document was added, so equal libraries break ties equally.
    Each column is read when a search first needs it, and then kept. Safe to use from several threads.

    A vector field whose float32 form takes more than `exact_bytes` is not held in memory: see
    `ScannedField`. Words that an earlier snapshot has counted are not counted again.

    Memory: 4 bytes a number of each smaller vector field in use (while it is read, half as much again);
    what `ScannedField`, `SurroundedBm25` and `UnitTexts` say; and about 40 bytes a unit and 40 a document.

    Args:
        table: its rows.
        fields: the vector fields of the library's encoder.
        version: number of the store's version.
        segments: field -> where its scan files lie.
        language: whose stems the stored terms are.
        exact_bytes: how large a field may be that is held in memory.
        earlier: a snapshot of the same store, if there was one.
    """

    def __init__(
        self,
        table: Rows,
        fields: Sequence[VectorField],
        version: int,
        *,
        segments: Mapping[str, Segments],
        language: str = "english",
        exact_bytes: int = EXACT_BYTES,
        earlier: TableSnapshot | None = None,
    ) -> None:
        self.version = version
        self._table = table
        self._fields = {field.name: field for field in fields}
        self._segments = segments
        self.language = language
        self._exact_bytes = exact_bytes
        self._loaded: dict[str, MultiVectors | ScannedField] = {}
        self._holding: dict[ItemKind, Mask] = {}
        self._loading = RLock()
        self._order = UnitOrder.of(table, fields)
        same_keys = earlier is not None and earlier._order.has_digests and self._order.has_digests
        self._units: StoredUnits = StoredUnits(self._order, earlier._units if earlier is not None else None)
        self._words: tuple[UnitOrder, SurroundedBm25] | None = earlier._words if earlier else None
        # What was read already, until `load` has made use of it: else each snapshot would keep all before it.
        self._before = dict(earlier._held_fields()) if earlier is not None and same_keys else {}
        self._filtered = earlier._filtered_fields() if earlier is not None else []

    def load(self) -> None:
        """Read now what searches need: vectors, words, units, and the fields that filters asked before.

        Of what is held in memory, only what the snapshot before did not have is read.
        """
        for name in self._fields:
            self._field(name)
        self._before.clear()
        with self._loading:
            _ = self._bm25
        if self._filtered:
            self._filterable.prepare(self._filtered)
        self._units.hold()

    def __len__(self) -> int:
        return len(self._order)

    @property
    def owners(self) -> NDArray[np.int32]:
        """(N,) which document each unit belongs to, as the place of its id in `documents_of`."""
        return self._order.owners

    def mask(self, filters: Sequence[Filter]) -> Mask | None:
        """Return (N,) True where every filter holds; None when there are no filters.

        Raises:
            QueryError: as in `filters.passing`.
        """
        return passing(filters, self._filterable) if filters else None

    def facet(self, field: str, filters: Sequence[Filter], *, most: int = 50) -> Facet:
        """Return the values of a field among the units that the filters on other fields let through.

        Raises:
            QueryError: as in `mask`, or no stored document has the field.
        """
        others = [condition for condition in filters if condition.field != field]
        return facets.facet(self._filterable, field, self.mask(others), most=most)

    def count(self, filters: Sequence[Filter]) -> tuple[int, int]:
        """Return how many units, and how many documents of theirs, the filters let through.

        Raises:
            QueryError: as in `mask`.
        """
        return facets.count(self._filterable, self.mask(filters))

    def filterable_fields(self) -> list[FieldInfo]:
        """Return the fields that filters and facets may name, by name, with what they hold."""
        every = (facets.field_info(self._filterable, name) for name in self._filterable.fields)
        return [info for info in every if info.values]

    def field_scores(self, field: str, query: Vectors, weights: Vectors, mask: Mask | None = None) -> Scores:
        """Return (N,) exact scores by one vector field: see `MultiVectors.scores`.

        Raises:
            InputError: there is no such field.
            ShapeError: the query does not fit it.
        """
        return self._field(field).scores(query, weights, mask)

    def rough_scores(
        self, field: str, query: Vectors, weights: Vectors, mask: Mask | None = None
    ) -> tuple[Scores, bool]:
        """Return (N,) scores by one vector field, and whether they are exact; if not, see `ScannedField`.

        Raises:
            InputError: there is no such field.
            ShapeError: the query does not fit it.
        """
        there = self._field(field)
        if isinstance(there, MultiVectors):
            return there.scores(query, weights, mask), True
        return there.rough_scores(query, weights, mask)

    def rough_scores_of(
        self, field: str, asked: Sequence[tuple[Vectors, Vectors]]
    ) -> list[tuple[Scores, bool]]:
        """Return what `rough_scores` says for each of some queries and their weights, at the cost of few.

        Raises:
            InputError: there is no such field.
            ShapeError: a query does not fit it.
        """
        there = self._field(field)
        if isinstance(there, MultiVectors):
            return [(scores, True) for scores in there.scores_of(asked)]
        return there.rough_scores_of(asked)

    def pools(self, field: str) -> bool:
        """Return whether rough scores of a field are of pooled vectors, which score lower than exact ones.

        Others are exact, or exact but for rounding to 8 bits.

        Raises:
            InputError: there is no such field.
        """
        there = self._field(field)
        return isinstance(there, ScannedField) and there.pools

    def exact_scores(self, field: str, query: Vectors, weights: Vectors, rows: NDArray[np.intp]) -> Scores:
        """Return (rows,) the exact scores of some units; reads only those.

        Raises:
            InputError: there is no such field.
            ShapeError: the query does not fit it.
        """
        there = self._field(field)
        if isinstance(there, ScannedField):
            return there.exact_scores(query, weights, rows)
        mask = np.zeros(len(self), np.bool_)
        mask[rows] = True
        return there.scores(query, weights, mask)[rows]

    def bm25(self, texts: Sequence[str], weights: Sequence[float], mask: Mask | None = None) -> Scores:
        """Return (N,) weighted BM25 scores, 0 where no word matches; NaN outside the mask.

        Those of `SurroundedBm25`. How rare a word is, and how long a unit usually is, are taken over all
        units, whatever the mask.
        """
        return self._counted_words().scores(texts, weights, mask)

    def item_scores(self, field: str, query: Vectors, weights: Vectors, rows: Sequence[int]) -> list[Scores]:
        """Return, for each row, (items,) what each of its items scores in a field.

        Raises:
            InputError: there is no such field.
            ShapeError: the query does not fit it.
        """
        return self._field(field).item_scores(query, weights, rows)

    def best_items(
        self, field: str, query: Vectors, weights: Vectors, rows: Sequence[int]
    ) -> list[int | None]:
        """Return, for each row, which of its items scored best in a field; None where it has none."""
        every = self.item_scores(field, query, weights, rows)
        return [int(scores.argmax()) if len(scores) else None for scores in every]

    def word_weights(self, texts: Sequence[str], weights: Sequence[float]) -> Mapping[str, float]:
        """Return what each word of a query counts in `bm25`: its texts' weights times how rare it is.

        Words, as `lexical.words` gives them, that no unit has are not there.
        """
        return self._counted_words().word_weights(texts, weights)

    def holding(self, items: ItemKind) -> Mask:
        """Return (N,) True for the units that have passages, figures or tables; read-only."""
        with self._loading:
            if items not in self._holding:
                self._holding[items] = self._read_holding(items)
                self._holding[items].setflags(write=False)
            return self._holding[items]

    def item_vectors(self, field: str, rows: Sequence[int]) -> list[Vectors]:
        """Return, for each row, (items, tokens, width) its vectors in a field; reads only those."""
        return self._field(field).item_vectors(rows)

    def groups(self, field: str) -> NDArray[np.int32]:
        """Return (N,) a number for each unit's value of a field of its document; -1 for none.

        Raises:
            QueryError: no stored document has the field, or it is one of units: a section or a page.
        """
        if field == "document":
            return self.owners
        if field in ("section", "page"):
            raise QueryError(
                f"{field} is no field of documents: limit hits by document, source, or their metadata"
            )
        return self._filterable.valued(field)[1]

    def keys(self, rows: Sequence[int]) -> NDArray[np.uint64]:
        """Return (rows,) what names the content of units: their digests; in format 1, their rows."""
        return self._order.keys[np.asarray(rows, np.intp)]

    def rows_of(self, keys: Sequence[int]) -> NDArray[np.intp]:
        """Return (keys,) the units that keys name; -1 for one that is not there as it was."""
        return self._order.rows_of_keys(np.asarray(keys, np.uint64))

    def units(self, rows: Sequence[int]) -> list[tuple[Unit, StoredDocument]]:
        """Return the stored units of some rows, in that order: see `StoredUnits`."""
        return self._units.read(rows)

    def documents_of(self) -> Mapping[str, Sequence[int]]:
        """Return document id -> the rows of its units, which are neighbours."""
        return self._order.rows_of_documents()

    @cached_property
    def _columns(self) -> DocumentColumns:
        order = self._order
        return DocumentColumns(self._table, order.first_row_ids, order.ids, order.sources)

    @cached_property
    def _filterable(self) -> Filterable:
        order, columns = self._order, self._columns  # not self: it would keep this snapshot alive

        def sections() -> pa.ListArray:
            cells = [(places, batch["section"]) for batch, places in order.read(["section"])]
            if not cells:
                return pa.array([], pa.list_(pa.string()))
            at = np.argsort(np.concatenate([places for places, _ in cells]))
            return pa.chunked_array([lists for _, lists in cells]).combine_chunks().take(pa.array(at))

        return Filterable(
            order.owners, order.pages, sections=sections, column=columns.column, fields=columns.fields
        )

    def _read_holding(self, items: ItemKind) -> Mask:
        counts = [self._order.items[f.name] for f in self._fields.values() if f.items == items]
        if counts and self._order.has_digests:
            return np.asarray(counts[0] > 0)
        held = np.zeros(len(self), np.bool_)
        for batch, places in self._order.read(["unit"]):
            # Quotes in a string are escaped, so this is the key and no words; empty lists are not written.
            has = pc.match_substring(batch["unit"], f'"{items}s": [{{')
            held[places] = has.to_numpy(zero_copy_only=False)
        return held

    def _counted_words(self) -> SurroundedBm25:
        """Return the words; no search waits while another thread reads something else."""
        words = self._words
        if words is not None and words[0] is self._order:
            return words[1]
        with self._loading:  # two threads would build it twice
            return self._bm25

    @property
    def _bm25(self) -> SurroundedBm25:
        order = self._order
        if self._words is None or self._words[0] is not order:
            before, bm25 = self._words or (order, SurroundedBm25(language=self.language))
            kept = kept_units(before, order) if self._words else np.full(len(order), -1, np.int32)
            batches = self._term_rows(np.flatnonzero(kept < 0))
            self._words = order, bm25.changed(kept, batches, owners=order.owners)
        return self._words[1]

    def _term_rows(self, rows: NDArray[np.intp]) -> Iterator[TermRows]:
        """Yield the words of some units."""
        if not len(rows):
            return
        order, names = self._order, ["terms", "counts", "words", "section"]
        owners = order.owners[rows]
        if len(rows) * _WORTH_READING_ALL < len(order):
            titles = self._titles(np.unique(owners))
            for first in range(0, len(rows), AT_A_TIME):
                batch = self._table.take_batch(order.row_ids[rows[first : first + AT_A_TIME]], names)
                yield _terms(*order.placed(batch), order.owners, titles)
            return
        wanted = np.zeros(len(order), np.bool_)
        wanted[rows] = True
        titles = dict(enumerate(str(title) for title in self._columns.column("title")))
        for batch, places in order.read(names):
            some = wanted[places]
            yield _terms(batch.filter(pa.array(some)), places[some], order.owners, titles)

    def _titles(self, owners: NDArray[np.int32]) -> dict[int, str]:
        row_ids = self._order.first_row_ids[owners].tolist()
        texts = [row["document"] for row in self._table.take(row_ids, ["document"])]
        return {
            owner: stored.read_document(text).title
            for owner, text in zip(owners.tolist(), texts, strict=True)
        }

    def _field(self, name: str) -> MultiVectors | ScannedField:
        if name not in self._fields:
            known = ", ".join(self._fields) or "none"
            raise InputError(f"this library has no vector field {name!r}: its fields are {known}")
        with self._loading:
            if name not in self._loaded:
                field = self._fields[name]
                fits = self._bytes(field) <= self._exact_bytes
                self._loaded[name] = self._read_field(field) if fits else self._scanned(field)
            return self._loaded[name]

    def _bytes(self, field: VectorField) -> int:
        """Return how much memory a field takes as float32; 0 in format 1, which counts no items."""
        if field.name not in self._order.items:
            return 0
        return field.float32_bytes(int(self._order.items[field.name].sum(dtype=np.int64)))

    def _scanned(self, field: VectorField) -> ScannedField:
        """Return the field by its scan files; rows that stand in none are read into memory."""
        there = np.flatnonzero(self._order.items[field.name])
        segments = self._segments[field.name].opened()
        found = located(self._order.digests[there], segments)
        pieces = [
            Piece(segment, there[share.rows], share.units)
            for segment, share in zip(segments, found.shares, strict=True)
        ]
        if len(found.nowhere):
            rest = there[found.nowhere]
            held = self._held(field, rest)
            share = located(self._order.digests[rest], [held]).shares[0]
            pieces.append(Piece(held, rest[share.rows], share.units))
        return ScannedField(field, len(self), pieces)

    def _held(self, field: VectorField, rows: NDArray[np.intp]) -> Segment:
        """Return a segment in memory of the vectors of some rows."""
        pieces = vectors_of(self._table, self._order.row_ids[rows], field)
        keys, sizes, values = zip(*pieces, strict=True)
        offsets = np.cumsum(np.concatenate([[0], *sizes]))
        return Segment.of(np.concatenate(keys), offsets, np.concatenate(values))

    def _held_fields(self) -> dict[str, tuple[UnitOrder, MultiVectors]]:
        """Return the vector fields that are in memory, and which unit each row is."""
        every = self._loaded.items()
        return {name: (self._order, there) for name, there in every if isinstance(there, MultiVectors)}

    def _filtered_fields(self) -> list[str]:
        """Return the fields of documents that filters asked, here or of the snapshot before."""
        there: Filterable | None = self.__dict__.get("_filterable")
        return there.read if there is not None else self._filtered

    def _read_field(self, field: VectorField) -> MultiVectors:
        if field.name in self._before:
            changed = self._changed_field(field, *self._before.pop(field.name))
            if changed is not None:
                return changed
        sizes = np.zeros(len(self), np.int64)
        pieces = []
        for batch, places in self._order.read([stored.column(field.name)]):
            items, counts = stored.vectors(batch[stored.column(field.name)], field)
            sizes[places] = counts
            pieces.append((items, counts, places))
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        vectors = np.empty((field.tokens_kept, int(offsets[-1]), field.width), np.float32)
        while pieces:  # each half-precision piece is let go once it is copied
            items, counts, places = pieces.pop()
            first = np.cumsum(counts) - counts
            to = np.arange(len(items)) + np.repeat(offsets[places] - first, counts)
            _copy(items, vectors, to)
        return MultiVectors(vectors, offsets)

    def _changed_field(
        self, field: VectorField, order: UnitOrder, before: MultiVectors
    ) -> MultiVectors | None:
        """Return a field of which most is known; None where so much is new that all is as soon read.

        Args:
            order: of the units before.
            before: the field of those.
        """
        sizes = self._order.items[field.name].astype(np.int64)
        there = np.flatnonzero(sizes)
        known = order.rows_of_keys(self._order.keys[there])
        new = there[known < 0]
        if len(new) * _WORTH_READING_ALL > len(self):
            return None
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        vectors = np.empty((field.tokens_kept, int(offsets[-1]), field.width), np.float32)
        stayed = there[known >= 0]
        to = _items(offsets[stayed], sizes[stayed])
        vectors[:, to] = before.vectors[:, _items(before.offsets[known[known >= 0]], sizes[stayed])]
        for keys, counts, items in vectors_of(self._table, self._order.row_ids[new], field):
            _copy(items, vectors, _items(offsets[self._order.rows_of_keys(keys)], counts))
        return MultiVectors(vectors, offsets)


def _items(begins: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of runs of items, one run after the other."""
    starts = np.cumsum(sizes) - sizes
    places: NDArray[np.int64] = np.arange(sizes.sum()) + np.repeat(begins - starts, sizes)
    return places


def _terms(
    batch: pa.RecordBatch, places: NDArray[np.intp], owners: NDArray[np.int32], titles: Mapping[int, str]
) -> TermRows:
    """Return the words of the units that a batch of rows holds."""
    hashes, sizes = stored.lists(batch["terms"])
    headings = [
        heading_text(titles[owner], section)
        for owner, section in zip(owners[places].tolist(), batch["section"].to_pylist(), strict=True)
    ]
    return TermRows(
        places.astype(np.int32),
        sizes,
        hashes,
        stored.lists(batch["counts"])[0],
        batch["words"].to_numpy(),
        np.array(headings, np.object_),
    )


def _copy(items: NDArray[np.float16], vectors: Vectors, to: NDArray[np.int64]) -> None:
    """Copy (items, tokens, width) into the places `to` of (tokens, every item, width)."""
    if len(to) and to[-1] - to[0] == len(to) - 1 and (np.diff(to) == 1).all():
        vectors[:, to[0] : to[-1] + 1] = items.transpose(1, 0, 2)  # neighbours: no index needed
    else:
        for token in range(items.shape[1]):
            vectors[token, to] = items[:, token]
