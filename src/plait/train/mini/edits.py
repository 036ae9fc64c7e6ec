"""What happens to a picture on its way to a query: cropped, rescaled, recompressed, re-coloured."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import sqrt

import numpy as np
from PIL import Image, ImageEnhance, ImageOps


@dataclass(frozen=True, slots=True)
class EditStyle:
    """The ranges and chances from which one edit is drawn; every range is (lowest, highest).

    Attributes:
        area: share of the picture's area that the crop keeps.
        stretch: largest change of the crop's aspect ratio, as a factor; 1 keeps it.
        scale: factor on both sides after the crop.
        jpeg: quality of the recompression.
        jpeg_chance: how often it is recompressed at all.
        colour_chance: how often brightness, contrast and colour change, each by up to 25 %.
        rotate_chance: how often it is turned, by up to 4 degrees.
        border_chance: how often a plain frame is put around it, up to an eighth of each side wide.
    """

    area: tuple[float, float] = (0.45, 1.0)
    stretch: float = 1.15
    scale: tuple[float, float] = (0.35, 1.0)
    jpeg: tuple[int, int] = (30, 90)
    jpeg_chance: float = 0.85
    colour_chance: float = 0.3
    rotate_chance: float = 0.1
    border_chance: float = 0.15


TRAINING_STYLE = EditStyle()
# What validation and the benchmark ask with: 70 % of the area, rescaled, recompressed, nothing else.
QUERY_STYLE = EditStyle((0.7, 0.7), 1.0, (0.5, 0.9), (40, 75), 1.0, 0.0, 0.0, 0.0)

_SMALLEST_SIDE_PX = 8


def edit(picture: Image.Image, rng: np.random.Generator, style: EditStyle = TRAINING_STYLE) -> Image.Image:
    """Return an edited copy of an RGB picture; the same generator state gives the same pixels."""
    picture = _crop(picture, rng, style)
    picture = _rescale(picture, rng.uniform(*style.scale))
    if rng.random() < style.rotate_chance:
        corner = picture.getpixel((0, 0))
        picture = picture.rotate(rng.uniform(-4, 4), Image.Resampling.BILINEAR, fillcolor=corner)
    if rng.random() < style.border_chance:
        picture = _frame(picture, rng)
    if rng.random() < style.colour_chance:
        for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            picture = change(picture).enhance(rng.uniform(0.75, 1.25))
    if rng.random() < style.jpeg_chance:
        picture = _recompress(picture, int(rng.integers(style.jpeg[0], style.jpeg[1] + 1)))
    return picture


def _crop(picture: Image.Image, rng: np.random.Generator, style: EditStyle) -> Image.Image:
    area = rng.uniform(*style.area)
    stretch = sqrt(style.stretch ** rng.uniform(-1, 1))
    width = max(1, round(picture.width * min(1.0, sqrt(area) * stretch)))
    height = max(1, round(picture.height * min(1.0, sqrt(area) / stretch)))
    left = int(rng.integers(0, picture.width - width + 1))
    top = int(rng.integers(0, picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height))


def _rescale(picture: Image.Image, factor: float) -> Image.Image:
    size = [max(_SMALLEST_SIDE_PX, round(side * factor)) for side in picture.size]
    return picture.resize((size[0], size[1]), Image.Resampling.BILINEAR)


def _frame(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    shade = int(rng.integers(0, 256))
    sides = [int(rng.uniform(0, 0.125) * side) for side in picture.size * 2]
    return ImageOps.expand(picture, (sides[0], sides[1], sides[2], sides[3]), fill=(shade, shade, shade))


def _recompress(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
