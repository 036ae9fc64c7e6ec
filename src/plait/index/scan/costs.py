"""What scoring a unit costs on this machine, as measured by the searches so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time

_FIRST_LOOK = 192  # units that are compared exactly at least, once rough scores chose them
_CHOOSING = 1.5e-3  # seconds that choosing takes besides
_MOST = 4096  # units; beyond, rough scores are cheaper on any machine, whatever a disturbed measurement says
_SLOWER = 0.1  # weight of a measurement that is slower than those before: mostly, others kept the processor
_FEWEST = 32  # a measurement of fewer units says more of what a call costs than of what a unit does


class Costs:
    """Seconds a unit of rough and of exact scoring, as the searches so far took; safe to share among threads.

    They begin at what one core of a server took in 2026, and follow faster measurements at once.

    Of rough scoring the time counts that its thread computes: were it the time that passes, other searches
    at work would make exact scoring of thousands seem the cheaper. Of exact scoring it is the time that
    passes, as it may wait for the disk.
    """

    def __init__(self, *, rough_seconds: float = 2e-7, exact_seconds: float = 1.2e-5) -> None:
        self.rough_seconds = rough_seconds
        self.exact_seconds = exact_seconds

    def prefers_exact(self, units: int) -> bool:
        """Whether comparing so many units exactly is cheaper than choosing some by rough scores first."""
        if units <= _FIRST_LOOK:
            return True
        rough_first = _CHOOSING + units * self.rough_seconds + _FIRST_LOOK * self.exact_seconds
        return units <= _MOST and units * self.exact_seconds <= rough_first

    @contextmanager
    def rough(self, units: int) -> Iterator[None]:
        """Measure rough scoring of so many units, on this thread."""
        started = thread_time()
        yield
        self.rough_seconds = _followed(self.rough_seconds, thread_time() - started, units)

    @contextmanager
    def exact(self, units: int) -> Iterator[None]:
        """Measure exact scoring of so many units."""
        started = perf_counter()
        yield
        self.exact_seconds = _followed(self.exact_seconds, perf_counter() - started, units)


def _followed(seconds: float, spent: float, units: int) -> float:
    if units < _FEWEST:
        return seconds
    newest = spent / units
    return newest if newest < seconds else (1 - _SLOWER) * seconds + _SLOWER * newest
