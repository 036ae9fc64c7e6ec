"""Tools for assistants over the Model Context Protocol, spoken on standard input and output.

Standard output belongs to the protocol: while the server runs, whatever else writes to it, from
Python or from a C library, goes to standard error.
"""

from __future__ import annotations

import base64
import binascii
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from plait.errors import InputError, PlaitError, QueryError
from plait.library import Library
from plait.schema import Hit, Image, Query

T = TypeVar("T")

MAX_HITS = 50
_MAX_IMAGE_BYTES = 32_000_000

_SEARCH = {
    "name": "search",
    "description": (
        "Find places in the user's illustrated documents by words, by a picture, or by both at once. "
        "Returns ranked hits: title, place (page or section), the best passage, and paths of pictures."
    ),
    "inputSchema": {
        "type": "object",
        "properties": {
            "text": {"type": "string", "maxLength": 20_000, "description": "What to look for, in words."},
            "image_path": {"type": "string", "description": "A picture file on this machine."},
            "image_base64": {"type": "string", "description": "The bytes of a PNG, JPEG or WebP, in base64."},
            "k": {"type": "integer", "minimum": 1, "maximum": MAX_HITS, "default": 10},
        },
        "additionalProperties": False,
    },
}
_STATUS = {
    "name": "status",
    "description": "Say what the library holds: how many documents, sections and figures, and where it is.",
    "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
}


def create_server(library: Library) -> Server:
    """Return an MCP server with the tools `search` and `status` over an open library."""
    server: Server = Server("plait", instructions="Search the user's own illustrated documents.")
    turn = anyio.Lock()

    async def ask(call: Callable[[Library], T]) -> T:
        async with turn:
            return await anyio.to_thread.run_sync(call, library)

    async def list_tools() -> list[types.Tool]:
        return [types.Tool(**_SEARCH), types.Tool(**_STATUS)]

    async def call_tool(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if name == "status":
            return (await ask(lambda opened: opened.status())).to_dict()
        if name != "search":
            raise InputError(f"there is no tool {name!r}: use search or status")
        query, k = _query(arguments), int(arguments.get("k", 10))
        hits = await ask(lambda opened: _searched(opened, query, k))
        return {"hits": [_shown(hit) for hit in hits]}

    server.list_tools()(list_tools)
    server.call_tool()(call_tool)
    return server


def run_stdio(library: Library) -> None:
    """Serve a library on standard input and output until the input ends."""
    with _own_stdout() as stdout:
        anyio.run(_speak, create_server(library), stdout)


async def _speak(server: Server, stdout: TextIOWrapper) -> None:
    async with stdio_server(stdout=anyio.wrap_file(stdout)) as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


@contextmanager
def _own_stdout() -> Iterator[TextIOWrapper]:
    """Give a private copy of standard output, and point the public one at standard error meanwhile."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(private), "w", encoding="utf-8") as stdout:
            yield stdout
    finally:
        sys.stdout.flush()
        os.dup2(private, 1)
        os.close(private)


def _query(arguments: Mapping[str, Any]) -> Query:
    """Return the query of a tool call.

    Raises:
        QueryError: nothing is asked, two pictures are given, or one is not base64.
    """
    path, encoded = arguments.get("image_path"), arguments.get("image_base64")
    if path and encoded:
        raise QueryError("give image_path or image_base64, not both")
    images: tuple[Image, ...] = (path,) if path else (_decoded(encoded),) if encoded else ()
    return Query(texts=(arguments.get("text", ""),), images=images)


def _decoded(encoded: str) -> bytes:
    if len(encoded) > _MAX_IMAGE_BYTES * 4 // 3:
        raise QueryError(f"the picture is larger than {_MAX_IMAGE_BYTES / 1e6:g} MB: send a smaller one")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise QueryError("image_base64 is not valid base64") from error


def _searched(library: Library, query: Query, k: int) -> list[Hit]:
    try:
        return library.search(query, k=k)
    except PlaitError:
        raise
    except Exception as error:  # the protocol would hand the text of any error to the assistant
        print(f"plait: search failed: {error!r}", file=sys.stderr)
        raise PlaitError("the search failed; the server's standard error says why") from error


def _shown(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "score": round(hit.score, 4),
        "title": hit.title,
        "place": hit.place,
        "passage": hit.passage,
        "caption": hit.caption,
        "source": hit.source,
        "page": hit.page,
        "picture": hit.picture,
        "page_picture": hit.page_picture,
        "document_id": hit.document_id,
        "unit_id": hit.unit_id,
        "lanes": {name: round(score, 4) for name, score in hit.lanes.items()},
    }
