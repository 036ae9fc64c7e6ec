"""What the service counts of its own work, in Prometheus' text form."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as MEDIA_TYPE
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plait.serve.jobs import JobState

__all__ = ["MEDIA_TYPE", "Measuring", "Metrics"]

_SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.12, 0.2, 0.3, 0.5, 1, 2, 5, 15, 60)  # the goals are 0.08 and 0.2
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"  # what clients may choose freely would make labels without end


class Metrics:
    """Counters of one service; two in one process do not mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        here = self._registry
        self._requests = Counter(
            "plait_requests",
            "Requests answered, by the route's template; other: refused before any route, or no such route.",
            ["method", "route", "status"],
            registry=here,
        )
        self._seconds = Histogram(
            "plait_request_seconds",
            "Time from a request's head to the end of its answer.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=here,
        )
        self._searching = Gauge("plait_searches_in_flight", "Searches that wait or run.", registry=here)
        self._documents = Gauge("plait_documents", "Documents in the owner's library.", registry=here)
        self._units = Gauge("plait_units", "Units in the owner's library.", registry=here)
        self._jobs = Gauge("plait_jobs", "Sent files of the owner's library.", ["state"], registry=here)
        ProcessCollector(namespace="plait", registry=here)

    @contextmanager
    def searching(self) -> Iterator[None]:
        """Count one more search in flight meanwhile."""
        with self._searching.track_inprogress():
            yield

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answer.

        Args:
            route: its template; "" where no route took the request.
            status: 0 where the client went away before any.
        """
        known = method if method in _METHODS else _OTHER
        self._requests.labels(known, route or _OTHER, str(status) if status else "gone").inc()
        self._seconds.labels(known, route or _OTHER).observe(seconds)

    def text(self, *, documents: int, units: int, jobs: Mapping[JobState, int]) -> bytes:
        """Return everything in Prometheus' text form, with what the library holds now."""
        self._documents.set(documents)
        self._units.set(units)
        for state, count in jobs.items():
            self._jobs.labels(state).set(count)
        return generate_latest(self._registry)


class Measuring:
    """ASGI middleware, the outermost: counts every answer, refusals too."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, start = 0, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - start
            self._metrics.answered(scope["method"], route_of(scope), status, seconds)


def route_of(scope: Scope) -> str:
    """Return the template of the route that took a request; "" where none did."""
    return str(getattr(scope.get("route"), "path", ""))
