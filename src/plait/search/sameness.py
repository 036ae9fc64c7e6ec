"""Whether two places say and show nearly the same, so that a reader needs only one of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from plait.index.languages import NO_STEMMING
from plait.index.lexical import words
from plait.schema import Passage, Picture, Unit
from plait.search.part_ids import part_named

_SHINGLE = 3  # words
_SAME_WORDS = 0.8  # share of the shingles of both that each of two texts must have
_FEW = 8  # words: fewer tell nothing on their own,
_BEGINNING = 200  # and so many characters mostly have more
_SIDE = 32  # of the small picture, in pixels
# Of 1,076 figures of five manuals, 92 % were within this of themselves at 60 % size as JPEG of quality 60; of
# the pairs of other figures, 5 were. Higher, diagrams that differ by a word are taken for one.
_SAME_PIXELS = 16
_SAME_SHAPE = 0.03  # difference of the logarithms of width / height
_KEPT = 4096
_MAX_PIXELS = 50_000_000

Small = NDArray[np.float32]


@dataclass(frozen=True)
class Content:
    """What a place says and shows.

    Attributes:
        texts: what it says.
        pictures: its figures.
    """

    texts: tuple[str, ...]
    pictures: tuple[Picture, ...]

    @cached_property
    def has_few_words(self) -> bool:
        """Whether there are too few words to tell anything."""
        text = self.text
        return len(_words(text[:_BEGINNING])) < _FEW and len(_words(text)) < _FEW

    @cached_property
    def shingles(self) -> frozenset[int]:
        """Hashes of every three words that follow each other; of fewer words, of all of them."""
        every = _words(self.text)
        if len(every) < _SHINGLE:
            return frozenset([hash(tuple(every))] if every else ())
        return frozenset(map(hash, zip(*(every[first:] for first in range(_SHINGLE)), strict=False)))

    @cached_property
    def text(self) -> str:
        """All of the texts, one a line."""
        return "\n".join(self.texts)


def content(unit: Unit, part: str = "") -> Content:
    """Return what a unit says and shows, or a part of it: "p2", "f0", "t1"."""
    one = part_named(unit, part) if part else None
    texts, shown = [passage.text for passage in unit.passages], unit.figures
    if isinstance(one, Passage):
        texts, shown = [one.text], ()
    elif one is not None:  # one figure stands under many captions
        texts, shown = [one.text, one.caption] if one.kind == "table" else [], (one,)
    return Content(tuple(texts), tuple(one.picture for one in shown if one.picture is not None))


def nearly_same(one: Content, other: Content, root: Path | None) -> bool:
    """Tell whether two places say the same but for a few words, and show the same pictures.

    Pictures are the same if their files are, or if they look alike when small, as a smaller or recompressed
    copy does. Words alone decide only if there are eight; a picture alone if neither has more.

    Args:
        root: where the paths of pictures begin; None compares files' names only.
    """
    if bool(one.pictures) != bool(other.pictures):
        return False
    is_copy = one.texts == other.texts
    if one.has_few_words and other.has_few_words and not one.pictures:
        return False
    alike = is_copy or _overlap(one.shingles, other.shingles, _SAME_WORDS)
    return alike and _same_pictures(one.pictures, other.pictures, root)


def _words(text: str) -> list[str]:
    return words(text, language=NO_STEMMING)


def _overlap(some: frozenset[Any], others: frozenset[Any], share: float) -> bool:
    """Tell whether two sets have at least such a share of both together in common."""
    if min(len(some), len(others)) < share * max(len(some), len(others)):
        return False  # they cannot, whatever is in them
    common = len(some & others)
    return common >= share * (len(some) + len(others) - common)


def _same_pictures(some: Sequence[Picture], others: Sequence[Picture], root: Path | None) -> bool:
    """Tell whether each picture of both has its like among the others."""
    if {picture.sha256 for picture in some} == {picture.sha256 for picture in others}:
        return True
    if root is None or not some or not others:
        return False

    def each(looks: Callable[[Picture, Picture], bool]) -> bool:
        return all(any(looks(one, other) for other in others) for one in some) and all(
            any(looks(one, other) for one in some) for other in others
        )

    # No file is opened where sizes tell.
    return each(_same_shape) and each(lambda one, other: _look_alike(one, other, root))


def _same_shape(one: Picture, other: Picture) -> bool:
    shapes = [math.log(max(1, picture.width_px) / max(1, picture.height_px)) for picture in (one, other)]
    return one.sha256 == other.sha256 or abs(shapes[0] - shapes[1]) <= _SAME_SHAPE


def _look_alike(one: Picture, other: Picture, root: Path) -> bool:
    if one.sha256 == other.sha256:
        return True
    if not _same_shape(one, other):
        return False
    small = [_small(os.path.join(root, picture.path)) for picture in (one, other)]
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
    if picture.getchannel("A").getextrema() != (255, 255):
        ground = Image.new("RGBA", picture.size, "white")
        ground.alpha_composite(picture)
        picture = ground
    grey = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return np.asarray(grey, np.float32)
