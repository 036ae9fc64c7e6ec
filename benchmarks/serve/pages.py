"""Pages to add while others search: real sections of manuals, as HTML files, sent as a browser would."""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from benchmarks.real_input.fetch import CACHE
from benchmarks.search.real_material import units_file, units_in
from plait.schema import Unit

_FROM = ("erlang-doc", "postgresql-doc-15", "python3.11-doc", "sqlite3-doc")
_SECTIONS = 3  # of a page: a printed page or so
_SKIPPED = 1000  # units; most of the library's come before
_FILES_AT_ONCE = 50
_BOUNDARY = "plait-benchmark-boundary"

Page = tuple[str, bytes]  # name and HTML


def pages(count: int) -> list[Page]:
    """Return so many pages, of units that the library does not hold word for word."""
    units: list[Unit] = []
    for package in _FROM:
        every = list(units_in(units_file(package, cache=CACHE, work=CACHE / "ret-vectors")))
        units += every[_SKIPPED : _SKIPPED + _SECTIONS * -(-count // len(_FROM))]
    groups = [units[first : first + _SECTIONS] for first in range(0, len(units), _SECTIONS)]
    return [(f"page-{number}.html", _html(group, number)) for number, group in enumerate(groups[:count])]


async def sent(address: str, every: Sequence[Page]) -> int:
    """Send pages to a service, a few at a time; return how many it had added when it was done with all."""
    waiting: list[str] = []
    for first in range(0, len(every), _FILES_AT_ONCE):
        said = await _asked(address, "POST", "/documents", _form(every[first : first + _FILES_AT_ONCE]))
        waiting += [str(job["id"]) for job in said["jobs"]]
    added = 0
    for job in waiting:
        while (said := await _asked(address, "GET", f"/jobs/{job}"))["state"] in ("waiting", "adding"):
            await asyncio.sleep(1.0)
        added += said["state"] == "added"
    return added


def _html(units: Sequence[Unit], number: int) -> bytes:
    parts = [f"<!doctype html><meta charset=utf-8><title>{html.escape(units[0].title)} {number}</title>"]
    for unit in units:
        parts.append(f"<h1>{html.escape(' '.join(unit.section[-1:]) or unit.title)}</h1>")
        parts += [f"<p>{html.escape(passage.text)}</p>" for passage in unit.passages[:4]]
    return "\n".join(parts).encode()


def _form(some: Sequence[Page]) -> bytes:
    parts = []
    for name, data in some:
        head = (
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/html\r\n'
        )
        parts.append(f"--{_BOUNDARY}\r\n{head}\r\n".encode() + data + b"\r\n")
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


async def _asked(address: str, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
    """Return what the service answers; each time over a connection of its own."""
    parts = urlsplit(address)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        f"Authorization: Bearer {parts.fragment.removeprefix('token=')}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(head.encode() + body)
    await writer.drain()
    said = await reader.read()
    writer.close()
    status, _, content = said.partition(b"\r\n\r\n")
    if int(status.split(b" ", 2)[1]) >= 300:
        raise ValueError(f"{method} {path}: {said[:300]!r}")
    found: dict[str, Any] = json.loads(content)
    return found
