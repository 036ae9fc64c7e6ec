"""Any sentence-transformers model as an encoder: one vector or many, of words alone or of pictures too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from plait.encode import checkpoint
from plait.encode.embedder import Embedder, Part
from plait.encode.items import Item, heading_of, query_parts, shares, texts_of, unit_items
from plait.encode.merging import weighted_mean
from plait.encode.opening import open_model
from plait.encode.pictures import asked_images, open_figure, open_picture
from plait.encode.token_sets import filled, pooled, stacked
from plait.encode.windows import TextLimit
from plait.errors import InputError, QueryError
from plait.model import hub
from plait.schema import Image, Query, Unit
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField, Vectors

_BATCHES = 16  # given at once, so that texts of like length are encoded together


class SentenceTransformerEncoder:
    """Implements `encode.base.Encoder` with a `SentenceTransformer` or a `MultiVectorEncoder`.

    What it fills depends on what the model reads:

    - words only: the field "text", an item a passage, asked by the texts of a query;
    - words and a picture in one input: "joint", whose items `encode.items.unit_items` gives; the texts of
      a query are asked together with its first image;
    - words, and pictures, each alone (CLIP, ColPali): "text" and "image", an item a passage and an item a
      figure, and every text and image of a query asks both. They are two because such models hold any
      two texts for more alike than a text and its picture (Liang et al., Mind the Gap, arXiv 2203.02053):
      in one field, words would not find pictures.

    A passage longer than the model reads is encoded in windows and merged: single vectors to their mean,
    weighted by tokens; token vectors all together. Vectors are brought to length 1, so a model made for
    dot products loses what it says by their length. A text of which the model knows no word may get a
    vector of zeros, which is like no other.

    Every item of a model with many vectors holds the same number of them: fewer are filled up by
    repeating one, which changes no score; more are pooled, and counted in `pooled`.
    """

    def __init__(
        self,
        model: Any,
        *,
        name: str,
        fingerprint: str,
        threads: int = 0,
        max_pixels: int = 50_000_000,
        batch_size: int = 16,
        max_tokens_per_item: int = 128,
    ) -> None:
        """Wrap a model in memory; it stays on its device.

        Args:
            model: a SentenceTransformer or MultiVectorEncoder.
            name: what the user calls it.
            fingerprint: of all that the vectors depend on; another one is another model.
            threads: on a CPU, batches encoded at a time, each by one torch thread; 0 means one a core.
            max_pixels: larger pictures are refused before they are decoded.
            batch_size: items a batch.
            max_tokens_per_item: vectors an item of a model with many, each 2 bytes a number on disk and 4
                in memory. A model that never gives as many gets fewer.

        Raises:
            ModelError: it is neither, reads no text, cannot encode a word or a picture, or gives vectors
                of unequal width.
            InputError: max_tokens_per_item below 1.
        """
        if max_tokens_per_item < 1:
            raise InputError(f"max_tokens_per_item must be at least 1, got {max_tokens_per_item}")
        self._embedder = Embedder(model, name=name, threads=threads, batch_size=batch_size)
        self._max_pixels = max_pixels
        self._batch_size = batch_size
        self._tokens = min(max_tokens_per_item, self._embedder.most_vectors or max_tokens_per_item)
        self._fingerprint = sha256(f"{fingerprint} {self._tokens}".encode()).hexdigest()
        self._windows = self._truncated = self._pooled = 0

    @classmethod
    def load(
        cls,
        name: str,
        *,
        threads: int = 0,
        max_pixels: int = 50_000_000,
        batch_size: int = 16,
        max_tokens_per_item: int = 128,
    ) -> SentenceTransformerEncoder:
        """Return the encoder of a stored model; nothing is fetched, and no code of the model's own is run.

        Args:
            name: a folder, an installed package that carries a model, or a hub name that was downloaded.
            threads, max_pixels, batch_size, max_tokens_per_item: as of the class.

        Raises:
            ModelError: no such model, or one that cannot be loaded or used.
            MissingExtraError: sentence-transformers is not installed.
        """
        folder = hub.resolve(name)
        return cls(
            open_model(folder),
            name=name,
            fingerprint=checkpoint.fingerprint(folder),
            threads=threads,
            max_pixels=max_pixels,
            batch_size=batch_size,
            max_tokens_per_item=max_tokens_per_item,
        )

    @property
    def name(self) -> str:
        """What the user typed."""
        return self._embedder.name

    @property
    def fingerprint(self) -> str:
        """Hash of the model's own and of the vectors an item."""
        return self._fingerprint

    @property
    def fields(self) -> tuple[VectorField, ...]:
        """One field; two where words and pictures are read apart."""
        width, tokens = self._embedder.width, self._tokens
        if self._embedder.reads == "joint":
            return (VectorField("joint", width, tokens, items="unit", asks="joint"),)
        if self._embedder.reads == "text":
            return (VectorField("text", width, tokens, items="passage", asks="text"),)
        return (
            VectorField("text", width, tokens, items="passage", asks="joint"),
            VectorField("image", width, tokens, items="figure", asks="joint"),
        )

    @property
    def mixture(self) -> None:
        """No mixture was fitted for this encoder."""
        return None

    @property
    def calibration(self) -> None:
        """No calibration was fitted for this encoder."""
        return None

    @property
    def windows(self) -> int:
        """Windows so far that texts longer than the model reads were cut into, for units."""
        return self._windows

    @property
    def truncated(self) -> int:
        """Windows so far that were still too long, so that words were not encoded."""
        return self._truncated

    @property
    def pooled(self) -> int:
        """Items so far that had more vectors than an item holds."""
        return self._pooled

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        """Return the vectors of each unit, in order; a unit that shows the model nothing has no items.

        Of a unit without passages, the captions are one text.

        Raises:
            ReadError: a figure's file is gone or damaged.
            ModelError: the model fails, or gives vectors that are not finite.
        """
        limit = self._embedder.limits["document"]
        items_of: dict[str, Callable[[Unit], list[Item]]] = {
            "joint": lambda unit: unit_items(unit, limit),
            "text": _texts,
            "image": _pictures,
        }
        encoded = {
            field.name: self._encode_items([items_of[field.name](unit) for unit in units])
            for field in self.fields
        }
        return [UnitVectors({name: found[k] for name, found in encoded.items()}) for k in range(len(units))]

    def encode_query(self, query: Query) -> QueryVectors:
        """Return the vectors of a query; a text longer than the model reads is several parts.

        Where parts have unequal numbers of vectors, they are as `token_sets.stacked` has it.

        Raises:
            QueryError: an image where the model reads none; or one that is missing, is not an image, or
                holds too many pixels.
            ModelError: the model fails, or gives vectors that are not finite.
        """
        embedder = self._embedder
        if query.images and embedder.reads == "text":
            raise QueryError(
                f"{self.name} reads no pictures, and the query holds {len(query.images)}: ask in words only, "
                "or fill a library with a model that reads pictures, such as plait-mini"
            )
        gather = query_parts if embedder.reads == "joint" else _parts_apart
        images = asked_images(query, max_pixels=self._max_pixels)
        parts, weights = gather(query, images, embedder.limits["query"])
        vectors = stacked(embedder.vectors(parts, "query", open_one=self._open))
        names = [field.name for field in self.fields]
        return QueryVectors(dict.fromkeys(names, vectors), dict.fromkeys(names, weights))

    def _encode_items(self, items: Sequence[Sequence[Item]]) -> list[Vectors]:
        """Return (items, tokens, width) for each unit's items."""
        flat = [item for of_unit in items for item in of_unit]
        found = np.zeros((len(flat), self._tokens, self._embedder.width), np.float32)
        size = _BATCHES * self._batch_size
        for start in range(0, len(flat), size):
            for k, vectors in enumerate(self._encode_some(flat[start : start + size]), start):
                found[k] = self._fitted(vectors)
        ends = np.cumsum([len(of_unit) for of_unit in items], dtype=int)
        return np.split(found, ends[:-1]) if items else []

    def _encode_some(self, items: Sequence[Item]) -> list[Vectors]:
        """Return (n, width) for each item, its windows merged."""
        limit = self._embedder.limits["document"]
        windows = [limit.windows(item.text) or [""] for item in items]
        parts: list[Part] = []
        for item, texts in zip(items, windows, strict=True):
            parts += [(text, item.picture) for text in texts]
            if item.is_window or len(texts) > 1:
                self._windows += len(texts)
                self._truncated += sum(limit.count(text) > limit.max_tokens for text in texts)
        vectors = iter(self._embedder.vectors(parts, "document", open_one=self._open_figure))
        return [self._merged([(next(vectors), limit.count(text)) for text in texts]) for texts in windows]

    def _merged(self, windows: Sequence[tuple[Vectors, int]]) -> Vectors:
        """Return the vectors of an item from those of its windows and how many tokens each has."""
        vectors = np.concatenate([vectors for vectors, _ in windows])
        if len(windows) == 1 or self._embedder.has_tokens:
            return vectors
        return weighted_mean(vectors, [count for _, count in windows])[None]

    def _fitted(self, vectors: Vectors) -> Vectors:
        """Return (tokens, width) from any number of vectors."""
        if len(vectors) > self._tokens:
            self._pooled += 1
            vectors = pooled(vectors, self._tokens)
        return filled(vectors, self._tokens)

    def _open(self, image: Image) -> PillowImage.Image:
        return open_picture(image, max_pixels=self._max_pixels)

    def _open_figure(self, image: Image) -> PillowImage.Image:
        return open_figure(image, max_pixels=self._max_pixels)


def _texts(unit: Unit) -> list[Item]:
    """Return each passage under the unit's headings; the captions where there is none."""
    heading = heading_of(unit)
    texts = ["\n".join(part for part in (heading, text) if part) for text in texts_of(unit)]
    return [Item(text, None) for text in texts] if unit.passages or texts[0].strip() else []


def _pictures(unit: Unit) -> list[Item]:
    return [Item("", figure.picture.path) for figure in unit.figures if figure.picture is not None]


def _parts_apart(query: Query, images: Sequence[Image], limit: TextLimit) -> tuple[list[Part], Vectors]:
    """Return each text and each image as a part; a text's windows share its weight by their tokens."""
    parts: list[Part] = []
    weights: list[float] = []
    for text, weight in zip(query.texts, query.text_weights, strict=True):
        windows = limit.windows(text)
        parts += [(window, None) for window in windows]
        weights += [float(weight * share) for share in shares([max(1, limit.count(w)) for w in windows])]
    parts += [("", image) for image in images]
    return parts, shares([*weights, *query.image_weights])
