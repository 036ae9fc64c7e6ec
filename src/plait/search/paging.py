"""Cursors: what was ranked when the first page was asked, and how far it has been shown.

A cursor holds the ranking itself, so it needs no memory of the service, outlives it, and gives each hit
once, whatever is added meanwhile. What was removed or changed since is passed over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
import zlib
from dataclasses import dataclass

from plait.errors import InputError
from plait.schema import SearchRequest

Key = tuple[int, str]  # what names a unit's row, see `Snapshot.keys`, and a part of it, "" for the unit

_HEAD = struct.Struct(">B8sIHHI")
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a fixed ranking.

    Attributes:
        shown: what earlier pages showed, in order.
        rest: what is still to be shown, in order.
        distant: how many hits were left out of the ranking as probably not good.
    """

    shown: tuple[Key, ...]
    rest: tuple[Key, ...]
    distant: int = 0


def written(cursor: Cursor, request: SearchRequest) -> str:
    """Return a cursor as text; it can be read with the same request only, k aside. 11 characters a hit."""
    keys = (*cursor.shown, *cursor.rest)
    names = struct.pack(f">{len(keys)}Q", *(name for name, _ in keys))
    parts = ",".join(part for _, part in keys).encode("ascii") if any(part for _, part in keys) else b""
    counts = min(cursor.distant, 0xFFFFFFFF), len(cursor.shown), len(cursor.rest)
    head = _HEAD.pack(_FORMAT, _of(request), *counts, zlib.crc32(names + parts))
    return base64.urlsafe_b64encode(head + names + parts).rstrip(b"=").decode()


def read(request: SearchRequest) -> Cursor:
    """Return the cursor that a request carries.

    Raises:
        InputError: it is none, or of another request.
    """
    try:
        data = base64.b64decode(request.cursor + "=" * (-len(request.cursor) % 4), b"-_", validate=True)
        kind, digest, distant, shown, rest, check = _HEAD.unpack_from(data)
        count = shown + rest
        names = struct.unpack_from(f">{count}Q", data, _HEAD.size)
        tail = data[_HEAD.size + 8 * count :].decode("ascii")
    except (ValueError, binascii.Error, struct.error) as error:
        raise InputError(_UNREADABLE) from error
    parts = tail.split(",") if tail else [""] * count
    if kind != _FORMAT or len(parts) != count or check != zlib.crc32(data[_HEAD.size :]):
        raise InputError(_UNREADABLE)
    if digest != _of(request):
        raise InputError(
            "the cursor is of another request: send that of the first page unchanged, but for k and cursor"
        )
    keys = tuple(zip(names, parts, strict=True))
    return Cursor(keys[:shown], keys[shown:], distant)


def _of(request: SearchRequest) -> bytes:
    """Return what stands for a request, its page aside."""
    values = request.to_dict()
    asked = {name: value for name, value in values.items() if name not in ("k", "cursor")}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()[:8]


_UNREADABLE = "the cursor cannot be read: send it as it came with the page before, or none for the first page"
