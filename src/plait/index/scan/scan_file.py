"""One open scan file: what it says, its arrays, and whether its bytes are still those written."""

from __future__ import annotations

import mmap
import os
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.errors import LibraryError
from plait.index.scan.file_format import PAGE, SECTIONS, Counts, ScanDamagedError, Section, decoded
from plait.index.scan.mapped_vectors import MappedVectors
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
        self._check_length()
        self._vectors = self._mapped_vectors()

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

        They are copied out of the mapped file; see `MappedVectors`.

        Raises:
            IndexError: the file has no such item.
            LibraryError: the file was closed.
            ScanDamagedError: it was cut short since it was opened.
        """
        self._check_open()
        length, end = os.fstat(self._descriptor).st_size, self._sections["vectors"].end
        if length < end:  # reading a mapped page that is not there would end the process
            raise self.damaged(f"it ends at byte {length:,}")
        if len(items) and (items.min() < 0 or items.max() >= self.counts.items):
            asked = [int(items.min()), int(items.max())]
            raise IndexError(f"{self.path} has {self.counts.items} items; asked for {asked}")
        return restored(self._vectors.take(items), self.counts.kept, self.counts.width)

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

    def _fill(self, buffers: list[memoryview], offset: int) -> None:
        """Fill buffers one after the other with what begins at `offset`."""
        while buffers:
            got = self._read_at(buffers[:_MOST_BUFFERS], offset)
            if got == 0:
                raise self.damaged(f"it ends at byte {offset:,}")
            offset += got
            buffers = _rest(buffers, got)

    def _read_at(self, buffers: list[memoryview], offset: int) -> int:
        self._check_open()
        try:
            return os.preadv(self._descriptor, buffers, offset)
        except OSError as error:
            raise self._unreadable(error) from error

    def _check_open(self) -> None:
        if not self.close.alive:
            raise LibraryError(f"{self.path} was closed: ask for a new snapshot")

    def _mapped_vectors(self) -> MappedVectors:
        try:
            return MappedVectors(self._descriptor, self._sections["vectors"])
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
