"""What an `add` means when not all of it lies on this disk: addresses are fetched, standard input is kept."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from plait.errors import InputError, ReadError
from plait.library.gather import Found, Gathered, gather
from plait.library.reports import Failure
from plait.library.sources import STANDARD_INPUT, is_address, piped_source

_CHUNK_BYTES = 1 << 20
# By how their files begin; what is none of them is taken for text, and Office documents for archives,
# of which the reader finds out better.
_HEADS = (
    (b"%PDF-", ".pdf"),
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"II*\0", ".tiff"),
    (b"MM\0*", ".tiff"),
    (b"PK\x03\x04", ".zip"),
)
_HTML_HEADS = (b"<!doctype html", b"<html", b"<head", b"<body")


@contextmanager
def brought(
    paths: Sequence[str | Path],
    *,
    library_root: Path,
    ignore: Sequence[str] = (),
    hidden: bool = False,
    urls: bool = False,
    max_file_mb: int = 512,
    name: str = "",
    stream: BinaryIO | None = None,
) -> Iterator[Gathered]:
    """Give the files that some paths mean, as `gather` does, with addresses and "-" among the paths.

    What is fetched or piped lies in a temporary folder meanwhile. An address that cannot be fetched is
    among what is skipped.

    Args:
        library_root, ignore, hidden: as in `gather`.
        urls: addresses of the web may be fetched.
        max_file_mb: longer ones are skipped.
        name: of what comes through standard input ("manual.pdf"); "" names it by its kind.
        stream: standard input, unless given.

    Raises:
        InputError: an address, but not `urls`; "-" twice; a name that is none of a file.
        MissingPathError: as in `gather`.
    """
    written = [str(path) for path in paths]
    addresses = list(dict.fromkeys(path for path in written if is_address(path)))
    if addresses and not urls:
        raise InputError(
            f"{addresses[0]}: addresses are fetched only where that is allowed: add  --allow-urls  to the "
            "command, or set PLAIT_URLS=1"
        )
    if written.count(STANDARD_INPUT) > 1:
        raise InputError("- stands for standard input, which can be read once only: name it once")
    local = [path for path in paths if str(path) != STANDARD_INPUT and not is_address(str(path))]
    with tempfile.TemporaryDirectory(prefix="plait-") as folder:
        found = gather(local, library_root=library_root, ignore=ignore, hidden=hidden)
        if STANDARD_INPUT in written:
            _take_piped(found, Path(folder), stream or sys.stdin.buffer, name, max_file_mb)
        for address in addresses:
            _take_fetched(found, Path(tempfile.mkdtemp(dir=folder)), address, max_file_mb)
        yield found


def _take_piped(found: Gathered, folder: Path, stream: BinaryIO, name: str, max_file_mb: int) -> None:
    """Keep standard input in a file."""
    if name and (Path(name).name != name or "\0" in name):
        raise InputError(f"{name!r} cannot name standard input: use the name of a file, as  manual.pdf")
    own = folder / "piped"
    own.mkdir()
    path, size = own / "body", 0
    with path.open("wb") as file:
        while part := stream.read(_CHUNK_BYTES):
            size += len(part)
            if size > max_file_mb << 20:
                reason = f"has more than the limit of {max_file_mb} MB"
                found.skipped.append(
                    Failure(piped_source(name or "standard input"), reason, "split it, or raise max_file_mb")
                )
                return
            file.write(part)
    with path.open("rb") as file:
        name = name or f"standard-input{_suffix(file.read(1024))}"
    path = path.rename(own / name)
    found.documents.put(Found(path, piped_source(name), own, bytes=size))


def _take_fetched(found: Gathered, folder: Path, address: str, max_file_mb: int) -> None:
    """Fetch an address into a folder of its own."""
    from plait.library.fetching import FetchLimits, fetch

    try:
        fetched = fetch(address, into=folder, limits=FetchLimits(max_file_mb=max_file_mb))
    except ReadError as error:
        found.skipped.append(Failure(error.source, error.reason, error.remedy))
        return
    size = fetched.path.stat().st_size
    found.documents.put(Found(fetched.path, fetched.source, fetched.root, bytes=size))
    found.warnings.extend(f"{fetched.source}: {warning}" for warning in fetched.warnings)


def _suffix(head: bytes) -> str:
    """Return the suffix of a kind of file by how it begins."""
    for mark, suffix in _HEADS:
        if head.startswith(mark):
            return suffix
    words = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if words.startswith(_HTML_HEADS):
        return ".html"
    return ".svg" if words.startswith(b"<svg") else ".txt"
