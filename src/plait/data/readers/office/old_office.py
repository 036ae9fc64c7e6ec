"""Old Office files hold a small file system: a check of it, before a library follows chains without end."""

from __future__ import annotations

import mmap
import struct
from array import array
from collections.abc import Sequence

from plait.data.readers.base import ReadTask
from plait.errors import ReadError

_HEAD = 512
_LISTED_IN_HEAD = 109
_LAST_SECTOR = 0xFFFFFFFA  # larger numbers are marks: end of chain, free, tables
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_DAMAGED = ("is damaged (its table of sectors)", "open it in the program that made it and save it again")


def check_old_office(task: ReadTask) -> None:
    """Check that each chain of sectors ends, and inside the file.

    Raises:
        ReadError: it does not, or an encrypted file is inside.
    """
    with task.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(_ENCRYPTED) >= 0:  # how a present Office file is stored behind a password
            raise ReadError(task.source, "password-protected", "remove the password, then add it again")
        if not _is_sound(data):
            raise ReadError(task.source, *_DAMAGED)


def _is_sound(data: mmap.mmap) -> bool:
    if len(data) < _HEAD:
        return False
    (power,) = struct.unpack_from("<H", data, 30)
    if power not in (9, 12):
        return False
    size = 1 << power
    count = -(-(len(data) - size) // size)  # the last one may be cut short
    table = _table(data, size, count)
    if table is None or not _ends(table):
        return False
    first, small = struct.unpack_from("<I", data, 60)[0], array("I")
    while first < min(count, len(table)):
        small += _sector(data, first, size)
        first = table[first]
    return _ends(small)


def _table(data: mmap.mmap, size: int, count: int) -> array[int] | None:
    """Return the sector that follows each sector; None if the table lies outside the file."""
    (places,) = struct.unpack_from("<I", data, 44)
    more, many = struct.unpack_from("<2I", data, 68)
    listed = list(struct.unpack_from(f"<{_LISTED_IN_HEAD}I", data, 76))
    for _ in range(min(many, count)):
        if more >= count or len(listed) > count + _LISTED_IN_HEAD:
            break
        *found, more = _sector(data, more, size)
        listed += found
    used = [place for place in listed if place < _LAST_SECTOR]
    if places > count or len(used) > count or any(place >= count for place in used):
        return None
    table = array("I")
    for place in used:
        table += _sector(data, place, size)
    return table


def _sector(data: mmap.mmap, place: int, size: int) -> array[int]:
    start = (place + 1) * size
    return array("I", data[start : start + size].ljust(size, b"\xff"))


def _ends(table: Sequence[int]) -> bool:
    """Tell whether no chain comes back to one of its own sectors, or leaves the table."""
    seen_from = [-1] * len(table)
    for start in range(len(table)):
        place = start
        while place < _LAST_SECTOR:
            if place >= len(table) or seen_from[place] == start:
                return False
            if seen_from[place] >= 0:
                break
            seen_from[place] = start
            place = table[place]
    return True
