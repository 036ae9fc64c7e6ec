"""Messages between a reading process and its parent: a length, then JSON; never pickle.

The child parses hostile files, so the parent takes nothing from it but plain values.
"""

from __future__ import annotations

import json
import select
import struct
import time
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">Q")
LARGEST_MESSAGE_BYTES = 1 << 30


class WireError(Exception):
    """The other side ended, or sent what is no message."""


def send(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write one message.

    Raises:
        OSError: the other side is gone.
    """
    data = json.dumps(message, ensure_ascii=True).encode("ascii")
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


class LateError(WireError):
    """The message was not there in time."""


def receive(stream: BinaryIO, *, timeout_seconds: float | None = None) -> dict[str, Any]:
    """Read one message, waiting for it.

    Args:
        stream: a pipe; one without a buffer when there is a timeout.
        timeout_seconds: for the whole message; None waits for ever.

    Raises:
        LateError: the time is over.
        WireError: the stream ended, or the message is malformed or too long.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size, deadline))
    if length > LARGEST_MESSAGE_BYTES:
        raise WireError(f"a message of {length} bytes")
    data = _exactly(stream, length, deadline)
    try:
        message = json.loads(data)
    except ValueError as error:
        raise WireError("a message that is not JSON") from error
    if not isinstance(message, dict):
        raise WireError("a message that is not an object")
    return message


def _exactly(stream: BinaryIO, count: int, deadline: float | None) -> bytes:
    """Read so many bytes, or raise."""
    parts = bytearray()
    while len(parts) < count:
        if deadline is not None:
            _await(stream, deadline)
        part = stream.read(count - len(parts))
        if not part:
            raise WireError("the stream ended")
        parts += part
    return bytes(parts)


def _await(stream: BinaryIO, deadline: float) -> None:
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise LateError("no message in time")
