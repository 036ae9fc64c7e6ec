"""What all routes share, whoever is calling."""

from __future__ import annotations

from dataclasses import dataclass

import anyio.to_thread
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

    async def jobs(self, request: Request) -> Jobs:
        """Return the jobs of a caller's library; its calls may touch the disk, so they belong in a thread."""
        return await anyio.to_thread.run_sync(self.workshop.jobs, shelf_of(request).library)
