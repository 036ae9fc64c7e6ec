"""How many pages a PDF says it has, read from its bytes and not by its parser.

A parser repairs a damaged file by leaving out what it cannot find, without a word; the page tree's
own count tells.
"""

from __future__ import annotations

import mmap
import re
import zlib

Bytes = bytes | mmap.mmap

_ROOT = re.compile(rb"<<(?:(?!>>|<<)[\s\S]){0,20000}?/Type\s*/Pages\b(?:(?!>>|<<)[\s\S]){0,20000}?>>")
_COUNT = re.compile(rb"/Count\s+(\d{1,7})\b")
_PACKED = re.compile(rb"/Type\s*/ObjStm\b[\s\S]{0,300}?stream\r?\n")
_PIECE_BYTES = 65_536
_MOST_UNPACKED_BYTES = 64 * 2**20


def declared_pages(data: Bytes) -> int | None:
    """Return the page count of the last page tree in a file; None if none can be made out."""
    found = _last_count(data)
    if found is not None:
        return found
    left = _MOST_UNPACKED_BYTES
    for stream in _PACKED.finditer(data):
        unpacked = inflated(data, stream.end(), most=left)
        left -= len(unpacked)
        found = _last_count(unpacked) or found
        if left <= 0:
            break
    return found


def inflated(data: Bytes, start: int, *, most: int) -> bytes:
    """Return what is packed from some place on, as far as it can be unpacked, `most` bytes of it."""
    packed = zlib.decompressobj()
    out = bytearray()
    try:
        while not packed.eof and not packed.unconsumed_tail and len(out) < most and start < len(data):
            out += packed.decompress(data[start : start + _PIECE_BYTES], most - len(out))
            start += _PIECE_BYTES
    except zlib.error:
        pass
    return bytes(out)


def _last_count(data: Bytes) -> int | None:
    """Return the count of the last page tree root; inner nodes have a parent."""
    if data.find(b"/Pages") < 0:
        return None
    counts = [
        int(count[1])
        for node in _ROOT.finditer(data)
        if b"/Parent" not in node[0] and (count := _COUNT.search(node[0])) is not None
    ]
    return counts[-1] if counts else None
