"""Whether two places say and show nearly the same, so that a reader needs only one of them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from plait.index.lexical import words
from plait.schema import Passage, Picture, Unit
from plait.search.part_ids import part_named

_SHINGLE = 3  # words
_SAME_WORDS = 0.8  # share of the shingles of both that each of two texts must have
_FEW = 8  # words: fewer tell nothing on their own
_SIDE = 32  # of the small picture, in pixels
# Of 1,076 figures of five manuals, 92 % were within this of themselves at 60 % size as JPEG of quality 60; of
# the pairs of other figures, 5 were. Higher, diagrams that differ by a word are taken for one.
_SAME_PIXELS = 16
_SAME_SHAPE = 0.03  # difference of the logarithms of width / height
_KEPT = 4096
_MAX_PIXELS = 50_000_000

Small = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Content:
    """What a place says and shows.

    Attributes:
        shingles: hashes of every three words that follow each other; of fewer words, of all of them.
        words: how many words there are.
        pictures: its figures.
    """

    shingles: frozenset[int]
    words: int
    pictures: tuple[Picture, ...]


def content(unit: Unit, part: str = "") -> Content:
    """Return what a unit says and shows, or a part of it: "p2", "f0", "t1"."""
    one = part_named(unit, part) if part else None
    texts, shown = [passage.text for passage in unit.passages], unit.figures
    if isinstance(one, Passage):
        texts, shown = [one.text], ()
    elif one is not None:  # one figure stands under many captions
        texts, shown = [one.text, one.caption] if one.kind == "table" else [], (one,)
    pictures = tuple(one.picture for one in shown if one.picture is not None)
    return _content(tuple(texts), pictures)


def nearly_same(one: Content, other: Content, root: Path | None) -> bool:
    """Tell whether two places say the same but for a few words, and show the same pictures.

    Pictures are the same if their files are, or if they look alike when small, as a smaller or recompressed
    copy does. Words alone decide only if there are eight; a picture alone if neither has more.

    Args:
        root: where the paths of pictures begin; None compares files' names only.
    """
    few = max(one.words, other.words) < _FEW
    if few and not (one.pictures and other.pictures):
        return False
    together = len(one.shingles | other.shingles)
    alike = together == 0 or len(one.shingles & other.shingles) >= _SAME_WORDS * together
    return alike and _same_pictures(one.pictures, other.pictures, root)


class Contents:
    """The contents looked at last, by what names their row and the part; safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, str], Content] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[int, str]) -> Content | None:
        """Return what is kept; None if nothing is."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: tuple[int, str], found: Content) -> None:
        """Keep a content; the one not used for longest goes if there are too many."""
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def _content(texts: Sequence[str], pictures: tuple[Picture, ...]) -> Content:
    every = [word for text in texts for word in words(text, language="none")]
    runs = range(max(1, len(every) - _SHINGLE + 1))
    shingles = frozenset(hash(tuple(every[at : at + _SHINGLE])) for at in runs) if every else frozenset[int]()
    return Content(shingles, len(every), pictures)


def _same_pictures(some: Sequence[Picture], others: Sequence[Picture], root: Path | None) -> bool:
    """Tell whether each picture of both has its like among the others."""
    if {picture.sha256 for picture in some} == {picture.sha256 for picture in others}:
        return True
    if root is None or not some or not others:
        return False

    def there(picture: Picture, among: Sequence[Picture]) -> bool:
        return any(_look_alike(picture, one, root) for one in among)

    return all(there(one, others) for one in some) and all(there(one, some) for one in others)


def _look_alike(one: Picture, other: Picture, root: Path) -> bool:
    if one.sha256 == other.sha256:
        return True
    shapes = [math.log(max(1, picture.width_px) / max(1, picture.height_px)) for picture in (one, other)]
    if abs(shapes[0] - shapes[1]) > _SAME_SHAPE:
        return False
    small = [_small(str(root / picture.path)) for picture in (one, other)]
    if small[0] is None or small[1] is None:
        return False
    return float(np.abs(small[0] - small[1]).max()) <= _SAME_PIXELS


@lru_cache(maxsize=_KEPT)
def _small(path: str) -> Small | None:
    """Return (32, 32) greys of a stored picture on white, 0 to 255; None where it cannot be opened.

    Files are named by their content, so what is remembered of one stays true.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                return None
            opened.draft("RGB", (8 * _SIDE, 8 * _SIDE))  # of a JPEG, only as much as is needed
            picture = opened.convert("RGBA")
    except (OSError, UnidentifiedImageError, ValueError):
        return None
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    grey = ground.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return np.asarray(grey, np.float32)
