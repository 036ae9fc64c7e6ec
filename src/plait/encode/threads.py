"""How batches share the cores: side by side, each on one torch thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import TypeVar

import torch

_A = TypeVar("_A")
_B = TypeVar("_B")


class SideBySide:
    """Runs batches at the same time instead of splitting each over the cores.

    Torch's threads wait for each other thousands of times a second, and where another process (a
    reader) wants a core too, that made two threads three times slower than one.

    Args:
        threads: batches at a time; 0 means one a core.
    """

    def __init__(self, threads: int = 0) -> None:
        self._threads = threads or len(os.sched_getaffinity(0))

    def each(self, work: Callable[[_A], _B], batches: Sequence[_A]) -> list[_B]:
        """Return what some work makes of each batch, in order."""

        def alone(batch: _A) -> _B:
            with torch_threads(1):
                return work(batch)

        if len(batches) < 2 or self._threads == 1:
            return [alone(batch) for batch in batches]
        return list(self._pool.map(alone, batches))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        # The same threads for good: each new one would get a heap of its own, and memory would grow.
        return ThreadPoolExecutor(self._threads, thread_name_prefix="plait-encode")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads meanwhile."""
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)
