"""What lies where in a scan file: one page of header, then five sections, all checksummed.

    header      magic, format, checksum, then JSON: counts, and the place and checksum of each section
    vectors     (items, tokens, numbers a vector), as the library keeps them
    planes      (planes, items, width) int8, a few pooled vectors an item
    scales      (items,) float32; a pooled vector is its plane's numbers times its item's scale
    offsets     (units + 1,) int64, where each unit's items begin
    keys        (units,) uint64

Each begins at a multiple of 4,096 bytes. Zeros fill the gap before the next, and count in the checksum, so
that every byte of the file is in one. Numbers are little-endian.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np

from plait.errors import LibraryError
from plait.scoring.keeping import numbers_kept
from plait.scoring.vectors import Rung

PAGE = 4096
SECTIONS = ("vectors", "planes", "scales", "offsets", "keys")
_MAGIC = b"plaitscn"
_FORMAT = 1
_FRONT = struct.Struct("<8sII")  # magic, format, checksum of the rest of the page


class ScanDamagedError(LibraryError):
    """A scan file is not what plait wrote. No document is lost: it is made again from the store."""


@dataclass(frozen=True, slots=True)
class Section:
    """Where one array lies.

    Attributes:
        offset: its first byte.
    """

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Its size without the zeros that follow it."""
        return self.count * self.dtype.itemsize

    @property
    def end(self) -> int:
        """Where the next section begins."""
        return self.offset + self.bytes + filling(self.bytes)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a file holds; the place of every section follows from it.

    Attributes:
        field: name of the vector field.
        tokens, width: vectors an item, and numbers a vector.
        kept: how the vectors are; see `scoring.keeping`.
        planes: pooled vectors an item.
    """

    field: str
    tokens: int
    width: int
    kept: Rung
    planes: int
    units: int
    items: int

    def sections(self) -> dict[str, Section]:
        """Return every section by name, in the order of the file."""
        numbers, kept_as = numbers_kept(self.kept, self.width)
        shapes: tuple[tuple[tuple[int, ...], str], ...] = (
            ((self.items, self.tokens, numbers), kept_as.str),
            ((self.planes, self.items, self.width), "<i1"),
            ((self.items,), "<f4"),
            ((self.units + 1,), "<i8"),
            ((self.units,), "<u8"),
        )
        placed: dict[str, Section] = {}
        offset = PAGE
        for name, (shape, code) in zip(SECTIONS, shapes, strict=True):
            placed[name] = Section(offset, shape, np.dtype(code))
            offset = placed[name].end
        return placed


def filling(size: int) -> int:
    """Return how many zeros follow a section of so many bytes."""
    return -size % PAGE


def encoded(counts: Counts, checksums: Mapping[str, int]) -> bytes:
    """Return the header page of a file.

    Args:
        checksums: CRC-32 of each section with the zeros that follow it.
    """
    text = json.dumps({**asdict(counts), "sections": _listed(counts, checksums)}).encode()
    body = text.ljust(PAGE - _FRONT.size)
    if len(body) + _FRONT.size > PAGE:
        raise LibraryError(f"the vector field's name has {len(counts.field)} letters: shorten it")
    return _FRONT.pack(_MAGIC, _FORMAT, _checksum(body)) + body


def decoded(page: bytes) -> tuple[Counts, dict[str, int]]:
    """Return what a header page says: the counts, and the checksum of each section.

    Raises:
        ValueError: it is no such page; the message says why.
    """
    if len(page) < PAGE:
        raise ValueError(f"it has {len(page)} bytes, expected {PAGE:,} or more")
    magic, version, checksum = _FRONT.unpack_from(page)
    body = page[_FRONT.size :]
    if magic != _MAGIC:
        raise ValueError(f"it begins with {magic!r}, expected {_MAGIC!r}")
    if version != _FORMAT:
        raise ValueError(f"it has format {version}, expected {_FORMAT}")
    if checksum != _checksum(body):
        raise ValueError(f"its header's checksum is {_checksum(body):08x}, expected {checksum:08x}")
    values = json.loads(body)
    sections = values.pop("sections")
    try:
        counts = Counts(**values)
    except TypeError as error:
        raise ValueError(f"its header holds other counts: {', '.join(values)}") from error
    return counts, {name: int(sections[name]["crc32"]) for name in SECTIONS}


def _listed(counts: Counts, checksums: Mapping[str, int]) -> dict[str, dict[str, int]]:
    return {
        name: {"offset": section.offset, "bytes": section.bytes, "crc32": checksums[name]}
        for name, section in counts.sections().items()
    }


def _checksum(body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("<I", _FORMAT), zlib.crc32(_MAGIC)))
