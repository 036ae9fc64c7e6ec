"""Figures to ask with: which are the same, which unit shows them, and how a query's copy is edited."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from PIL import Image

from plait.schema import Picture, Segment, Unit

SMALLEST_SIDE_PX = 32  # smaller ones are icons, which nobody photographs


class Figures:
    """The figures of some units, told apart by their pixels, whatever files they were stored in.

    Only figures of one size can be the same, so only those are decoded, and each once.

    Args:
        units: all that could answer.

    Attributes:
        damaged: sha256 of pictures that were looked at and cannot be opened.
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        self.damaged: set[str] = set()
        self._pixels: dict[str, str] = {}
        self._by_size: dict[tuple[int, int], dict[str, Picture]] = {}
        self._shown_by: dict[str, list[int]] = {}
        for place, unit in enumerate(units):
            for picture in {f.picture.sha256: f.picture for f in unit.figures if f.picture}.values():
                self._by_size.setdefault(_size(picture), {})[picture.sha256] = picture
                self._shown_by.setdefault(picture.sha256, []).append(place)

    def showing(self, picture: Picture) -> list[int]:
        """Return the places of the units that show a figure, ascending; none if it cannot be opened."""
        pixels = self.pixels(picture)
        alike = self._by_size.get(_size(picture), {}).values() if pixels else ()
        same = [one.sha256 for one in alike if self.pixels(one) == pixels]
        return sorted({place for sha256 in same for place in self._shown_by[sha256]})

    def pixels(self, picture: Picture) -> str:
        """Return a digest of a figure's size and pixels; "" if it cannot be opened."""
        if picture.sha256 not in self._pixels:
            try:
                self._pixels[picture.sha256] = pixels_of(picture.path)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                self.damaged.add(picture.sha256)
                self._pixels[picture.sha256] = ""
        return self._pixels[picture.sha256]


def large_figures(unit: Unit) -> Iterator[tuple[Segment, Picture]]:
    """Yield the figures of a unit that are large enough to ask with, and their pictures."""
    for figure in unit.figures:
        if figure.picture is not None and min(_size(figure.picture)) >= SMALLEST_SIDE_PX:
            yield figure, figure.picture


def pixels_of(path: str) -> str:
    """Return a digest of a picture's size and pixels, whatever file they were stored in."""
    image = flat(path)
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()


def edited(path: str, rng: np.random.Generator) -> bytes:
    """Return a picture as JPEG: 70 % of its area, scaled by .5 to .9, quality 40 to 75."""
    image = flat(path)
    width, height = (max(1, round(side * sqrt(0.7))) for side in image.size)
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    scale = rng.uniform(0.5, 0.9)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = image.crop((left, top, left + width, top + height)).resize(size, Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=int(rng.integers(40, 76)))
    return buffer.getvalue()


def flat(path: str) -> Image.Image:
    """Return a picture in RGB, as it looks on white."""
    with Image.open(path) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of palettes with several transparent colours; RGBA holds them all
        colours = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours).convert("RGB")


def _size(picture: Picture) -> tuple[int, int]:
    return picture.width_px, picture.height_px
