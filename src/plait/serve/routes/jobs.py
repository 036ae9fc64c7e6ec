"""Files that were sent: how far each is."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse

from plait.serve.callers import allowed
from plait.serve.jobs import JobState
from plait.serve.models.operations import answers
from plait.serve.refusals import Refusal
from plait.serve.routes.house import House

_JobId = Annotated[str, Path(max_length=100)]
_NONE = "no job has this id; GET /jobs lists them, and finished ones are forgotten after some days"


def routes(house: House) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["documents"])

    @router.get("/jobs", responses=answers("JobList", 400))
    async def jobs(
        request: Request, state: JobState | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 200
    ) -> JSONResponse:
        """List what was sent, newest first. Right: add."""
        allowed(request, "add")
        every = (await house.jobs(request)).all
        found = await anyio.to_thread.run_sync(lambda: every(state=state, limit=limit))
        return JSONResponse({"jobs": [job.to_dict() for job in found]})

    @router.get("/jobs/{job_id}", responses=answers("Job", 400, 404))
    async def job(request: Request, job_id: _JobId) -> JSONResponse:
        """Say how far one is. Right: add."""
        allowed(request, "add")
        found = await anyio.to_thread.run_sync((await house.jobs(request)).job, job_id)
        if found is None:
            raise Refusal(404, "NotFound", _NONE)
        return JSONResponse(found.to_dict())

    @router.delete("/jobs/{job_id}", responses=answers("Cancelled", 400, 404, 409))
    async def cancel(request: Request, job_id: _JobId) -> JSONResponse:
        """Forget one that waits, with its file, or one that has ended. Right: add."""
        allowed(request, "add")
        there = await house.jobs(request)
        if await anyio.to_thread.run_sync(there.cancel, job_id):
            return JSONResponse({"cancelled": True})
        if await anyio.to_thread.run_sync(there.job, job_id) is None:
            raise Refusal(404, "NotFound", _NONE)
        raise Refusal(
            409, "BeingAdded", "this file is being added: wait for its end, then DELETE its document"
        )

    return router
