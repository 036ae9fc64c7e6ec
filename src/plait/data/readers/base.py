"""What a reader is: one file in, one Document out, within limits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plait.schema import Document

PDF_SUFFIXES = frozenset({".pdf"})
HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})
EPUB_SUFFIXES = frozenset({".epub"})
MARKDOWN_SUFFIXES = frozenset({".md", ".markdown"})
TEXT_SUFFIXES = frozenset({".txt", ".text", ".rst"})
WORD_SUFFIXES = frozenset({".docx"})
SLIDES_SUFFIXES = frozenset({".pptx"})
OPEN_TEXT_SUFFIXES = frozenset({".odt"})
OPEN_SLIDES_SUFFIXES = frozenset({".odp"})
SHEET_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
DELIMITED_SUFFIXES = frozenset({".csv", ".tsv"})
NOTEBOOK_SUFFIXES = frozenset({".ipynb"})
MAIL_SUFFIXES = frozenset({".eml"})
ARCHIVE_SUFFIXES = frozenset({".zip"})
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mkv", ".webm", ".mov", ".avi"})
SUBTITLE_SUFFIXES = frozenset({".srt", ".vtt"})
DRAWING_SUFFIXES = frozenset({".svg"})
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif"}
)
SUFFIXES = (
    PDF_SUFFIXES
    | HTML_SUFFIXES
    | EPUB_SUFFIXES
    | MARKDOWN_SUFFIXES
    | TEXT_SUFFIXES
    | WORD_SUFFIXES
    | SLIDES_SUFFIXES
    | OPEN_TEXT_SUFFIXES
    | OPEN_SLIDES_SUFFIXES
    | SHEET_SUFFIXES
    | DELIMITED_SUFFIXES
    | NOTEBOOK_SUFFIXES
    | MAIL_SUFFIXES
    | ARCHIVE_SUFFIXES
    | VIDEO_SUFFIXES
    | SUBTITLE_SUFFIXES
    | DRAWING_SUFFIXES
    | IMAGE_SUFFIXES
)


def _untold() -> None:
    """Tell nobody of progress."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one file may cost; the defaults are those of `settings.Settings`.

    Attributes:
        memory_mb: address space of the reading process.
        cpu_seconds, wall_seconds: time for one file, or for each hundred pages of a longer one.
        max_pixels: largest picture or page that is decoded, in pixels.
        max_file_mb: larger files are refused unread.
        max_pages: more pages, slides, sheets or scenes of a file are left out, with a warning.
        max_unpacked_mb: what an archive, an e-book or an Office document may unpack to.
        max_attachments: more members of an archive or message are left out, with a warning.
        page_dpi: resolution of page images; 0 makes none.
        figure_dpi: resolution of figures cut out of pages.
        ocr: what is read by character recognition, if the extra is installed: "pages" of documents without
            a text layer, and pictures that look like such pages; "all" pictures; or "off".
        ocr_memory_mb: address space that recognition may take on top of `memory_mb`.
    """

    memory_mb: int = 1500
    cpu_seconds: int = 120
    wall_seconds: int = 180
    max_pixels: int = 50_000_000
    max_file_mb: int = 512
    max_pages: int = 20_000
    max_unpacked_mb: int = 2048
    max_attachments: int = 10_000
    page_dpi: int = 90
    figure_dpi: int = 150
    ocr: str = "pages"
    ocr_memory_mb: int = 3000


@dataclass(frozen=True, slots=True)
class ReadTask:
    """One file to read.

    Attributes:
        path: where the file lies.
        source: how the user names it; errors and the document carry this name.
        root: the folder that the file's pictures may come from.
        spool: an existing folder; pictures are written there, named by their sha256, and attachments in
            folders below it.
        tick: called by a reader after each page, slide or the like: work has been done, and the time
            limits may begin again.
    """

    path: Path
    source: str
    root: Path
    spool: Path
    tick: Callable[[], None] = _untold


class Reader(Protocol):
    """Reads files of one format."""

    def __call__(self, task: ReadTask, limits: ReadLimits) -> Document:
        """Return the file as a document.

        Raises:
            ReadError: the file cannot be read; nothing of it is usable.
        """
        ...


def document_id(source: str) -> str:
    """Return 16 hex digits that stay the same for one source."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def title_from(path: Path) -> str:
    """Return a title made of a file's name: "rip_saw-2.png" -> "rip saw 2"."""
    return " ".join(path.stem.replace("_", " ").replace("-", " ").split()) or path.name
