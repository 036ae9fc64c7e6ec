"""The stored texts of units, compressed in memory, so that a service need not take them from its store."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

COLUMNS = ("unit", "document")  # a document's text stands in the row of its first unit
MOST_BYTES = 128 << 20  # of 120,000 units of manuals
_AROUND = 64  # bytes that Python and its allocator add to each text
_SIZE_BYTES = 4


class UnitTexts:
    """Cells of a store's columns of texts, for N rows, as many as fit.

    Filled by one thread, then read by any. Those of rows that stay are shared with the texts of the snapshot
    before; what was removed goes with the last snapshot that had it.

    Memory: about 1 kB a unit with its share of a document, never more than `most_bytes`; and 16 bytes a unit.

    Args:
        size: N.
        most_bytes: of compressed texts, with what holds them.
    """

    def __init__(self, size: int, *, most_bytes: int = MOST_BYTES) -> None:
        self.bytes = 0
        self._most_bytes = most_bytes
        self._cells: dict[str, NDArray[np.object_]] = {
            name: np.full(size, None, np.object_) for name in COLUMNS
        }

    def keep(self, before: UnitTexts, known: NDArray[np.intp]) -> None:
        """Take over texts of other rows.

        Args:
            known: (N,) which row of those before each is; -1 for one that was not there.
        """
        stayed = known >= 0
        for name, cells in self._cells.items():
            cells[stayed] = before._cells[name][known[stayed]]
            self.bytes += sum(_AROUND + len(cell) for cell in cells[stayed] if cell is not None)

    def add(self, batch: pa.RecordBatch, rows: NDArray[np.intp]) -> bool:
        """Add the texts of some rows; return whether all fitted."""
        every = [batch[name].cast(pa.binary()).to_pylist() for name in COLUMNS]
        return all(
            self._put(name, row, text)
            for row, *texts in zip(rows.tolist(), *every, strict=True)
            for name, text in zip(COLUMNS, texts, strict=True)
            if text is not None
        )

    def texts(self, name: str, rows: Iterable[int]) -> list[str | None]:
        """Return the cells of some rows in a column; None for those that are not here."""
        cells = self._cells[name]
        return [None if (cell := cells[row]) is None else _unpacked(cell) for row in rows]

    def _put(self, name: str, row: int, text: bytes) -> bool:
        packed = _packed(text)
        fits = self.bytes + _AROUND + len(packed) <= self._most_bytes
        if fits:
            self._cells[name][row] = packed
            self.bytes += _AROUND + len(packed)
        return fits


def _packed(text: bytes) -> bytes:
    """Return a text compressed, after its size, which LZ4 does not tell."""
    packed: bytes = _codec().compress(text, asbytes=True)
    return len(text).to_bytes(_SIZE_BYTES, "little") + packed


def _unpacked(packed: bytes) -> str:
    size = int.from_bytes(packed[:_SIZE_BYTES], "little")
    text: bytes = _codec().decompress(memoryview(packed)[_SIZE_BYTES:], size, asbytes=True)
    return text.decode()


@cache
def _codec() -> Any:
    """Return LZ4: zstd takes a quarter less memory, and ten times as long in both directions."""
    return pa.Codec("lz4_raw")
