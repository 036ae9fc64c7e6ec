"""What documents consist of: units, their pictures, and parts."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from plait.library.listing import Neighboured, unit_of
from plait.schema import Picture, Unit
from plait.serve.callers import allowed
from plait.serve.models.operations import answers, pictures
from plait.serve.refusals import Refusal
from plait.serve.shelves import Shelf, shelf_of
from plait.serve.showing import shown_part, shown_unit

_MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
_Id = Annotated[str, Path(max_length=500)]


def routes() -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["reading"])

    @router.get("/units/{unit_id}", responses=answers("Unit", 400, 404))
    async def unit(request: Request, unit_id: _Id) -> JSONResponse:
        """Return a page or section as it is stored, its pictures as addresses. Right: search."""
        allowed(request, "search")
        return JSONResponse(shown_unit(await _unit(shelf_of(request), unit_id)))

    @router.get("/units/{unit_id}/picture", responses=pictures(), response_class=Response)
    async def picture(
        request: Request,
        unit_id: _Id,
        sha256: Annotated[str, Query(max_length=64, description="which; empty for its first figure")] = "",
    ) -> Response:
        """Return a figure, a drawn table or the page of a unit. Right: search."""
        allowed(request, "search")
        shelf = shelf_of(request)
        found = (await _unit(shelf, unit_id)).unit
        shown = [one for one in found.pictures if one.sha256 == sha256] if sha256 else _figures(found)
        return _file(shelf, shown[0] if shown else None)

    @router.get("/units/{unit_id}/page", responses=pictures(), response_class=Response)
    async def page(request: Request, unit_id: _Id) -> Response:
        """Return the image of a unit's page. Right: search."""
        allowed(request, "search")
        shelf = shelf_of(request)
        return _file(shelf, (await _unit(shelf, unit_id)).unit.page_picture)

    @router.get("/parts/{part_id}", responses=answers("Part", 400, 404))
    async def part(request: Request, part_id: _Id) -> JSONResponse:
        """Return a document, section, page, passage, figure or table with its neighbours. Right: search."""
        allowed(request, "search")
        found = await shelf_of(request).desk.ask(lambda library: library.part(part_id))
        if found is None:
            raise Refusal(404, "NotFound", "no part has this id; search again, its document may have changed")
        return JSONResponse(shown_part(found))

    return router


async def _unit(shelf: Shelf, unit_id: str) -> Neighboured:
    found = await shelf.desk.ask(lambda library: unit_of(library, unit_id))
    if found is None:
        raise Refusal(404, "NotFound", "no unit has this id; search again, its document may have changed")
    return found


def _figures(unit: Unit) -> list[Picture]:
    return [figure.picture for figure in unit.figures if figure.picture]


def _file(shelf: Shelf, picture: Picture | None) -> Response:
    """Return a stored picture; whatever an index may say, only files inside the library leave it."""
    inside = shelf.library.folder.resolve() / "pictures"
    path = FilePath(shelf.library.folder / picture.path).resolve() if picture else None
    if path is None or not path.is_relative_to(inside) or not path.is_file():
        raise Refusal(404, "NotFound", "this unit has no such picture")
    media_type = _MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise Refusal(404, "NotFound", "this picture is not of a kind that can be shown")
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}  # named by its content
    return FileResponse(path, media_type=media_type, headers=headers)
