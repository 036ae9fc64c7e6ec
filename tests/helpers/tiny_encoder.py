"""A real encoder that needs no model: hashed bags of words, and colour histograms."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from plait.encode.pictures import asked_images
from plait.errors import QueryError
from plait.index.lexical import term_hash, words
from plait.schema import Query, Unit
from plait.scoring.calibration import Calibration
from plait.scoring.mixture import MixtureParameters
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField, Vectors

TEXT = VectorField("text", 64, 1, "passage", "text")
IMAGE = VectorField("image", 24, 1, "figure", "image")
IMAGE_TOKENS = VectorField("image_tokens", 24, 4, "figure", "image")


@dataclass(frozen=True)
class TinyEncoder:
    """Passages by the words they hold, figures by the colours of the whole and of its four quarters."""

    name: str = "tiny"
    fingerprint: str = "tiny-1"
    fields: tuple[VectorField, ...] = (TEXT, IMAGE, IMAGE_TOKENS)
    mixture: MixtureParameters | None = None
    calibration: Calibration | None = None
    windows: int = 0
    truncated: int = 0

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        return [
            UnitVectors(
                {
                    "text": _stacked([_words(passage.text) for passage in unit.passages], TEXT),
                    "image": _stacked([_colours(_path(f)) for f in unit.figures], IMAGE),
                    "image_tokens": _stacked([_quarters(_path(f)) for f in unit.figures], IMAGE_TOKENS),
                }
            )
            for unit in units
        ]

    def encode_query(self, query: Query) -> QueryVectors:
        fields: dict[str, Vectors] = {}
        if query.texts:
            fields["text"] = _stacked([_words(text) for text in query.texts], TEXT)
        if query.images:
            images = asked_images(query, max_pixels=1 << 24)
            fields["image"] = _stacked([_colours(image) for image in images], IMAGE)
            fields["image_tokens"] = _stacked([_quarters(image) for image in images], IMAGE_TOKENS)
        shares = {"text": _shares(query.text_weights), "image": _shares(query.image_weights)}
        return QueryVectors(fields, {name: shares[name.partition("_")[0]] for name in fields})


def _words(text: str) -> Vectors:
    vector = np.zeros(TEXT.width, np.float32)
    for word in words(text):
        vector[term_hash(word) % TEXT.width] += 1
    return _unit(vector)[None]


def _colours(picture: str | bytes) -> Vectors:
    return _histogram(_open(picture))[None]


def _quarters(picture: str | bytes) -> Vectors:
    image = _open(picture).resize((16, 16))
    boxes = [(x, y, x + 8, y + 8) for y in (0, 8) for x in (0, 8)]
    return np.stack([_histogram(image.crop(box)) for box in boxes])


def _histogram(image: Image.Image) -> Vectors:
    counts = np.array(image.histogram(), np.float32).reshape(3, 8, 32).sum(axis=2)
    return _unit(np.sqrt(counts.reshape(-1)))


def _open(picture: str | bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as image:
            return image.convert("RGB")
    except OSError as error:
        shown = "the query's image" if isinstance(picture, bytes) else picture
        raise QueryError(f"{shown} is not an image: give a PNG or JPEG file") from error


def _path(figure) -> str:
    return figure.picture.path


def _stacked(items: Sequence[Vectors], field: VectorField) -> Vectors:
    return np.stack(items) if items else np.empty((0, field.tokens, field.width), np.float32)


def _unit(vector: Vectors) -> Vectors:
    length = np.linalg.norm(vector)
    return vector / length if length else np.eye(1, len(vector), dtype=np.float32)[0]


def _shares(weights: tuple[float, ...]) -> Vectors:
    return np.array(weights, np.float32) / np.float32(sum(weights) or 1)
