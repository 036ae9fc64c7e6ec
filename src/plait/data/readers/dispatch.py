"""Choose the reader of a file by what is in it, then by its name, and run it in this process."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from plait.data.readers.base import Reader, ReadLimits, ReadTask
from plait.data.readers.sniffing import Kind, kind_of
from plait.errors import MissingExtraError, ReadError
from plait.schema import Document

# kind -> module of this package, and its reader
_READERS: dict[Kind, tuple[str, str]] = {
    "pdf": ("pdf.reader", "read_pdf"),
    "html": ("markup.html", "read_html"),
    "epub": ("markup.epub", "read_epub"),
    "markdown": ("markup.markdown", "read_markdown"),
    "text": ("text", "read_text"),
    "word": ("office.word", "read_word"),
    "slides": ("office.slides", "read_slides"),
    "open text": ("office.open_document", "read_open_text"),
    "open slides": ("office.open_document", "read_open_slides"),
    "sheets": ("office.sheets", "read_sheets"),
    "delimited": ("office.delimited", "read_delimited"),
    "notebook": ("office.notebook", "read_notebook"),
    "mail": ("holding.mail", "read_mail"),
    "archive": ("holding.archive", "read_archive"),
    "video": ("media.video", "read_video"),
    "subtitles": ("media.subtitles", "read_subtitles"),
    "drawing": ("markup.drawing", "read_drawing"),
    "image": ("media.image", "read_image"),
}


def read_in_process(
    path: str | Path,
    *,
    source: str,
    spool: str | Path,
    limits: ReadLimits,
    root: str | Path | None = None,
    tick: Callable[[], None] | None = None,
) -> Document:
    """Return a file as a document, read by this process.

    The limits on pictures and file size hold here; those on memory and time are kept by
    `sandbox.ReaderPool`, which runs this function in a child.

    Args:
        path: the file.
        source: how the user names it.
        spool: an existing folder to write pictures into.
        limits: what the file may cost.
        root: the folder that its pictures may come from; None means its own.
        tick: see `ReadTask`.

    Raises:
        ReadError: the file cannot be read.
    """
    task = ReadTask(Path(path), source, Path(root) if root is not None else Path(path).parent, Path(spool))
    task = task if tick is None else replace(task, tick=tick)
    try:
        found = kind_of(task, limits)
        document = _reader(found.kind)(task, limits)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise ReadError(source, reason, "check the path and its permissions, then add it again") from error
    except MissingExtraError as error:
        reason, _, remedy = str(error).partition(": ")
        raise ReadError(source, f"cannot be read: {reason}", remedy) from error
    return replace(document, warnings=(found.warning, *document.warnings)) if found.warning else document


def _reader(kind: Kind) -> Reader:
    """Return the reader of a kind, imported now: a folder of pages never loads the PDF library."""
    module, name = _READERS[kind]
    return cast(Reader, getattr(importlib.import_module(f"plait.data.readers.{module}"), name))
