"""What the top of the vision tower sees in captioned pictures and in their edits, computed once and kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from plait.errors import InputError
from plait.model.mini.lite0 import EfficientNetLite0
from plait.model.mini.lite0_top import Lite0Top
from plait.scoring.vectors import Vectors
from plait.train.mini.captioned import Captioned
from plait.train.mini.words import Captions

logger = logging.getLogger(__name__)

_SIDE_PX = 224
_THUMB_PX = 24
_LEAST_SPREAD = 4.0  # standard deviation of the pixels below which a picture is blank
_EDITED_SHARE = 0.65  # of the pictures that are seen only once
_SAME_LOOK, _NEAR_LOOK, _NEAR_SIGHT, _SAME_SIGHT = 0.95, 0.8, 0.55, 0.75


@dataclass(frozen=True, slots=True)
class Sighted:
    """Captioned pictures of one source, each content once.

    Attributes:
        thumbs: (P, 24, 24) grey, trimmed to what is drawn: to tell copies by.
    """

    captions: Captions
    thumbs: NDArray[np.uint8]

    def save(self, path: Path) -> None:
        """Write to a .npz file."""
        of = self.captions
        np.savez(path, source=of.source, titles=np.array(of.titles), features=of.features, thumbs=self.thumbs)

    @classmethod
    def read(cls, path: Path) -> Sighted:
        """Return what `save` wrote."""
        with np.load(path) as stored:
            titles = tuple(stored["titles"].tolist())
            return cls(Captions(str(stored["source"]), titles, stored["features"]), stored["thumbs"])


def sight(
    source: str, pictures: Iterable[Captioned], tower: EfficientNetLite0, top: Lite0Top, *, views: int
) -> Sighted:
    """Return the features of pictures; the edits of one depend on its content alone.

    Args:
        views: 2 for each picture and an edit of it, 1 for an edit of two pictures in three and the others
            as they are.
    """
    titles, features, thumbs = [], [], []
    seen: set[str] = set()
    for captioned in pictures:
        try:
            picture = captioned.opened()
        except (InputError, OSError, ValueError, KeyError, Image.DecompressionBombError) as error:
            logger.info("%s: %s is left out: %s", source, captioned.key, error)
            continue
        plain = over_white(picture)
        if np.asarray(plain).std() < _LEAST_SPREAD:
            continue
        thumb = np.asarray(trimmed(plain).resize((_THUMB_PX, _THUMB_PX), Image.Resampling.BOX))
        content = hashlib.sha256((thumb // 16).tobytes()).hexdigest()
        if content in seen:
            continue
        seen.add(content)
        rng = np.random.default_rng(int(content[:12], 16))
        if views == 1:
            shown = [edited(picture, rng) if rng.random() < _EDITED_SHARE else plain]
        else:
            shown = [plain, *(edited(picture, rng) for _ in range(views - 1))]
        titles.append(captioned.title)
        features.append(_features([_squeezed(one) for one in shown], tower, top))
        thumbs.append(np.asarray(Image.fromarray(thumb).convert("L")))
    return Sighted(Captions(source, tuple(titles), np.stack(features)), np.stack(thumbs))


def apart(sighted: Sighted, test: Sighted) -> Captions:
    """Return the pictures of a source that are not those of a test set, nor nearly so.

    Of two that look alike at 24 x 24, or nearly, and that the tower sees alike too, one may be a
    redrawn, cropped or re-coloured copy of the other.
    """
    of = sighted.captions
    looks = _standard(sighted.thumbs) @ _standard(test.thumbs).T
    centre = of.features[:, 0].astype(np.float32).mean(0)
    sights = _unit(of.features[:, 0] - centre) @ _unit(test.captions.features[:, 0] - centre).T
    copies = ((looks > _SAME_LOOK) & (sights > _NEAR_SIGHT)) | ((looks > _NEAR_LOOK) & (sights > _SAME_SIGHT))
    kept: NDArray[np.bool_] = ~np.asarray(copies.any(1))
    titles = tuple(title for title, keep in zip(of.titles, kept, strict=True) if keep)
    return Captions(of.source, titles, of.features[kept])


def over_white(picture: Image.Image) -> Image.Image:
    """Return an RGBA picture in RGB as a page shows it."""
    return _over(picture, (255, 255, 255))


def trimmed(picture: Image.Image, *, margin: float = 0.04, tolerance: int = 16) -> Image.Image:
    """Return what differs from the colour of a picture's edge, in a square of that colour."""
    pixels = np.asarray(picture).astype(int)
    colour = np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]), axis=0)
    drawn = np.abs(pixels - colour).max(2) > tolerance
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    if len(rows) >= 8 and len(columns) >= 8:
        picture = picture.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    side = round(max(picture.size) * (1 + 2 * margin))
    red, green, blue = (int(value) for value in colour)
    square = Image.new("RGB", (side, side), (red, green, blue))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return _squeezed(square)


