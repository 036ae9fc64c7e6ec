"""What scoring a unit costs on this machine, as measured by the searches so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

_FIRST_LOOK = 128  # units that are compared exactly at least, once rough scores chose them
_NEWEST = 0.2  # weight of the newest measurement in the running mean
_FEWEST = 32  # a measurement of fewer units says more of what a call costs than of what a unit does


class Costs:
    """Seconds a unit of rough and of exact scoring, as running means; safe to use from several threads.

    The means begin at what one core of a server took in 2026, and follow the first searches soon.
    """

    def __init__(self, *, rough_seconds: float = 2e-7, exact_seconds: float = 1.2e-5) -> None:
        self.rough_seconds = rough_seconds
        self.exact_seconds = exact_seconds

    def prefers_exact(self, units: int) -> bool:
        """Whether comparing so many units exactly is cheaper than choosing some by rough scores first."""
        chosen = min(units, _FIRST_LOOK)
        return units * self.exact_seconds <= units * self.rough_seconds + chosen * self.exact_seconds

    @contextmanager
    def rough(self, units: int) -> Iterator[None]:
        """Measure rough scoring of so many units."""
        started = perf_counter()
        yield
        self.rough_seconds = _mean(self.rough_seconds, started, units)

    @contextmanager
    def exact(self, units: int) -> Iterator[None]:
        """Measure exact scoring of so many units."""
        started = perf_counter()
        yield
        self.exact_seconds = _mean(self.exact_seconds, started, units)


def _mean(seconds: float, started: float, units: int) -> float:
    if units < _FEWEST:
        return seconds
    return (1 - _NEWEST) * seconds + _NEWEST * (perf_counter() - started) / units
