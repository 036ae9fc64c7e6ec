"""What a reader is: one file in, one Document out, within limits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plait.schema import Document

PDF_SUFFIXES = frozenset({".pdf"})
HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})
MARKDOWN_SUFFIXES = frozenset({".md", ".markdown"})
TEXT_SUFFIXES = frozenset({".txt", ".text", ".rst"})
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
SUFFIXES = PDF_SUFFIXES | HTML_SUFFIXES | MARKDOWN_SUFFIXES | TEXT_SUFFIXES | IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one file may cost; the defaults are those of `settings.Settings`.

    Attributes:
        memory_mb: address space of the reading process.
        cpu_seconds, wall_seconds: time for one file.
        max_pixels: largest picture or page that is decoded, in pixels.
        max_file_mb: larger files are refused unread.
        page_dpi: resolution of page images; 0 makes none.
        figure_dpi: resolution of figures cut out of pages.
    """

    memory_mb: int = 1500
    cpu_seconds: int = 120
    wall_seconds: int = 180
    max_pixels: int = 50_000_000
    max_file_mb: int = 512
    page_dpi: int = 90
    figure_dpi: int = 150


@dataclass(frozen=True, slots=True)
class ReadTask:
    """One file to read.

    Attributes:
        path: where the file lies.
        source: how the user names it; errors and the document carry this name.
        root: the folder that the file's pictures may come from.
        spool: an existing folder; pictures are written there, named by their sha256.
    """

    path: Path
    source: str
    root: Path
    spool: Path


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
