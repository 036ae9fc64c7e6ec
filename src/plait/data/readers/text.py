"""Plain text: paragraphs are what empty lines part."""

from __future__ import annotations

import re

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.decoding import decode
from plait.errors import ReadError
from plait.schema import Document, Segment

_LONGEST_TITLE_CHARACTERS = 100


def read_text(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a text file as a document; its title is a short first line, else the file's name.

    Raises:
        ReadError: there is no text in it.
    """
    decoded = decode(task.path.read_bytes())
    paragraphs = paragraphs_of(decoded.text)
    if not paragraphs:
        raise ReadError(task.source, "holds no text", "nothing to search in it; leave it out")
    damaged = ("some bytes are not valid text and were replaced",) if decoded.damaged else ()
    return Document(
        id=document_id(task.source),
        title=_title(paragraphs[0]) or title_from(task.path),
        source=task.source,
        metadata={"type": "text"},
        segments=tuple(Segment("text", text=p) for p in paragraphs),
        warnings=damaged,
    )


def paragraphs_of(text: str) -> list[str]:
    """Return what empty lines part, each with its own line ends."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")
    return [p.strip("\n") for p in re.split(r"\n[ \t\f]*\n|\f", plain) if p.strip()]


def _title(paragraph: str) -> str:
    """Return the first line if it stands alone, or by a line of dashes, and is short; else ""."""
    lines = [line.strip() for line in paragraph.splitlines()]
    if len(lines) > 1 and _is_rule(lines[0]):
        lines = lines[1:]
    alone = len(lines) == 1 or (len(lines) == 2 and _is_rule(lines[1]))
    return lines[0] if alone and len(lines[0]) <= _LONGEST_TITLE_CHARACTERS else ""


def _is_rule(line: str) -> bool:
    return set(line) <= set("=-~*#_")
