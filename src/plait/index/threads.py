"""How many processor cores a scan takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

_counting = Lock()
_inside = 0
_limit: Any = None


def shared_out(scan: Callable[[int, int], None], count: int, *, workers: int) -> None:
    """Call `scan(first, last)` on equal shares of `count` items, each share on a thread of its own."""
    edges = [count * share // workers for share in range(workers + 1)]
    with _one_blas_thread():
        if workers == 1:
            scan(0, count)
            return
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(scan, edges[:-1], edges[1:]))


def workers_for(products: int) -> int:
    """Return how many threads to share a scan among: one for a few milliseconds of work, at most four.

    Args:
        products: multiplications of numbers in all.
    """
    allowed = os.environ.get("OMP_NUM_THREADS", "")  # the usual way to ask numeric code for fewer
    cores = int(allowed) if allowed.isdigit() else _cores()
    return max(1, min(4, cores, products // _WORTH_A_THREAD))


def _cores() -> int:
    """Return how many cores this process may use; all of them where the system cannot tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_WORTH_A_THREAD = 300_000_000  # about 10 ms of one core


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Keep NumPy's matrix products on the calling thread; what was set before returns with the last caller.

    The threads of OpenBLAS wait for each other by spinning. A scan is thousands of short products, so on
    a busy machine they make it ten times slower (700 ms for 65 ms on two cores); threads of our own, each
    with its own blocks, only share the time there is.
    """
    global _inside, _limit
    with _counting:
        if _inside == 0:
            _limit = _controller().limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _counting:
            _inside -= 1
            if _inside == 0 and _limit is not None:
                _limit.restore_original_limits()
                _limit = None


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
