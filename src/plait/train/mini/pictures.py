"""Pictures to learn from: found in unpacked packages, each content once."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from plait.encode.pictures import open_picture
from plait.errors import QueryError

_PICTURE = re.compile(r"\.(png|jpe?g|gif)$", re.IGNORECASE)
# Small or large copies of other pictures, and drawings that a program makes for every class.
_COPY = re.compile(
    r"thumb|hires|_graph|_dep|_incl|/_static/(?!images)|formula|/math/|plot_directive|examples/data"
)
_SMALLEST_SIDE_PX, _LONGEST_SHAPE, _MOST_PIXELS = 24, 8, 30_000_000


def pictures_in(folder: Path, *, most: int, seed: int = 0) -> Iterator[tuple[str, Path, Image.Image]]:
    """Yield (pixel hash, path, RGB picture) of up to `most` different pictures, in a shuffled order.

    Two pictures are the same when their pixels are, or when they look the same at 32 x 32 in grey.
    """
    paths = sorted(p for p in folder.rglob("*") if _PICTURE.search(p.name) and not _is_copy(p, folder))
    seen: set[str] = set()
    found = 0
    random.Random(seed).shuffle(paths)
    for path in paths:
        try:
            picture = open_picture(str(path), max_pixels=_MOST_PIXELS)
        except QueryError:
            continue
        hashes = {pixel_hash(picture), _rough_hash(picture)}
        if not _usable(picture) or hashes & seen:
            continue
        seen |= hashes
        yield pixel_hash(picture), path, picture
        found += 1
        if found == most:
            return


def _is_copy(path: Path, folder: Path) -> bool:
    return bool(_COPY.search(path.relative_to(folder).as_posix()))


def pixel_hash(picture: Image.Image) -> str:
    """Return the sha256 of a picture's size and RGB pixels: the same whatever file format held them."""
    return hashlib.sha256(str(picture.size).encode() + picture.tobytes()).hexdigest()


def _rough_hash(picture: Image.Image) -> str:
    return hashlib.sha256(picture.resize((32, 32)).convert("L").tobytes()).hexdigest()


def _usable(picture: Image.Image) -> bool:
    short, long = sorted(picture.size)
    return short >= _SMALLEST_SIDE_PX and long <= _LONGEST_SHAPE * short
