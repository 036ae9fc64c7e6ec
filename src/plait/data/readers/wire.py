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
from typing import Any, BinaryIO

from plait.schema import Attachment, Document, Page, Segment

_LENGTH = struct.Struct(">Q")
LARGEST_MESSAGE_BYTES = 1 << 28
# More text than that of ten thousand books' pages is an attack on the parent's memory.
LARGEST_DOCUMENT_BYTES = 1 << 28
_PART = 400  # segments, pages or attachments in one message


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
