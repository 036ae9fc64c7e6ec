"""What the service and its searching processes say to each other: objects, each behind its length.

Both ends are this program, on pipes that nobody else has, so objects are pickled.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from plait.schema import SearchRequest
from plait.settings import Settings

HEAD = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Opening:
    """The first frame: which library to open."""

    folder: Path
    settings: Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """Something to be done.

    Attributes:
        number: of the answer to it.
        request: what to search; None to see all that was written until now.
        explain: id of the hit that is to be explained; "" to search.
    """

    number: int
    request: SearchRequest | None
    explain: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to one; number 0, and no error, says that the library is open and searches are quick.

    Attributes:
        number: of what was asked.
        result: hits, an explanation, or nothing.
        error: why there is none.
    """

    number: int
    result: Any = None
    error: Exception | None = None


def frame(value: object) -> bytes:
    """Return an object as it travels."""
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return HEAD.pack(len(data)) + data


def sendable(error: Exception) -> Exception:
    """Return an error that arrives as what it is, or one that says what it said."""
    try:
        arrived = pickle.loads(pickle.dumps(error))  # made here
    except Exception:  # errors may hold anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error if type(arrived) is type(error) else RuntimeError(str(error))


def frames(stream: BinaryIO) -> Iterator[Any]:
    """Give what arrives, until the stream ends."""
    while len(head := stream.read(HEAD.size)) == HEAD.size:
        size = HEAD.unpack(head)[0]
        if len(data := stream.read(size)) < size:
            return
        yield pickle.loads(data)  # of the service, which started this process
