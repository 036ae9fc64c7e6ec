"""The units of a snapshot: from memory where a service holds their texts, else from the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plait.index import rows as stored
from plait.index.base import StoredDocument
from plait.index.ordering import AT_A_TIME, UnitOrder
from plait.index.unit_cache import LastRead
from plait.index.unit_texts import COLUMNS, MOST_BYTES, UnitTexts
from plait.schema import Unit
from plait.scoring.together import Together

_WORTH_READING_ALL = 8  # rows taken one by one cost so many times what a row read in order does

# Units or documents made of texts in memory. A search reads 44; with many more, all that is kept grows old
# enough for Python's garbage collector to look through everything, a quarter of a second each time.
_PARSED = 128

T = TypeVar("T")


class StoredUnits:
    """N units and their documents, read when they are asked for. Safe to use from several threads.

    A take from the store costs 2 ms, however few its rows; what it gave is kept for a while. A text in
    memory costs 50 microseconds; what is made of it is kept for one search, which asks for some units twice.

    Args:
        order: which row is which unit.
        earlier: of a snapshot of the same store, if there was one; what it holds is not read again.
        most_bytes: of the texts that `hold` keeps in memory.
    """

    def __init__(
        self, order: UnitOrder, earlier: StoredUnits | None = None, *, most_bytes: int = MOST_BYTES
    ) -> None:
        self._order = order
        self._most_bytes = most_bytes
        self._take: Together[list[int], list[dict[str, Any]]] = Together()
        self._texts: UnitTexts | None = None
        # What was held already, until `hold` has made use of it: else each snapshot would keep all before it.
        self._before: tuple[UnitOrder, UnitTexts] | None = None
        self._units: _Column[Unit] = _Column("unit", stored.read_unit)
        self._documents: _Column[StoredDocument] = _Column("document", stored.read_document)
        if earlier is not None and earlier._order.has_digests and order.has_digests:
            self._units, self._documents = earlier._units, earlier._documents
            self._before = (earlier._order, earlier._texts) if earlier._texts is not None else None

    def read(self, rows: Sequence[int]) -> list[tuple[Unit, StoredDocument]]:
        """Return some units, in the order asked, each with its document."""
        places = np.asarray(rows, np.intp)
        owners = self._order.owners
        firsts = np.searchsorted(owners, owners[places])  # a document stands in the row of its first unit
        keys, document_keys = self._order.keys[places].tolist(), self._order.keys[firsts].tolist()
        units, missing = self._units.known(keys, places.tolist(), self._texts)
        documents, unknown = self._documents.known(document_keys, firsts.tolist(), self._texts)
        if missing or unknown:
            wanted = [*missing.values(), *unknown.values()]
            taken = iter(self._take(self._taken, self._order.row_ids[wanted].tolist()))
            units |= self._units.learnt(missing, taken)
            documents |= self._documents.learnt(unknown, taken)
        return [(units[key], documents[first]) for key, first in zip(keys, document_keys, strict=True)]

    def hold(self) -> None:
        """Read the texts of all units into memory, as many as fit; those held before are not read again."""
        texts = UnitTexts(len(self._order), most_bytes=self._most_bytes)
        new = np.ones(len(self._order), np.bool_)
        if self._before is not None:
            order, before = self._before
            known = order.rows_of_keys(self._order.keys)
            texts.keep(before, known)
            new = known < 0
        for batch, places in self._batches(new):
            if not texts.add(batch, places):
                break
        self._texts, self._before = texts, None
        pa.default_memory_pool().release_unused()  # else what was read for a moment stays taken

    def _batches(self, wanted: NDArray[np.bool_]) -> Iterator[tuple[pa.RecordBatch, NDArray[np.intp]]]:
        """Yield the texts of some units, a few thousand at a time, and which units they are."""
        row_ids = self._order.row_ids[wanted]
        if len(row_ids) * _WORTH_READING_ALL < len(self._order):
            for first in range(0, len(row_ids), AT_A_TIME):
                some = row_ids[first : first + AT_A_TIME]
                yield self._order.placed(self._order.rows.take_batch(some, COLUMNS))
            return
        for batch, places in self._order.read(COLUMNS):
            there = wanted[places]
            yield batch.filter(pa.array(there)), places[there]

    def _taken(self, wanted: Sequence[Sequence[int]]) -> list[list[dict[str, Any]]]:
        """Return the rows that each caller wants; many cost little more to read than few."""
        every = iter(self._order.rows.take([row_id for ids in wanted for row_id in ids], COLUMNS))
        return [list(islice(every, len(ids))) for ids in wanted]


@dataclass(frozen=True)
class _Column(Generic[T]):
    """What the cells of a column hold, of rows named by their keys."""

    name: str
    read: Callable[[str], T]
    last: LastRead[T] = field(default_factory=LastRead)  # of the store
    parsed: LastRead[T] = field(default_factory=partial(LastRead, _PARSED))  # of texts in memory

    def known(
        self, keys: Sequence[int], rows: Sequence[int], texts: UnitTexts | None
    ) -> tuple[dict[int, T], dict[int, int]]:
        """Return what is known, of texts in memory or as it was read lately, and the rows of the others.

        Both by key.
        """
        wanted = dict(zip(keys, rows, strict=True))
        found = self.parsed.known(list(wanted))
        if texts is not None:
            rest = {key: row for key, row in wanted.items() if key not in found}
            held = zip(rest, texts.texts(self.name, rest.values()), strict=True)
            parsed = {key: self.read(text) for key, text in held if text is not None}
            self.parsed.keep(parsed)
            found |= parsed
        found |= self.last.known([key for key in wanted if key not in found])
        return found, {key: row for key, row in wanted.items() if key not in found}

    def learnt(self, keys: Iterable[int], taken: Iterator[dict[str, Any]]) -> dict[int, T]:
        """Return, by their keys, what the next of the rows taken hold; and keep it for a while."""
        found = {key: self.read(cells[self.name]) for key, cells in zip(keys, taken, strict=False)}
        self.last.keep(found)
        return found
