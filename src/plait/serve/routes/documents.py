"""Documents: listed a page at a time, sent, looked at, removed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from plait.data.parts import PartKind
from plait.errors import InputError
from plait.library import Library
from plait.library.listing import document_of, listed
from plait.serve.callers import allowed, concerns
from plait.serve.forms import read_filters
from plait.serve.jobs import Job, Jobs
from plait.serve.models.operations import answers, takes_files
from plait.serve.refusals import Refusal
from plait.serve.routes.house import House
from plait.serve.shelves import shelf_of
from plait.serve.showing import shown_part
from plait.serve.uploads import forget_upload, safe_name

_MAX_FILES = 100  # of one request
_MAX_SAID = 4000  # characters of what is said of files that failed
_MAX_WAIT = 60  # seconds; below the time after which proxies give up
_DocumentId = Annotated[str, Path(max_length=500)]


def routes(house: House) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["documents"])

    @router.get("/documents", responses=answers("Documents", 400))
    async def documents(
        request: Request,
        after: Annotated[str, Query(max_length=6000, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        filters: Annotated[str, Query(max_length=2000, description="JSON list of filters")] = "[]",
    ) -> JSONResponse:
        """List documents by source; with filters, those of which some unit passes. Right: search."""
        allowed(request, "search")
        wanted = read_filters(filters)
        page = await shelf_of(request).desk.ask(
            lambda library: listed(library, after=after, limit=limit, filters=wanted)
        )
        every = [asdict(document) for document in page.documents]
        return JSONResponse({"documents": every, "total": page.total, "next": page.next})

    @router.post(
        "/documents",
        status_code=202,
        responses={**answers("JobList", 400, 422, 507), **answers("JobList", status=202)},
        openapi_extra=takes_files(_MAX_FILES),
    )
    async def send(
        request: Request,
        wait: Annotated[float, Query(ge=0, le=_MAX_WAIT, allow_inf_nan=False)] = 0,
    ) -> JSONResponse:
        """Keep files, and add them in the background. Right: add.

        202 as soon as they are safe on disk. With `wait`, 200 once all have been tried, if that takes no
        longer than so many seconds; or 422 if none could be added. A file of a name that was sent before
        replaces it.
        """
        allowed(request, "add")
        there = await house.jobs(request)
        sent = await _accepted(request, there)
        concerns(request, *(job.id for job in sent))
        if wait:
            sent = await there.finished([job.id for job in sent], seconds=wait)
        if all(job.state == "failed" for job in sent):
            raise Refusal(422, "NotAdded", "; ".join(map(_failure, sent))[:_MAX_SAID])
        is_done = all(job.is_finished for job in sent)
        return JSONResponse({"jobs": [job.to_dict() for job in sent]}, 200 if is_done else 202)

    @router.get("/documents/{document_id}", responses=answers("StoredDocument", 400, 404))
    async def document(request: Request, document_id: _DocumentId) -> JSONResponse:
        """Say what is known of a document. Right: search."""
        allowed(request, "search")
        found = await shelf_of(request).desk.ask(lambda library: document_of(library, document_id))
        if found is None:
            raise _unknown()
        return JSONResponse(asdict(found))

    @router.delete("/documents/{document_id}", responses=answers("Removed", 400, 404))
    async def remove(request: Request, document_id: _DocumentId) -> JSONResponse:
        """Remove a document, its pictures, and its file if it was sent here. Right: remove."""
        allowed(request, "remove")
        if not await shelf_of(request).desk.ask(lambda library: _removed(library, document_id)):
            raise _unknown()
        return JSONResponse({"removed": 1})

    @router.get("/documents/{document_id}/parts", responses=answers("PartsPage", 400, 404))
    async def parts(
        request: Request,
        document_id: _DocumentId,
        kind: PartKind | None = None,
        after: Annotated[str, Query(max_length=1000, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> JSONResponse:
        """List a document's parts in its order: pages, sections, passages, figures, tables. Right: search."""
        allowed(request, "search")
        desk = shelf_of(request).desk
        if await desk.ask(lambda library: document_of(library, document_id)) is None:
            raise _unknown()
        there = await desk.ask(lambda library: library.parts(document_id))
        every = there.every if kind is None else there.of_kind(kind)
        ids = [part.id for part in every]
        if after and after not in ids:
            raise InputError(
                "after must be the id of a part of this document and kind: begin anew without it"
            )
        first = ids.index(after) + 1 if after else 0
        shown = [shown_part(part) for part in every[first : first + limit]]
        following = ids[first + limit - 1] if first + limit < len(every) else ""
        return JSONResponse({"parts": shown, "total": len(every), "next": following})

    return router


async def _accepted(request: Request, jobs: Jobs) -> list[Job]:
    """Keep every file of a form, and return its job; none is kept where a name cannot be.

    Raises:
        InputError: there is none, or something else, or its name cannot be used.
        Refusal: they cannot be kept.
    """
    try:
        async with request.form(max_files=_MAX_FILES, max_fields=1) as form:
            files = [file for name, file in form.multi_items() if name == "file"]
            sent = [(safe_name(file.filename or ""), file) for file in files if isinstance(file, UploadFile)]
            if not sent or len(sent) < len(form.multi_items()):
                raise InputError("send multipart/form-data with files in the field 'file', and nothing else")
            return [await anyio.to_thread.run_sync(jobs.accept, name, file.file) for name, file in sent]
    except MultiPartException as error:
        raise InputError(f"the form cannot be read: {error.message}") from error


def _failure(job: Job) -> str:
    return f"{job.name}: {job.reason}; {job.remedy}"


def _removed(library: Library, document_id: str) -> int:
    """Remove a document, and return how many went.

    It is looked up first: `Library.remove` also takes paths and patterns, and a caller's "." or "*" must
    not mean everything.
    """
    document = document_of(library, document_id)
    if document is None:
        return 0
    count = library.remove([document_id])
    library.renew()  # nobody finds it once this is answered
    forget_upload(library, document.source)
    return count


def _unknown() -> Refusal:
    return Refusal(404, "NotFound", "no document has this id; GET /documents lists them")