def edited(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return an RGBA picture perhaps mirrored, turned, on another ground, cropped, re-coloured."""
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.3:
        picture = picture.rotate(rng.uniform(-15, 15), Image.Resampling.BILINEAR, expand=True)
    box = picture.getchannel("A").getbbox()
    if box and rng.random() < 0.7:
        picture = picture.crop(box)
    placed = _placed(picture, _ground(rng), rng)
    if rng.random() < 0.4:
        placed = _cropped(placed, rng)
    if rng.random() < 0.3:
        for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            placed = change(placed).enhance(rng.uniform(0.6, 1.4))
    if rng.random() < 0.08:
        placed = ImageOps.grayscale(placed).convert("RGB")
    return placed


def _ground(rng: np.random.Generator) -> tuple[int, int, int]:
    """Return a colour: white, black, a grey or any."""
    chance = rng.random()
    if chance < 0.35:
        return 255, 255, 255
    if chance < 0.45:
        return 0, 0, 0
    if chance < 0.6:
        grey = int(rng.integers(100, 250))
        return grey, grey, grey
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    return red, green, blue


def _placed(picture: Image.Image, colour: tuple[int, int, int], rng: np.random.Generator) -> Image.Image:
    """Return the picture somewhere on a larger ground, square or of its own shape."""
    if rng.random() < 0.5:
        width = height = round(max(picture.size) * rng.uniform(1.0, 1.8))
    else:
        factor = rng.uniform(1.0, 1.3)
        width, height = round(picture.width * factor), round(picture.height * factor)
    ground = Image.new("RGBA", (width, height), (*colour, 255))
    left = int(rng.integers(0, width - picture.width + 1))
    ground.alpha_composite(picture, (left, int(rng.integers(0, height - picture.height + 1))))
    return ground.convert("RGB")


def _cropped(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = rng.uniform(0.6, 1) ** 0.5
    width, height = round(picture.width * side), round(picture.height * side)
    left = int(rng.integers(0, picture.width - width + 1))
    above = int(rng.integers(0, picture.height - height + 1))
    return picture.crop((left, above, left + width, above + height))


def _over(picture: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    ground = Image.new("RGBA", picture.size, (*colour, 255))
    ground.alpha_composite(picture)
    return ground.convert("RGB")


def _squeezed(picture: Image.Image) -> Image.Image:
    return picture.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BILINEAR, reducing_gap=2.0)


def _features(shown: list[Image.Image], tower: EfficientNetLite0, top: Lite0Top) -> NDArray[np.float16]:
    """Return (views, 1280)."""
    pixels = torch.stack([torch.from_numpy(np.array(view)) for view in shown])
    with torch.inference_mode():
        maps = tower(((pixels.float() - 127.0) / 128.0).permute(0, 3, 1, 2))
        features: NDArray[np.float16] = top(maps[-1]).mean(1).half().numpy()
    return features


def _standard(thumbs: NDArray[np.uint8]) -> Vectors:
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    return _unit(flat - flat.mean(1, keepdims=True))


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-8)
    return unit
