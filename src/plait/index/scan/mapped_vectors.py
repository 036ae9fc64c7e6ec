"""The exact vectors of a scan file: mapped, and of that little in memory."""

from __future__ import annotations

import mmap
from threading import Lock
from typing import Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from plait.index.scan.file_format import Section

_MOST_BYTES = 256 << 20  # that the mappings of all files may hold in this process
_AROUND = 1 << 16  # bytes that the system maps with each that is read, where they are cached anyway


class MappedVectors:
    """Reads items one by one at the cost of a copy. Safe to use from several threads.

    A call of the system for each item would let go of the interpreter's lock each time, and among threads
    that compute it takes milliseconds to get it back: of 8 searches at once, that took most of the time.

    What was read stays mapped, as to map a page anew costs more than to copy what it holds. When all files
    of the process hold more than 256 MB so, the one that holds most lets go of it.

    Args:
        descriptor: the open file; it may be closed afterwards.
        section: where its vectors lie.

    Attributes:
        held: about how many bytes are mapped.
    """

    def __init__(self, descriptor: int, section: Section) -> None:
        self._memory = mmap.mmap(descriptor, section.end, access=mmap.ACCESS_READ)
        flat = np.frombuffer(self._memory, section.dtype, section.count, section.offset)
        self._items = flat.reshape(section.shape)
        self._offset = section.offset
        self._item_bytes = section.bytes // max(1, len(self._items))
        self._stretch = max(_AROUND, self._item_bytes)  # so that an item lies in two stretches at most
        self._touched = np.zeros(section.end // self._stretch + 1, np.bool_)
        self.held = 0
        with _counting:
            _every.add(self)

    def take(self, items: NDArray[np.int64]) -> NDArray[Any]:
        """Return a copy of some items, in the order asked."""
        taken = self._items[items]
        begins = self._offset + items * self._item_bytes
        self._touched[begins // self._stretch] = True
        self._touched[(begins + self._item_bytes - 1) // self._stretch] = True
        self.held = int(np.count_nonzero(self._touched)) * self._stretch
        with _counting:
            if sum(one.held for one in _every) > _MOST_BYTES:
                max(_every, key=lambda one: one.held).let_go()
        return taken

    def let_go(self) -> None:
        """Unmap what was read; what is read again is mapped again."""
        self._touched[:] = False
        self.held = 0
        if hasattr(mmap, "MADV_DONTNEED"):
            self._memory.madvise(mmap.MADV_DONTNEED)


_counting = Lock()
_every: WeakSet[MappedVectors] = WeakSet()
