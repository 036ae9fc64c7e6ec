"""Sharing one scan among processor cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock


def shared_out(scan: Callable[[int, int], None], count: int, *, workers: int) -> None:
    """Call `scan(first, last)` on equal shares of `count` items, each share on a thread of its own.

    While other scans are at work, all is done on this thread: they keep the other cores busy.
    """
    with _at_work() as scans:
        if workers == 1 or scans > 1:
            scan(0, count)
            return
        edges = [count * share // workers for share in range(workers + 1)]
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(scan, edges[:-1], edges[1:]))  # list: an error in a share is raised here


def workers_for(products: int) -> int:
    """Return how many threads to share a scan among: one for a few milliseconds of work, at most four.

    OMP_NUM_THREADS, by which users hold numeric code back, is obeyed.

    Args:
        products: multiplications of numbers in all.
    """
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(allowed) if allowed.isdigit() else processors()
    return max(1, min(4, cores, products // _WORTH_A_THREAD))


_WORTH_A_THREAD = 300_000_000  # about 10 ms of one core
_counting = Lock()
_scans = [0]  # that are at work in this process


@contextmanager
def _at_work() -> Iterator[int]:
    """Count a scan while it lasts; gives how many there are with it."""
    with _counting:
        _scans[0] += 1
        scans = _scans[0]
    try:
        yield scans
    finally:
        with _counting:
            _scans[0] -= 1


def processors() -> int:
    """Return how many processors this process may use; all of them where the system cannot tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
