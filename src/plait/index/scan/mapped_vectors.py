"""The exact vectors of a scan file: mapped, and of that little in memory."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.index.scan.file_format import Section

_MOST_BYTES = 64 << 20  # that one file's mapping may hold in this process
_AROUND = 1 << 16  # bytes that the system maps with each that is read, where they are cached anyway


class MappedVectors:
    """Reads items one by one at the cost of a copy. Safe to use from several threads.

    A call of the system for each item would let go of the interpreter's lock each time, and among threads
    that compute it takes milliseconds to get it back: of 8 searches at once, that took most of the time.

    Args:
        descriptor: the open file; it may be closed afterwards.
        section: where its vectors lie.
    """

    def __init__(self, descriptor: int, section: Section) -> None:
        self._memory = mmap.mmap(descriptor, section.end, access=mmap.ACCESS_READ)
        flat = np.frombuffer(self._memory, section.dtype, section.count, section.offset)
        self._items = flat.reshape(section.shape)
        self._item_bytes = section.bytes // max(1, len(self._items))
        self._touched = 0

    def take(self, items: NDArray[np.int64]) -> NDArray[Any]:
        """Return a copy of some items, in the order asked."""
        taken = self._items[items]
        self._touched += len(items) * (self._item_bytes + _AROUND)
        if self._touched > _MOST_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._touched = 0
            self._memory.madvise(mmap.MADV_DONTNEED)  # what is read again is mapped again
        return taken
