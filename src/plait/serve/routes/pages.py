"""The search page: static files that hold nothing of any library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

_WEB = Path(__file__).parents[1] / "web"
_MEDIA_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
PAGES = {
    "/" if file.name == "index.html" else f"/{file.name}": file
    for file in sorted(_WEB.iterdir())
    if file.suffix in _MEDIA_TYPES
}


def routes() -> APIRouter:
    """Return a route for each file; they need no key."""
    router = APIRouter()
    for address, file in PAGES.items():
        router.add_api_route(
            address, _page(file), methods=["GET"], include_in_schema=False, response_model=None
        )
    return router


def _page(file: Path) -> Callable[[Request], Response]:
    def page(_request: Request) -> Response:
        # A browser may keep it, but asks each time whether it changed.
        headers = {"Cache-Control": "no-cache"}
        return FileResponse(file, media_type=_MEDIA_TYPES[file.suffix], headers=headers)

    return page
