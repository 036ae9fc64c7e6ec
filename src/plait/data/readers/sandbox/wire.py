"""Messages between a reading process and its parent: a length, then JSON; never pickle.

The child parses hostile files, so the parent takes nothing from it but plain values. A long document
comes in parts, so that neither side holds all of it as one text.
"""

from __future__ import annotations

import itertools
import json
import select
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, get_args

from plait.schema import Attachment, Box, Document, Page, Segment, TextRole, TimeSpan

_LENGTH = struct.Struct(">Q")
LARGEST_MESSAGE_BYTES = 1 << 28
# More text than that of ten thousand books' pages is an attack on the parent's memory.
LARGEST_DOCUMENT_BYTES = 1 << 28
_PART = 400  # segments, pages or attachments in one message
_KINDS, _ROLES, _ORIGINS = ("text", "image", "table"), get_args(TextRole), ("text", "ocr", "none")


class WireError(Exception):
    """No message came, or what is none."""


class LateError(WireError):
    """The message was not there in time."""


class EndedError(WireError):
    """The other side ended."""


def send(stream: BinaryIO, message: Mapping[str, Any]) -> int:
    """Write one message; return its bytes.

    Raises:
        OSError: the other side is gone.
    """
    data = json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()
    return len(data)


def receive(stream: BinaryIO, *, timeout_seconds: float | None = None) -> dict[str, Any]:
    """Read one message, waiting for it.

    Args:
        stream: a pipe; one without a buffer when there is a timeout.
        timeout_seconds: for the whole message; None waits for ever.

    Raises:
        LateError: the time is over.
        EndedError: the stream ended.
        WireError: the message is malformed or too long.
    """
    return parsed(receive_bytes(stream, timeout_seconds=timeout_seconds))


def receive_bytes(stream: BinaryIO, *, timeout_seconds: float | None = None) -> bytes:
    """Read one message as it was sent; see `receive`."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size, deadline))
    if length > LARGEST_MESSAGE_BYTES:
        raise WireError(f"a message of {length} bytes")
    return _exactly(stream, length, deadline)


def parsed(data: bytes) -> dict[str, Any]:
    """Return the message that these bytes are.

    Raises:
        WireError: they are none.
    """
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError("a message that is not JSON") from error
    if not isinstance(message, dict):
        raise WireError("a message that is not an object")
    return message


def document_messages(document: Document) -> Iterator[dict[str, Any]]:
    """Give a document as messages: {"part": its JSON form or some of it, "more": whether another follows}."""
    lists = (document.segments, document.pages, document.attachments)
    parts = list(itertools.zip_longest(*map(_batches, lists), fillvalue=())) or [((), (), ())]
    head = document
    for left, (segments, pages, attachments) in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
        part = replace(head, segments=segments, pages=pages, attachments=attachments)
        yield {"part": part.to_dict(), "more": left > 0}
        head = _NOTHING


class Assembly:
    """A document put together again from its messages."""

    def __init__(self) -> None:
        self._first: Document | None = None
        self._segments: list[Segment] = []
        self._pages: list[Page] = []
        self._attachments: list[Attachment] = []

    def add(self, message: Mapping[str, Any]) -> Document | None:
        """Take the next message; return the document once it is whole.

        Raises:
            WireError: not a part of a document.
        """
        try:
            part = Document.from_dict(message["part"])
            more = bool(message["more"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WireError("a malformed part of a document") from error
        if not _is_typed(part):
            raise WireError("a document with values of other types")
        self._first = self._first or part
        self._segments += part.segments
        self._pages += part.pages
        self._attachments += part.attachments
        if more:
            return None
        return replace(
            self._first,
            segments=tuple(self._segments),
            pages=tuple(self._pages),
            attachments=tuple(self._attachments),
        )


_NOTHING = Document(id="", title="", source="")


def _batches(values: Sequence[Any]) -> list[Any]:
    return [tuple(values[start : start + _PART]) for start in range(0, len(values), _PART)]


def _is_typed(document: Document) -> bool:
    """Tell whether every value has the type that the schema says; JSON may hold any."""
    texts = [document.id, document.title, document.source, *document.metadata, *document.warnings]
    texts += [text for held in document.attachments for text in (held.name, held.path)]
    texts += [page.label for page in document.pages]
    numbers: list[Any] = [page.number for page in document.pages]
    pictures = [page.picture for page in document.pages]
    for segment in document.segments:
        texts += (segment.text, segment.caption, segment.anchor, segment.label, *segment.section)
        texts += itertools.chain.from_iterable(segment.rows)
        texts += [text for link in segment.links for text in (link.text, link.target)]
        numbers.append(segment.header_rows)
        numbers += () if segment.page is None else (segment.page,)
        numbers += () if segment.box is None else _values(segment.box)
        numbers += () if segment.time is None else _values(segment.time)
        pictures.append(segment.picture)
    for picture in pictures:
        if picture is not None:
            texts += (picture.path, picture.sha256)
            numbers += (picture.width_px, picture.height_px)
    return (
        all(type(text) is str for text in texts)
        and all(type(number) in (int, float) for number in numbers)
        and all(type(value) in (str, int, float, bool) for value in document.metadata.values())
        and all(segment.kind in _KINDS and segment.role in _ROLES for segment in document.segments)
        and all(page.text_from in _ORIGINS for page in document.pages)
    )


def _values(numbers: Box | TimeSpan) -> tuple[float, ...]:
    return tuple(getattr(numbers, name) for name in numbers.__slots__)


def _exactly(stream: BinaryIO, count: int, deadline: float | None) -> bytes:
    """Read so many bytes, or raise."""
    parts = bytearray()
    while len(parts) < count:
        if deadline is not None:
            _await(stream, deadline)
        part = stream.read(count - len(parts))
        if not part:
            raise EndedError("the stream ended")
        parts += part
    return bytes(parts)


def _await(stream: BinaryIO, deadline: float) -> None:
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise LateError("no message in time")
