"""A segment: the vectors of some units laid out for scanning, in a file or in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from plait.index.scan.file_format import ScanDamagedError
from plait.index.scan.scan_file import ScanFile
from plait.index.scan.scan_planes import planes_for, planes_of
from plait.scoring.vectors import VectorField, Vectors

__all__ = ["ScanDamagedError", "Segment"]


class Segment:
    """Some units of one vector field. Safe to use from several threads.

    Of a file, the exact vectors stay on disk until they are read, and the rest is mapped into memory. It
    stays usable after the file has been deleted.

    Attributes:
        keys: (units,) what tells one row from another; see `index.rows`.
        offsets: (units + 1,) where each unit's items begin.
        scales: (items,) by which the planes' numbers are multiplied.
        planes: (P, items, width) pooled vectors; see `scoring.quantise`.
    """

    def __init__(
        self,
        keys: NDArray[np.uint64],
        offsets: NDArray[np.int64],
        scales: Vectors,
        planes: NDArray[np.int8],
        vectors: _Readable,
    ) -> None:
        self.keys = keys
        self.offsets = offsets
        self.scales = scales
        self.planes = planes
        self._vectors = vectors

    @classmethod
    def of(
        cls, keys: NDArray[np.uint64], offsets: NDArray[np.int64], vectors: NDArray[np.float16]
    ) -> Segment:
        """Return a segment in memory; `vectors` is (items, tokens, width)."""
        planes, scales = planes_of(vectors)
        return cls(keys, offsets, scales, planes, _InMemory(vectors))

    @classmethod
    def open(cls, path: Path, field: VectorField | None = None) -> Segment:
        """Open a file.

        Args:
            field: the vector field it must hold; None means any.

        Raises:
            FileNotFoundError: there is no such file.
            LibraryError: it may not be read.
            ScanDamagedError: it is cut short, changed (the planes and vectors are not looked at), of another
                field, or no scan file.
        """
        file = ScanFile(path)
        if field is not None:
            _check_field(file, field)
        return cls(**file.mapped(), vectors=file)

    def items_of(self, units: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the items of some units one after the other, and where each unit's begin among them."""
        begins = self.offsets[units]
        sizes = self.offsets[units + 1] - begins
        starts = np.cumsum(sizes) - sizes
        return np.arange(int(sizes.sum())) + np.repeat(begins - starts, sizes), starts

    def read(self, items: NDArray[np.int64]) -> NDArray[np.float16]:
        """Return the exact vectors (len(items), tokens, width) of some items, in the order asked.

        Raises:
            IndexError: there is no such item.
            LibraryError: the disk failed, or the segment was closed.
        """
        return self._vectors.read(items)

    def problems(self) -> list[str]:
        """Read every byte; return one line for each part that is not as it was written."""
        return self._vectors.problems()

    def close(self) -> None:
        """Let go of the file now; without this call it goes with the last reference to the segment."""
        self._vectors.close()


class _Readable(Protocol):
    def read(self, items: NDArray[np.int64]) -> NDArray[np.float16]: ...

    def problems(self) -> list[str]: ...

    def close(self) -> object: ...


class _InMemory:
    """Vectors as they were given."""

    def __init__(self, vectors: NDArray[np.float16]) -> None:
        self._vectors = vectors

    def read(self, items: NDArray[np.int64]) -> NDArray[np.float16]:
        return self._vectors[items]

    def problems(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


def _check_field(file: ScanFile, field: VectorField) -> None:
    counts, tokens = file.counts, field.tokens_kept
    held = (counts.field, counts.tokens, counts.width, counts.kept, counts.planes)
    expected = (field.name, tokens, field.width, field.kept, planes_for(tokens))
    if held != expected:
        raise file.damaged(f"its field, tokens, width, rung and planes are {held}, expected {expected}")
