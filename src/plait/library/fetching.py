"""A page of the web, and the pictures it shows, as files; off unless the user allows it."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from plait.data.readers import base
from plait.errors import ReadError
from plait.library.fetching_client import Answer, Client
from plait.library.fetching_network import Deadline, FetchError, Network
from plait.library.fetching_page import picture_addresses, with_pictures

_OFFICE = "application/vnd.openxmlformats-officedocument"
_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/vtt": ".vtt",
    "message/rfc822": ".eml",
    "application/epub+zip": ".epub",
    "application/zip": ".zip",
    "application/x-ipynb+json": ".ipynb",
    f"{_OFFICE}.wordprocessingml.document": ".docx",
    f"{_OFFICE}.presentationml.presentation": ".pptx",
    f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
}
_PICTURES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/tiff": ".tiff",
    "image/bmp": ".bmp",
    "image/svg+xml": ".svg",
    "image/avif": ".avif",
    "image/heic": ".heic",
}
# Types that say nothing: the name decides.
_VAGUE = frozenset({"", "application/octet-stream", "binary/octet-stream", "text/plain"})
_ANYTHING = "text/html, application/xhtml+xml, application/pdf, text/*;q=0.9, */*;q=0.5"
_CHARSETS = re.compile(r"(?:utf|us-ascii|iso|latin|windows|koi8|shift|euc|gb|big)[\w-]*", re.ASCII)
_LARGEST_PAGE_BYTES = 32 * 2**20  # of HTML, which is looked through in memory


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one address may cost.

    Attributes:
        max_file_mb: longer files are refused.
        total_seconds: for the page, and again for all its pictures.
        max_pictures, max_pictures_mb: more pictures of a page are left out.
        ports: where servers may listen.
    """

    max_file_mb: int = 512
    total_seconds: float = 30.0
    max_pictures: int = 100
    max_pictures_mb: int = 64
    ports: frozenset[int] = frozenset({80, 443})


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page as files.

    Attributes:
        path: the page itself, with its pictures beside it.
        source: its address, without "#part".
        root: the folder of all its files.
        warnings: what was left out, one sentence each.
    """

    path: Path
    source: str
    root: Path
    warnings: tuple[str, ...] = ()


def fetch(
    address: str, *, into: Path, limits: FetchLimits | None = None, network: Network | None = None
) -> Fetched:
    """Fetch what is at an address, and if it is an HTML page the pictures it shows, but no other page.

    Only servers of the public internet are asked: an address, a redirect or a picture that leads to this
    machine or its local network is refused; see `fetching_network`.

    Args:
        address: of http or https.
        into: an empty folder.

    Raises:
        ReadError: it cannot or must not be fetched, or is nothing that is read.
    """
    limits = limits or FetchLimits()
    try:
        with Client(network or Network(), ports=limits.ports) as client:
            return _fetched(client, address.partition("#")[0], into, limits)
    except FetchError as error:
        raise ReadError(address, error.reason, error.remedy) from error
    except OSError as error:
        reason = f"cannot be kept ({error.strerror or error})"
        raise ReadError(address, reason, "check the room in the folder of temporary files") from error


def _fetched(client: Client, address: str, into: Path, limits: FetchLimits) -> Fetched:
    body = into / "body"
    answer = client.get(
        address,
        body,
        max_bytes=limits.max_file_mb * 2**20,
        deadline=Deadline(limits.total_seconds),
        accept=_ANYTHING,
    )
    suffix = _suffix(answer, {**_SUFFIXES, **_PICTURES}, base.SUFFIXES)
    page = body.rename(into / f"{_name(answer.address)}{suffix}")
    warnings: list[str] = []
    if suffix == ".html":
        _add_pictures(client, page, answer, limits, warnings)
    return Fetched(page, address, into, tuple(warnings))


def _suffix(answer: Answer, types: Mapping[str, str], names: frozenset[str]) -> str:
    """Return the suffix of the kind of file that came, by its type, or by its name where that says nothing.

    Raises:
        FetchError: it is of no kind that is read.
    """
    named = PurePosixPath(urlsplit(answer.address).path).suffix.lower()
    if answer.type in _VAGUE and named in names:
        return named
    if answer.type not in types:
        what = answer.type[:60] or "of no type"
        raise FetchError(f"is {what}, which is not read", "download it, and convert it to PDF or HTML")
    return types[answer.type]


def _name(address: str) -> str:
    """Return a name for the file at an address, safe on every system, without a suffix."""
    parts = urlsplit(address)
    words = PurePosixPath(unquote(parts.path)).stem or parts.hostname or "page"
    return re.sub(r"[^\w.-]+", "-", words, flags=re.ASCII).strip("-.")[:80] or "page"


def _add_pictures(
    client: Client, page: Path, answer: Answer, limits: FetchLimits, warnings: list[str]
) -> None:
    """Fetch the pictures of a page into its folder, and let the page show them."""
    if answer.bytes > _LARGEST_PAGE_BYTES:
        warnings.append("the page is too long for its pictures to be fetched")
        return
    markup, charset = _decoded(page.read_bytes(), answer.charset)
    names: dict[str, str] = {}
    problems: Counter[str] = Counter()
    deadline, left = Deadline(limits.total_seconds), limits.max_pictures_mb * 2**20
    for count, address in enumerate(picture_addresses(markup, answer.address)):
        if count >= limits.max_pictures:
            problems[f"a page has more than {limits.max_pictures}"] += 1
            continue
        try:
            file = _fetched_picture(client, address, page.parent, left, deadline)
        except FetchError as error:
            problems[error.reason] += 1
        else:
            names[address] = file.name
            left -= file.stat().st_size
    page.write_bytes(with_pictures(markup, answer.address, names).encode(charset, "surrogateescape"))
    warnings += [
        f"left out {count} picture{'s' if count > 1 else ''}: {reason}"
        for reason, count in sorted(problems.items())
    ]


def _fetched_picture(client: Client, address: str, into: Path, max_bytes: int, deadline: Deadline) -> Path:
    """Return the file of a picture, named by its content, so that the page changes when it does."""
    body = into / "body"
    answer = client.get(address, body, max_bytes=max_bytes, deadline=deadline, accept="image/*")
    suffix = _suffix(answer, _PICTURES, base.IMAGE_SUFFIXES)
    digest = hashlib.sha256(body.read_bytes()).hexdigest()[:16]
    return body.rename(into / f"picture-{digest}{suffix}")


def _decoded(data: bytes, charset: str) -> tuple[str, str]:
    """Return a page as text, and the encoding to write it in again.

    What the server says of its letters is lost with the file, so the page is then written as UTF-8 with
    the mark that says so. Without a word of the server, its bytes stay: the reader finds their encoding.
    """
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        charset = "utf-8" if data.startswith(codecs.BOM_UTF8) else "utf-16"
    try:
        if _CHARSETS.fullmatch(charset):
            return data.decode(charset, "replace").removeprefix("\ufeff"), "utf-8-sig"
    except LookupError:
        pass
    return data.decode("ascii", "surrogateescape"), "ascii"
