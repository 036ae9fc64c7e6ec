"""One open scan file: what it says, its arrays, and whether its bytes are still those written."""

from __future__ import annotations

import mmap
import os
import weakref
import zlib
from collections.abc import Iterator
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.errors import LibraryError
from plait.index.scan.file_format import PAGE, SECTIONS, Counts, ScanDamagedError, Section, decoded
from plait.scoring.keeping import restored

_MOST_BUFFERS = 1024  # a call; the system's own limit
_AT_ONCE = 1 << 20  # bytes


class ScanFile:
    """A file that stays open, and usable after its name has been deleted. Safe to read from several threads.

    Args:
        path: of the file.

    Attributes:
        counts: what its header says.
        close: lets go of the file; also done with the last reference to this.

    Raises:
        FileNotFoundError: there is no such file.
        LibraryError: it may not be read.
        ScanDamagedError: it is no scan file, cut short, or its header has changed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreadable(error) from error
        self.close = weakref.finalize(self, os.close, self._descriptor)
        self.counts, self._checksums = self._header()
        self._sections = self.counts.sections()
        vectors = self._sections["vectors"]
        self._item_shape, self._kept_as = vectors.shape[1:], vectors.dtype
        self._item_bytes = prod(self._item_shape) * self._kept_as.itemsize
        self._check_length()

    def mapped(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of all sections but the vectors, mapped: what is not used takes no memory.

        They may be written to, which changes neither the file nor anyone else's arrays. All but the planes
        are compared with their checksums.

        Raises:
            ScanDamagedError: they differ from them.
        """
        last = self._sections[SECTIONS[-1]].end
        skipped = self._sections["planes"].offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        try:
            memory = mmap.mmap(self._descriptor, last - skipped, access=mmap.ACCESS_COPY, offset=skipped)
        except OSError as error:
            raise self._unreadable(error) from error
        arrays: dict[str, NDArray[Any]] = {}
        for name in SECTIONS[1:]:
            section = self._sections[name]
            if name != "planes":
                with memoryview(memory)[section.offset - skipped : section.end - skipped] as written:
                    self._check(name, zlib.crc32(written))
            flat = np.frombuffer(memory, section.dtype, section.count, section.offset - skipped)
            arrays[name] = flat.reshape(section.shape)
        return arrays

    def read(self, items: NDArray[np.int64]) -> NDArray[np.float16]:
        """Return the vectors (len(items), tokens, width) of some items, in the order asked.

        They are read from disk, neighbours in the file by one call, and kept nowhere.

        Raises:
            IndexError: the file has no such item.
            LibraryError: the file was closed, or the disk failed.
        """
        result = np.empty((len(items), *self._item_shape), self._kept_as)
        if not result.size:
            return restored(result, self.counts.kept, self.counts.width)
        rows = np.argsort(items, kind="stable")
        ascending = items[rows]
        if ascending[0] < 0 or ascending[-1] >= self.counts.items:
            raise IndexError(f"{self.path} has {self.counts.items} items; asked for {ascending[[0, -1]]}")
        self._read_ascending(ascending, rows, result.reshape(-1).view(np.uint8).data)
        return restored(result, self.counts.kept, self.counts.width)

    def problems(self) -> list[str]:
        """Read every byte; return one line for each part that is not as it was written."""
        found = []
        try:
            self._header()
            self._check_length()
            for name in SECTIONS:
                checksum = 0
                for block in self._blocks(self._sections[name]):
                    checksum = zlib.crc32(block, checksum)
                try:
                    self._check(name, checksum)
                except ScanDamagedError as error:
                    found.append(str(error))
        except LibraryError as error:
            found.append(str(error))
        return found

    def damaged(self, reason: str) -> ScanDamagedError:
        """Return the error that names this file and the next step."""
        return ScanDamagedError(
            f"{self.path} is damaged: {reason}; no document is lost: run  plait compact  to make it again"
        )

    def _header(self) -> tuple[Counts, dict[str, int]]:
        page = bytearray(PAGE)
        got = self._read_at([memoryview(page)], 0)
        try:
            return decoded(bytes(page[:got]))
        except ValueError as error:
            raise self.damaged(str(error)) from error

    def _check_length(self) -> None:
        length, expected = os.fstat(self._descriptor).st_size, self._sections[SECTIONS[-1]].end
        if length != expected:
            raise self.damaged(f"it has {length:,} bytes, expected {expected:,}")

    def _check(self, name: str, checksum: int) -> None:
        expected = self._checksums[name]
        if checksum != expected:
            raise self.damaged(f"the checksum of its {name} is {checksum:08x}, expected {expected:08x}")

    def _blocks(self, section: Section) -> Iterator[memoryview]:
        """Yield the bytes of a section and of the zeros after it."""
        block = memoryview(bytearray(_AT_ONCE))
        for offset in range(section.offset, section.end, _AT_ONCE):
            some = block[: min(_AT_ONCE, section.end - offset)]
            self._fill([some], offset)
            yield some

    def _read_ascending(self, items: NDArray[np.int64], rows: NDArray[np.intp], into: memoryview) -> None:
        """Read ascending items, each to its row of `into`."""
        size = self._item_bytes
        new_call = np.diff(items, prepend=-2) != 1
        starts = np.flatnonzero(new_call | (np.diff(rows, prepend=-2) != 1))
        begins = (rows[starts] * size).tolist()
        lengths = (np.diff(starts, append=len(items)) * size).tolist()
        buffers = [into[begin : begin + length] for begin, length in zip(begins, lengths, strict=True)]
        firsts = np.flatnonzero(new_call[starts])
        offsets = (self._sections["vectors"].offset + items[starts[firsts]] * size).tolist()
        edges = pairwise([*firsts.tolist(), len(buffers)])
        for (first, last), offset in zip(edges, offsets, strict=True):
            if last - first > 1 or self._read_at([buffers[first]], offset) < len(buffers[first]):
                self._fill(buffers[first:last], offset)  # rarely: neighbours, or a read cut short

    def _fill(self, buffers: list[memoryview], offset: int) -> None:
        """Fill buffers one after the other with what begins at `offset`."""
        while buffers:
            got = self._read_at(buffers[:_MOST_BUFFERS], offset)
            if got == 0:
                raise self.damaged(f"it ends at byte {offset:,}")
            offset += got
            buffers = _rest(buffers, got)

    def _read_at(self, buffers: list[memoryview], offset: int) -> int:
        if not self.close.alive:
            raise LibraryError(f"{self.path} was closed: ask for a new snapshot")
        try:
            return os.preadv(self._descriptor, buffers, offset)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> LibraryError:
        return LibraryError(
            f"cannot read {self.path}: {error.strerror}; check the disk, who may read the file, "
            "and how many files may be open"
        )


def _rest(buffers: list[memoryview], got: int) -> list[memoryview]:
    """Return what is left to fill after the first `got` bytes."""
    for place, buffer in enumerate(buffers):
        if got < len(buffer):
            return [buffer[got:], *buffers[place + 1 :]]
        got -= len(buffer)
    return []
