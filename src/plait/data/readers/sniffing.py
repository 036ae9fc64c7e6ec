"""What kind of file this is: its first bytes decide, its name where they leave it open."""

from __future__ import annotations

import lzma
import os
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from plait.data.readers import base
from plait.data.readers.base import SUFFIXES, ReadLimits, ReadTask
from plait.data.readers.decoding import looks_binary
from plait.errors import ReadError

Kind = Literal[
    "pdf",
    "html",
    "epub",
    "markdown",
    "text",
    "word",
    "slides",
    "open text",
    "open slides",
    "sheets",
    "delimited",
    "notebook",
    "mail",
    "archive",
    "video",
    "subtitles",
    "drawing",
    "image",
]

_BY_SUFFIX: dict[str, Kind] = {
    **dict.fromkeys(base.PDF_SUFFIXES, "pdf"),
    **dict.fromkeys(base.HTML_SUFFIXES, "html"),
    **dict.fromkeys(base.EPUB_SUFFIXES, "epub"),
    **dict.fromkeys(base.MARKDOWN_SUFFIXES, "markdown"),
    **dict.fromkeys(base.TEXT_SUFFIXES, "text"),
    **dict.fromkeys(base.WORD_SUFFIXES, "word"),
    **dict.fromkeys(base.SLIDES_SUFFIXES, "slides"),
    **dict.fromkeys(base.OPEN_TEXT_SUFFIXES, "open text"),
    **dict.fromkeys(base.OPEN_SLIDES_SUFFIXES, "open slides"),
    **dict.fromkeys(base.SHEET_SUFFIXES, "sheets"),
    **dict.fromkeys(base.DELIMITED_SUFFIXES, "delimited"),
    **dict.fromkeys(base.NOTEBOOK_SUFFIXES, "notebook"),
    **dict.fromkeys(base.MAIL_SUFFIXES, "mail"),
    **dict.fromkeys(base.ARCHIVE_SUFFIXES, "archive"),
    **dict.fromkeys(base.VIDEO_SUFFIXES, "video"),
    **dict.fromkeys(base.SUBTITLE_SUFFIXES, "subtitles"),
    **dict.fromkeys(base.DRAWING_SUFFIXES, "drawing"),
    **dict.fromkeys(base.IMAGE_SUFFIXES, "image"),
}
_NAMES: dict[Kind, str] = {
    "pdf": "a PDF",
    "html": "an HTML page",
    "epub": "an EPUB book",
    "word": "a Word document",
    "slides": "a PowerPoint file",
    "open text": "an OpenDocument text",
    "open slides": "an OpenDocument presentation",
    "sheets": "a spreadsheet",
    "archive": "a ZIP archive",
    "video": "a video",
    "drawing": "an SVG drawing",
    "image": "a picture",
}
_TEXT_KINDS = frozenset({"markdown", "text", "delimited", "notebook", "mail", "subtitles"})
_IMAGE_HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
# Comments are taken whole or not at all: a thousand of them must not be tried in every combination.
_BEFORE = rb"^\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?>.*?-->)\s*+)*+"
_HTML_HEAD = re.compile(_BEFORE + rb"(?:<!doctype\s+html|<html|<head\b|<body\b)", re.I | re.S)
_SVG_HEAD = re.compile(
    _BEFORE + rb"(?:<!doctype\s+svg[^>\[]*+(?:\[[^\]]*+\])?+\s*+>\s*+)?+(?:<!--(?>.*?-->)\s*+)*+<svg[\s>]",
    re.I | re.S,
)
_PICTURE_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
_ZIPPED_TYPES: dict[bytes, Kind] = {
    b"application/epub+zip": "epub",
    b"application/vnd.oasis.opendocument.text": "open text",
    b"application/vnd.oasis.opendocument.presentation": "open slides",
    b"application/vnd.oasis.opendocument.spreadsheet": "sheets",
}
# An archive may name any method, and be damaged anywhere.
_BROKEN_ZIP = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError),
    *(RuntimeError, ValueError, EOFError, OSError),
)
_OFFICE_PARTS: dict[str, Kind] = {"word/document.xml": "word", "ppt/presentation.xml": "slides"}
_WORKBOOKS = ("xl/workbook.xml", "xl/workbook.bin")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_OTHERS = (
    (_OLD_OFFICE, "an old Office document", "export it as PDF or save it in the present format"),
    (b"%!PS", "a PostScript file", "convert it to PDF"),
    (b"\x1f\x8b", "a gzip archive", "unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it, or pack it as ZIP"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it, or pack it as ZIP"),
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
    found = _by_content(head, task.path)
    if named == "sheets" and head.startswith(_OLD_OFFICE):
        found = "sheets"
    if found is not None and (found == named or not (found in ("html", "drawing") and named in _TEXT_KINDS)):
        warning = "" if found == named else f"named {suffix or 'without a suffix'}, but it is {_NAMES[found]}"
        return Sniffed(found, f"{warning}; read as such" if warning else "")
    _refuse_others(task, head)
    if named is not None and named in _NAMES and named != "html":
        what = "a picture that can be opened" if named == "image" else _NAMES[named]
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
    # It may have become a pipe since: opening that must not wait for a writer.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ReadError(task.source, "not a plain file", "name a file, or a folder of files")
        return file.read(8192)


def _by_content(head: bytes, path: Path) -> Kind | None:
    if head.startswith(b"%PDF-"):
        return "pdf"
    if head.startswith(_IMAGE_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "image"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "image"
    if head[4:8] == b"ftyp":
        return "image" if head[8:12] in _PICTURE_BRANDS else "video"
    if head.startswith(b"\x1a\x45\xdf\xa3") or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return "video"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _in_zip(path)
    # Readers of PDF accept its mark anywhere in the first kilobyte, after mail headers and the like; but a
    # page that only speaks of it is none.
    if b"%PDF-" in head[:1024] and _BY_SUFFIX.get(path.suffix.lower()) in (None, "pdf"):
        return "pdf"
    # UTF-16 reads like this without its zeros.
    plain = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")
    if _SVG_HEAD.match(plain):
        return "drawing"
    return "html" if _HTML_HEAD.match(plain) else None


def _in_zip(path: Path) -> Kind:
    """Tell an e-book or an Office document from other archives by the members it must have."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "mimetype" in names:
                with archive.open("mimetype") as file:
                    kind = _ZIPPED_TYPES.get(file.read(200).strip())
                    if kind is not None:
                        return kind
    except _BROKEN_ZIP:
        return "archive"  # whose reader says what is wrong with it
    if not names.isdisjoint(_WORKBOOKS):
        return "sheets"
    return next((kind for part, kind in _OFFICE_PARTS.items() if part in names), "archive")


def _refuse_others(task: ReadTask, head: bytes) -> None:
    for mark, what, remedy in _OTHERS:
        if head.startswith(mark):
            raise ReadError(task.source, f"it is {what}, which is not read", remedy)
