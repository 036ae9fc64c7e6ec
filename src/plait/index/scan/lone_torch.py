"""torch on the calling thread alone, while other threads of the process keep as many as they had."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType


@contextmanager
def lone_torch() -> Iterator[ModuleType | None]:
    """Give torch, whose operators stay on this thread until the end; None where that cannot be had.

    torch shares operators among threads that wait for each other by spinning. A scan calls thousands: on a
    busy machine of two cores it took 300 ms in place of 15. `torch.set_num_threads` would hold back training
    and encoding in other threads too; OpenMP's own setting is one of the calling thread.
    """
    found = _openmp()
    if found is None:
        yield None
        return
    torch, allow_threads = found
    before = torch.get_num_threads()  # sets a new thread up, which would undo what follows
    allow_threads(1)
    try:
        yield torch if torch.get_num_threads() == 1 else None
    finally:
        allow_threads(before)


@cache
def _openmp() -> tuple[ModuleType, Callable[[int], None]] | None:
    try:
        import torch  # not needed to open a library or to scan a small one

        return torch, ctypes.CDLL(None).omp_set_num_threads
    except (ImportError, OSError, TypeError, AttributeError):  # no torch, no OpenMP, Windows
        return None
