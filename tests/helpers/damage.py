"""Damaged copies of a file, and what a reader makes of them."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

from plait.data.readers.base import Reader, ReadLimits, ReadTask
from plait.errors import ReadError


def outcomes(reader: Reader, whole: bytes, folder: Path, suffix: str, *, seed: int = 6) -> tuple[int, int]:
    """Return how many of 60 damaged copies of a file a reader reads, and how many it refuses.

    Any other end of a reading is an error. Of a ZIP file, most copies are damaged inside a member that the
    archive's own checksums then agree with, so that the damage gets as far as the parsers.
    """
    path = folder / f"damaged{suffix}"
    spool = folder / "damaged"
    spool.mkdir()
    read = refused = 0
    for data in _damaged(whole, random.Random(seed)):
        path.write_bytes(data)
        try:
            document = reader(ReadTask(path, path.name, folder, spool), ReadLimits())
        except ReadError as error:
            refused += bool(error.reason and error.remedy)
        else:
            read += bool(document.segments)
    return read, refused


def _damaged(whole: bytes, chance: random.Random) -> Iterator[bytes]:
    is_zip = zipfile.is_zipfile(io.BytesIO(whole))
    for i in range(60):
        if is_zip and i % 4:
            yield _damaged_member(whole, chance)
        else:
            yield _hit(whole, chance)


def _damaged_member(whole: bytes, chance: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive, zipfile.ZipFile(out, "w") as copy:
        names = archive.namelist()
        victim = chance.choice([name for name in names if name != "mimetype"])
        for name in names:
            data = archive.read(name)
            copy.writestr(name, _hit(data, chance) if name == victim else data)
    return out.getvalue()


def _hit(data: bytes, chance: random.Random) -> bytes:
    """Cut bytes off, put others in their place, or move a part of them."""
    hit = bytearray(data)
    way = chance.randrange(4)
    if way == 0:
        del hit[chance.randrange(len(hit) + 1) :]
    elif way == 1:
        start = chance.randrange(len(hit) + 1)
        hit[start:start] = hit[: chance.randrange(200)]
    elif way == 2:
        start = chance.randrange(len(hit) + 1)
        del hit[start : start + chance.randrange(60)]
    else:
        for _ in range(chance.randrange(1, 8)):
            if hit:
                hit[chance.randrange(len(hit))] = chance.choice(b'0129azAZ<>"/=-.\0\xff')
    return bytes(hit)
