"""E-mail messages: their text with the pictures in it; what is attached is read as documents of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from email import message
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser

from plait.data.readers.base import SUFFIXES, ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.holding.mail_parts import Body, Part, Parts, header, message_of, parts_of
from plait.data.readers.markup.addresses import MemberPictures
from plait.data.readers.markup.walk import walk
from plait.data.readers.text import paragraphs_of
from plait.data.readers.unpacking import safe_name
from plait.errors import ReadError
from plait.schema import Attachment, Document, Scalar, Segment

_LONGEST_FIELD = 500


def read_mail(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a message as a document titled by its subject; what is attached becomes attachments.

    Of a text in several forms the HTML one is read, its pictures in place where the message holds them.

    Raises:
        ReadError: encrypted, nested beyond measure, or nothing in it.
    """
    try:
        root = message_of(task.path.read_bytes())
        parts = parts_of(root)
    except RecursionError as error:
        reason = "its parts nest hundreds deep"
        raise ReadError(task.source, reason, "save its text and attachments by themselves") from error
    letter = _Letter(task, limits, parts)
    segments = tuple(letter.segments())
    attachments = tuple(letter.attachments())
    if not segments and not attachments:
        reason = (
            "encrypted" if any("encrypted" in why for why in parts.left_out) else "holds no text and no files"
        )
        raise ReadError(task.source, reason, "save what is of use in it by itself, or leave it out")
    return Document(
        id=document_id(task.source),
        title=header(root, "Subject")[:_LONGEST_FIELD] or title_from(task.path),
        source=task.source,
        metadata={"type": "mail", **_metadata(root)},
        segments=segments,
        warnings=tuple(letter.warnings),
        attachments=attachments,
    )


class _Letter:
    """Turns the parts of one message into segments and attachments."""

    def __init__(self, task: ReadTask, limits: ReadLimits, parts: Parts) -> None:
        self._task = task
        self._limits = limits
        self._parts = parts
        self._by_id = {part.content_id: part for part in reversed(parts.files) if part.content_id}
        self._shown: set[str] = set()
        self._pictures = MemberPictures(task, limits, self._fetch)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason that something was left out."""
        damaged = any(body.damaged for body in self._parts.bodies)
        return [
            *(["some bytes are not valid text and were replaced"] if damaged else []),
            *(
                f"left out {count} part{'s' if count > 1 else ''}: {reason}"
                for reason, count in sorted(self._parts.left_out.items())
            ),
            *self._pictures.warnings,
        ]

    def segments(self) -> Iterator[Segment]:
        """Give what the message says and shows."""
        for body in self._parts.bodies:
            yield from self._html(body) if body.kind == "html" else _paragraphs(body)
            self._task.tick()

    def attachments(self) -> Iterator[Attachment]:
        """Write the files that are to be read, but for pictures that the text shows."""
        taken: set[str] = set()
        folder = Path(tempfile.mkdtemp(prefix="mail-", dir=self._task.spool))
        for part in self._parts.files:
            if part.content_id in self._shown:
                continue
            name = _free(part, taken)
            reason = self._refusal(name, part.data, len(taken))
            if reason:
                self._parts.left_out[reason] += 1
                continue
            taken.add(name.lower())
            (folder / name).write_bytes(part.data)
            yield Attachment(name, str(folder / name))

    def _html(self, body: Body) -> list[Segment]:
        tree = LexborHTMLParser(body.text)
        return walk(tree.body, load=self._pictures).segments if tree.body is not None else []

    def _fetch(self, address: str) -> bytes | None:
        scheme, _, content_id = address.partition(":")
        part = self._by_id.get(unquote(content_id)) if scheme.lower() == "cid" else None
        if part is None:
            return None
        self._shown.add(part.content_id)
        return part.data

    def _refusal(self, name: str, data: bytes, taken: int) -> str:
        """Return why a file is not attached; "" if it is."""
        suffix = Path(name).suffix.lower()
        if suffix not in SUFFIXES:
            return f"{suffix} is not read" if 0 < len(suffix) <= 12 else "of a kind that is not read"
        if not data:
            return "empty"
        if len(data) > self._limits.max_file_mb * 2**20:
            return f"larger than the limit of {self._limits.max_file_mb} MB"
        most = self._limits.max_attachments
        return f"more than max_attachments ({most:,})" if taken >= most else ""


def _paragraphs(body: Body) -> Iterator[Segment]:
    for paragraph in paragraphs_of(body.text):
        yield Segment("text", text=paragraph)


def _free(part: Part, taken: set[str]) -> str:
    """Return a name for a file that is safe, and that no other one of the message has."""
    name = (safe_name(part.name.replace("\\", "/").rpartition("/")[2]) or "part").lstrip(".") or "part"
    stem, dot, suffix = name.rpartition(".")
    number = 2
    while name.lower() in taken:
        name = f"{stem} ({number}){dot}{suffix}" if dot else f"{suffix} ({number})"
        number += 1
    return name


def _metadata(root: message.Message) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {
        "author": header(root, "From")[:_LONGEST_FIELD],
        "to": header(root, "To")[:_LONGEST_FIELD],
        "created": _time(header(root, "Date")),
    }
    return {name: value for name, value in found.items() if value}


def _time(text: str) -> str:
    """Return a date as "2024-05-01T10:00:00+02:00"; "" if it is none."""
    try:
        return parsedate_to_datetime(text[:100]).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
