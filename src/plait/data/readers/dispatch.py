"""Choose the reader of a file by what is in it, then by its name, and run it in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from plait.data.readers.base import Reader, ReadLimits, ReadTask
from plait.data.readers.sniffing import Kind, kind_of
from plait.errors import ReadError
from plait.schema import Document


def read_in_process(
    path: str | Path, *, source: str, spool: str | Path, limits: ReadLimits, root: str | Path | None = None
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

    Raises:
        ReadError: the file cannot be read.
    """
    task = ReadTask(Path(path), source, Path(root) if root is not None else Path(path).parent, Path(spool))
    try:
        found = kind_of(task, limits)
        document = _reader(found.kind)(task, limits)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise ReadError(source, reason, "check the path and its permissions, then add it again") from error
    return replace(document, warnings=(found.warning, *document.warnings)) if found.warning else document


def _reader(kind: Kind) -> Reader:
    """Return the reader of a kind, imported now: a folder of pages never loads the PDF library."""
    readers: dict[Kind, Callable[[], Reader]] = {
        "pdf": _pdf,
        "html": _html,
        "markdown": _markdown,
        "text": _text,
        "image": _image,
    }
    return readers[kind]()


def _pdf() -> Reader:
    from plait.data.readers.pdf import read_pdf

    return read_pdf


def _html() -> Reader:
    from plait.data.readers.html import read_html

    return read_html


def _markdown() -> Reader:
    from plait.data.readers.markdown import read_markdown

    return read_markdown


def _text() -> Reader:
    from plait.data.readers.text import read_text

    return read_text


def _image() -> Reader:
    from plait.data.readers.image import read_image

    return read_image
