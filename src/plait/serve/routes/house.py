"""What all routes share, whoever is calling."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from plait.serve.jobs import Jobs, Workshop
from plait.serve.limits import Limits
from plait.serve.metrics import Metrics
from plait.serve.shelves import shelf_of


@dataclass(frozen=True, slots=True)
class House:
    """The one of a service.

    Attributes:
        workshop: adds what was sent.
        metrics: counts what is done.
        limits: what requests may cost.
    """

    workshop: Workshop
    metrics: Metrics
    limits: Limits

    def jobs(self, request: Request) -> Jobs:
        """Return the jobs of a caller's library."""
        return self.workshop.jobs(shelf_of(request).library)
