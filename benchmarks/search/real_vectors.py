"""A file of vectors that grows: a plain .npy at any time, also after a kill in the midst of writing."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.lib import format as npy

from plait.errors import ShapeError
from plait.scoring.vectors import Vectors


class GrowingVectors:
    """Appends to a (N, tokens, width) float16 array on disk; what is there stays. Use it in a `with` block.

    The header counts only what was written before it, and is the last to be written; NumPy leaves room in
    it for any N. So what a kill leaves beyond the count is overwritten by the next append.

    Attributes:
        count: N, so far.
    """

    def __init__(self, file: Path, *, tokens: int, width: int) -> None:
        self._item = (tokens, width)
        is_new = not file.exists() or not file.stat().st_size
        self._file = file.open("w+b" if is_new else "r+b")
        self.count = 0
        if is_new:
            self._write_header()
            self._sync()
        else:
            self._read_header(file)
        self._start = self._file.tell()

    def __enter__(self) -> GrowingVectors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, vectors: Vectors) -> None:
        """Write (n, tokens, width) vectors behind those that are there, rounded to float16."""
        if vectors.shape[1:] != self._item:
            raise ShapeError(f"vectors of {vectors.shape[1:]}, expected {self._item} as in the file")
        rounded = np.ascontiguousarray(vectors, "<f2")
        self._file.seek(self._start + self.count * 2 * self._item[0] * self._item[1])
        self._file.write(rounded.data)
        self._sync()
        self.count += len(rounded)
        self._write_header()
        self._sync()

    def _write_header(self) -> None:
        self._file.seek(0)
        shape = (self.count, *self._item)
        npy.write_array_header_1_0(self._file, {"descr": "<f2", "fortran_order": False, "shape": shape})

    def _read_header(self, file: Path) -> None:
        npy.read_magic(self._file)
        shape, _, kind = npy.read_array_header_1_0(self._file)
        if shape[1:] != self._item or kind != np.dtype("<f2"):
            self._file.close()
            raise ShapeError(
                f"{file} holds {kind} of {shape[1:]}, expected float16 of {self._item}: move it elsewhere"
            )
        self.count = shape[0]

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
