"""What kind of file this is: its first bytes decide, its name where they leave it open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from plait.data.readers.base import (
    HTML_SUFFIXES,
    IMAGE_SUFFIXES,
    MARKDOWN_SUFFIXES,
    PDF_SUFFIXES,
    SUFFIXES,
    TEXT_SUFFIXES,
    ReadLimits,
    ReadTask,
)
from plait.data.readers.decoding import looks_binary
from plait.errors import ReadError

Kind = Literal["pdf", "html", "markdown", "text", "image"]

_BY_SUFFIX: dict[str, Kind] = {
    **dict.fromkeys(PDF_SUFFIXES, "pdf"),
    **dict.fromkeys(HTML_SUFFIXES, "html"),
    **dict.fromkeys(MARKDOWN_SUFFIXES, "markdown"),
    **dict.fromkeys(TEXT_SUFFIXES, "text"),
    **dict.fromkeys(IMAGE_SUFFIXES, "image"),
}
_NAMES: dict[Kind, str] = {"pdf": "a PDF", "html": "an HTML page", "image": "a picture"}
_IMAGE_HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_HTML_HEAD = re.compile(
    rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!doctype\s+html|<html|<head\b|<body\b)", re.I | re.S
)
_OTHERS = (
    (b"PK\x03\x04", "a ZIP archive or an Office document", "export it as PDF or HTML"),
    (b"\xd0\xcf\x11\xe0", "an old Office document", "export it as PDF or HTML"),
    (b"%!PS", "a PostScript file", "convert it to PDF"),
    (b"\x1f\x8b", "a gzip archive", "unpack it"),
    (b"{\\rtf", "an RTF document", "export it as PDF or HTML"),
)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """The kind of a file, and a sentence if its name says otherwise ("" if not)."""

    kind: Kind
    warning: str = ""


def kind_of(task: ReadTask, limits: ReadLimits) -> Sniffed:
    """Return what kind of file this is.

    Raises:
        ReadError: missing, empty, too large, not a plain file, or of no kind that can be read.
        OSError: it cannot be opened.
    """
    head = _head(task, limits)
    suffix = task.path.suffix.lower()
    named = _BY_SUFFIX.get(suffix)
    found = _by_content(head)
    if found is not None and (found == named or not (found == "html" and named in ("markdown", "text"))):
        warning = "" if found == named else f"named {suffix or 'without a suffix'}, but it is {_NAMES[found]}"
        return Sniffed(found, f"{warning}; read as such" if warning else "")
    _refuse_others(task, head)
    if named in ("pdf", "image"):
        what = "a PDF" if named == "pdf" else "a picture that can be opened"
        raise ReadError(task.source, f"named {suffix}, but it is not {what}", "check where it came from")
    if looks_binary(head):
        raise ReadError(task.source, "binary data, not text", "leave it out, or convert it to PDF or HTML")
    if named is None:
        known = " ".join(sorted(SUFFIXES))
        what = f"named {suffix}" if suffix else "without a suffix"
        raise ReadError(task.source, f"files {what} are not read", f"use one of {known}")
    return Sniffed(named)


def _head(task: ReadTask, limits: ReadLimits) -> bytes:
    """Return the first 8 kB of a file that may be read."""
    path = task.path
    if not path.exists():
        raise ReadError(task.source, "no such file", "check the spelling")
    if not path.is_file():
        raise ReadError(task.source, "not a plain file", "name a file, or a folder of files")
    size = path.stat().st_size
    if size == 0:
        raise ReadError(task.source, "is empty (0 bytes)", "copy or download it again")
    if size > limits.max_file_mb * 2**20:
        reason = f"has {size / 2**20:.0f} MB, more than the limit of {limits.max_file_mb} MB"
        raise ReadError(task.source, reason, "split it, or raise max_file_mb")
    with path.open("rb") as file:
        return file.read(8192)


def _by_content(head: bytes) -> Kind | None:
    # Readers of PDF accept its mark anywhere in the first kilobyte, after mail headers and the like.
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(_IMAGE_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "image"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "image"
    plain = head.replace(b"\0", b"").lstrip(
        b"\xef\xbb\xbf\xff\xfe"
    )  # UTF-16 reads like this without its zeros
    return "html" if _HTML_HEAD.match(plain) else None


def _refuse_others(task: ReadTask, head: bytes) -> None:
    for mark, what, remedy in _OTHERS:
        if head.startswith(mark):
            raise ReadError(task.source, f"it is {what}, which is not read", remedy)
