"""Vectors of a pool in one file or several, read piece by piece: nothing of them stays in memory."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.encode.side_vectors import Vectors
from plait.errors import InputError, ShapeError

Numbers = NDArray[np.float16]


class Stores:
    """The vectors of N sides, numbered through all stores.

    They are read with plain reads: pages of a memory map would count as this process's memory.

    Attributes:
        width: d.
        counts: (N,) how many vectors each side has.

    Args:
        stores: one after another.
        rows: of all their sides, those that are meant, ascending; None means all.

    Raises:
        ShapeError: the stores differ in width, or rows do not ascend within them.
    """

    def __init__(self, stores: Sequence[Vectors], rows: NDArray[np.int64] | None = None) -> None:
        self._sources = [_Source(store) for store in stores]
        self.width = _common_width(stores)
        self._bounds = np.cumsum([0, *(len(store) for store in stores)])
        counts = np.concatenate([np.diff(store.starts) for store in stores])
        self._rows = None if rows is None else _checked(rows, len(counts))
        self.counts: NDArray[np.int64] = counts if rows is None else counts[rows]
        self._ends = np.cumsum(self.counts)

    def __len__(self) -> int:
        return len(self.counts)

    def cuts(self, *, vectors: int, sides: int) -> Iterator[tuple[int, int]]:
        """Yield from where to where to read, so that all is read, in order.

        Args:
            vectors: at most so many at a time, unless one side has more.
            sides: at most so many at a time.
        """
        first = 0
        while first < len(self):
            before = self._ends[first] - self.counts[first]
            last = int(np.searchsorted(self._ends, before + vectors, side="right"))
            last = min(max(last, first + 1), first + sides, len(self))
            yield first, last
            first = last

    def read(self, sides: NDArray[np.int64]) -> Numbers:
        """Return (T, d) the vectors of some sides, one after another.

        Args:
            sides: ascending.

        Raises:
            InputError: a file is shorter than it was.
            OSError: it cannot be read.
        """
        numbers = np.empty((int(self.counts[sides].sum()), self.width), np.float16)
        rows = sides if self._rows is None else self._rows[sides]
        cuts = np.searchsorted(rows, self._bounds)
        done = 0
        for nth, source in enumerate(self._sources):
            here = rows[cuts[nth] : cuts[nth + 1]] - self._bounds[nth]
            done += source.read(here, numbers[done:])
        return numbers


class _Source:
    """The vectors of one store: in a file, or in memory."""

    def __init__(self, vectors: Vectors) -> None:
        self._starts, self._numbers = vectors.starts, vectors.numbers
        self._file = _file_of(vectors.numbers)

    def read(self, sides: NDArray[np.int64], into: Numbers) -> int:
        """Read the vectors of some sides, which ascend; return how many they are."""
        runs = _runs(self._starts[sides], self._starts[sides + 1])
        done = 0
        with nullcontext() if self._file is None else self._file.open("rb", buffering=0) as stream:
            for begin, end in runs:
                part = into[done : done + end - begin]
                if stream is None:
                    part[:] = self._numbers[begin:end]
                else:
                    stream.seek(begin * part[0].nbytes)
                    self._check(stream.readinto(part.view(np.uint8).data), part.nbytes)
                done += end - begin
        return done

    def _check(self, got: int, wanted: int) -> None:
        if got != wanted:
            raise InputError(f"{self._file} ends early: it was cut off while it was read; encode again")


def _runs(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the same spans; those that touch are one, and those without anything are none."""
    begins, ends = begins[begins < ends], ends[begins < ends]
    if not len(begins):
        return []
    apart = begins[1:] != ends[:-1]
    first, last = np.append(True, apart), np.append(apart, True)
    return list(zip(begins[first].tolist(), ends[last].tolist(), strict=True))


def _file_of(numbers: Any) -> Path | None:
    """Return the file that is mapped from its first byte on; None where there is none."""
    base: Any = numbers.base  # of a part of a map, the whole map: where the part begins is not known
    whole = isinstance(base, mmap.mmap) and numbers.offset == 0
    return Path(numbers.filename) if whole else None


def _common_width(stores: Sequence[Vectors]) -> int:
    widths = sorted({store.numbers.shape[1] for store in stores})
    if len(widths) != 1:
        raise ShapeError(f"expected stores of one width, got {widths or 'no store'}: encode all by one model")
    return int(widths[0])


def _checked(rows: NDArray[np.int64], sides: int) -> NDArray[np.int64]:
    if len(rows) and (rows[0] < 0 or rows[-1] >= sides or (np.diff(rows) <= 0).any()):
        raise ShapeError(f"expected ascending rows within {sides:,} sides, got others")
    return rows
