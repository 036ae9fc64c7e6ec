"""The HTTP service: search, answer, add and remove over one library, and the search page.

    GET    /                        the page (static; it asks for nothing from elsewhere)
    GET    /health                  {"ok": true}; needs no token
    GET    /status                  what the library holds
    GET    /documents               what is stored
    POST   /documents               multipart field "file", may repeat: keep and add
    DELETE /documents/{id}          remove one document
    POST   /search, /answer         a query as JSON or multipart (forms.py)
    POST   /feedback                what somebody says of a hit (feedback.py)
    GET    /units/{id}/picture      the unit's figure; ?sha256= picks one of several
    GET    /units/{id}/page         the image of its page

Every answer but the page and /health needs the bearer token. Errors are problem documents (refusals.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from plait.errors import (
    GenerateError,
    InputError,
    LibraryError,
    LibraryLockedError,
    MissingExtraError,
    PlaitError,
)
from plait.library import Library
from plait.schema import Hit, Picture, Unit
from plait.serve.desk import Desk
from plait.serve.feedback import RecentQueries, check_setting, keep_opinion
from plait.serve.forms import read_search
from plait.serve.guard import Guard
from plait.serve.refusals import MEDIA_TYPE, Refusal
from plait.serve.uploads import add_upload, forget_upload

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WEB = Path(__file__).parent / "web"
_PAGES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


def create_app(
    library: Library,
    *,
    token: str | None,
    hosts: Collection[str] = LOOPBACK,
    max_query_mb: int = 32,
    max_upload_mb: int = 512,
) -> FastAPI:
    """Return the service over an open library.

    Args:
        token: what callers must send as a bearer token; None asks for none, for an app that is
            mounted behind a login of its own.
        hosts: names, without port, under which callers may address the service.
        max_query_mb: largest request to any address but /documents.
        max_upload_mb: largest request to /documents.

    Raises:
        InputError: the library's setting `feedback` is none that there is.
    """
    check_setting(library.settings.feedback)
    app = FastAPI(title="plait", docs_url=None, redoc_url=None, openapi_url=None)
    desk = Desk(library)
    _add_pages(app)
    _add_searching(app, desk)
    _add_documents(app, desk)
    _add_pictures(app, desk)
    _add_errors(app)
    app.add_middleware(
        Guard,
        token=token,
        hosts=hosts,
        body_limit=lambda path: (max_upload_mb if path == "/documents" else max_query_mb) * 1_000_000,
    )
    return app


def _add_pages(app: FastAPI) -> None:
    for address, (name, media_type) in _PAGES.items():
        app.add_route(address, _page(_WEB / name, media_type))

    @app.get("/health")
    async def health() -> dict[str, bool]:
        return {"ok": True}


def _page(file: Path, media_type: str) -> Callable[[Request], Response]:
    def page(_request: Request) -> Response:
        # A browser may keep it, but asks each time whether it changed.
        return FileResponse(file, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return page


def _add_searching(app: FastAPI, desk: Desk) -> None:
    recent = RecentQueries()

    @app.post("/search")
    async def search(request: Request) -> dict[str, Any]:
        asked = await read_search(request)
        start = time.perf_counter()
        hits = await desk.ask(
            lambda library: library.search(asked.query, k=asked.k, method=asked.method, lanes=asked.lanes)
        )
        return {
            "hits": [_shown(hit) for hit in hits],
            "seconds": round(time.perf_counter() - start, 4),
            "query_id": recent.remember(asked.query),
        }

    @app.post("/feedback")
    async def feedback(request: Request) -> dict[str, bool]:
        body = await request.body()
        return {"kept": await desk.ask(lambda library: keep_opinion(library, body, recent))}

    @app.post("/answer")
    async def answer(request: Request) -> dict[str, Any]:
        asked = await read_search(request)
        said = await desk.ask(lambda library: library.answer(asked.query, k=min(asked.k, 20)))
        citations = [{**asdict(c), **_pictures(c.unit_id, c.picture, c.page_picture)} for c in said.citations]
        return {**said.to_dict(), "citations": citations}


def _add_documents(app: FastAPI, desk: Desk) -> None:
    @app.get("/documents")
    async def documents() -> dict[str, Any]:
        stored = await desk.ask(lambda library: library.documents())
        return {"documents": [asdict(document) for document in stored]}

    @app.post("/documents")
    async def add(request: Request) -> Response:
        try:
            async with request.form(max_files=100, max_fields=10) as form:
                files = [file for file in form.getlist("file") if isinstance(file, UploadFile)]
                if not files:
                    raise InputError("send multipart/form-data with one or more files in the field 'file'")
                reports = [await _keep(desk, file) for file in files]
        except MultiPartException as error:
            raise InputError(f"the form cannot be read: {error.message}") from error
        return JSONResponse({"reports": reports}, 422 if all(r["failed"] for r in reports) else 200)

    @app.delete("/documents/{document_id}")
    async def remove(document_id: str) -> dict[str, Any]:
        # Matched against the stored ids here: `Library.remove` also takes paths and patterns, and a
        # caller's "." or "*" must not mean everything.
        def forget(library: Library) -> int:
            known = [d for d in library.documents() if d.id == document_id]
            count = library.remove([document_id]) if known else 0
            for document in known:
                forget_upload(library, document.source)
            return count

        if not await desk.ask(forget):
            raise Refusal(404, "NotFound", "no document has this id; GET /documents lists them")
        return {"removed": 1}

    @app.get("/status")
    async def status() -> dict[str, Any]:
        return (await desk.ask(lambda library: library.status())).to_dict()


def _add_pictures(app: FastAPI, desk: Desk) -> None:
    @app.get("/units/{unit_id}/picture")
    async def picture(unit_id: str, sha256: str = "") -> Response:
        unit = await _unit(desk, unit_id)
        shown = [f.picture for f in unit.figures if f.picture and sha256 in ("", f.picture.sha256)]
        return _file(desk.library, shown[0] if shown else None)

    @app.get("/units/{unit_id}/page")
    async def page_picture(unit_id: str) -> Response:
        return _file(desk.library, (await _unit(desk, unit_id)).page_picture)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return Response(error.body(), error.status, media_type=MEDIA_TYPE)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said = "there is nothing at this address" if error.status_code == 404 else str(error.detail)
        kind = "NotFound" if error.status_code == 404 else "BadRequest"
        return await refused(request, Refusal(error.status_code, kind, said))

    @app.exception_handler(PlaitError)
    async def on_purpose(request: Request, error: Exception) -> Response:
        return await refused(request, Refusal(_status_of(error), type(error).__name__, str(error)))


def _status_of(error: Exception) -> int:
    statuses: tuple[tuple[type[Exception], int], ...] = (
        (InputError, 400),
        (LibraryLockedError, 503),
        (LibraryError, 500),
        (MissingExtraError, 501),
        (GenerateError, 502),
    )
    return next((status for kind, status in statuses if isinstance(error, kind)), 500)


async def _keep(desk: Desk, file: UploadFile) -> dict[str, Any]:
    name = file.filename or ""
    return (await desk.ask(lambda library: add_upload(library, name, file.file))).to_dict()


async def _unit(desk: Desk, unit_id: str) -> Unit:
    unit = await desk.ask(lambda library: library.unit(unit_id))
    if unit is None:
        raise Refusal(404, "NotFound", "no unit has this id; search again, its document may have changed")
    return unit


def _file(library: Library, picture: Picture | None) -> Response:
    """Return a stored picture; whatever an index may say, only files inside the library leave it."""
    path = Path(picture.path).resolve() if picture else None
    if path is None or not path.is_relative_to((library.folder / "pictures").resolve()) or not path.is_file():
        raise Refusal(404, "NotFound", "this unit has no such picture")
    media_type = _MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise Refusal(404, "NotFound", "this picture is not of a kind that can be shown")
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}  # named by its content
    return FileResponse(path, media_type=media_type, headers=headers)


def _shown(hit: Hit) -> dict[str, Any]:
    return {**hit.to_dict(), **_pictures(hit.unit_id, hit.picture, hit.page_picture)}


def _pictures(unit_id: str, picture: str | None, page_picture: str | None) -> dict[str, str | None]:
    """Return addresses on this service in place of paths on this machine."""
    return {
        "picture": f"/units/{unit_id}/picture?sha256={Path(picture).stem}" if picture else None,
        "page_picture": f"/units/{unit_id}/page" if page_picture else None,
    }
