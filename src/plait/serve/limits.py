"""How much, how often and how long: limits of the service, and the counting that they need."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from plait.errors import InputError
from plait.serve.refusals import too_many
from plait.settings import Settings

Clock = Callable[[], float]
_MOST_NAMES = 4096  # of which it is known how often they came; the one that came longest ago is forgotten
_MOST_AT_ONCE = 1000  # requests of one caller; opening the page takes some dozens
_LEAST = {"requests_per_minute": 1, "request_mb": 1, "upload_mb": 1, "request_seconds": 0}


@dataclass(frozen=True, slots=True)
class Limits:
    """What requests may cost.

    Attributes:
        query_mb: largest body of a request that adds nothing.
        upload_mb: largest body of a request that adds documents.
        body_grace_seconds, body_bytes_per_second: a body may be waited for this long, and longer by what
            came of it at this speed.
        in_flight, in_flight_per_caller: requests that are worked on at a time.
        requests_per_second, burst: of one caller, in the long run and at once.
        request_seconds: after which a request is refused that has not begun to be answered, unless it is one
            of those that add documents; 0 is never.
        failures_per_second, failure_burst: requests with a wrong token or key, or none, from one address;
            a right one is never refused for them.
    """

    query_mb: int = 32
    upload_mb: int = 512
    body_grace_seconds: float = 20.0
    body_bytes_per_second: float = 16_000.0
    in_flight: int = 128
    in_flight_per_caller: int = 32
    requests_per_second: float = 200.0
    burst: int = _MOST_AT_ONCE
    request_seconds: float = 0.0
    failures_per_second: float = 0.5
    failure_burst: int = 30

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Return the limits that an operator has set.

        Raises:
            InputError: one that would let nothing pass.
        """
        for name, least in _LEAST.items():
            value = getattr(settings, name)
            if not value >= least:
                raise InputError(f"setting {name} must be at least {least}, got {value}")
        return cls(
            query_mb=settings.request_mb,
            upload_mb=settings.upload_mb,
            requests_per_second=settings.requests_per_minute / 60,
            burst=min(settings.requests_per_minute, _MOST_AT_ONCE),
            request_seconds=settings.request_seconds,
        )


class Rate:
    """A bucket of tokens for each name: each request takes one, and they come back with time.

    Args:
        per_second: tokens that come back.
        burst: tokens of a full bucket.
        clock: seconds that only grow.
    """

    def __init__(self, per_second: float, burst: int, *, clock: Clock = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and when

    def take(self, name: str) -> float:
        """Take a token; return 0, or the seconds until there is one, if there is none."""
        now = self._clock()
        left, when = self._buckets.pop(name, (self._burst, now))
        left = min(self._burst, left + (now - when) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[name] = (left if wait else left - 1), now
        if len(self._buckets) > _MOST_NAMES:
            self._buckets.popitem(last=False)
        return wait


class InFlight:
    """Counts what is worked on, of each caller and in all."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._of: Counter[str] = Counter()

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Count one request of a caller meanwhile.

        Raises:
            Refusal: 429, too many of this caller; 503, too many in all.
        """
        if self._of[name] >= self._most_of_one:
            said = f"{self._most_of_one} requests of this key are being worked on: wait for their answers"
            raise too_many(said, 1)
        if self._of.total() >= self._most:
            raise too_many("the service is busy: try again in a moment", 1, status=503, kind="Busy")
        self._of[name] += 1
        try:
            yield
        finally:
            self._of[name] -= 1
            if not self._of[name]:
                del self._of[name]
