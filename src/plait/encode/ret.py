"""The encoder around a ReT checkpoint: text and picture fused into one set of token vectors."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from safetensors import SafetensorError
from torch import Tensor

from plait.encode.batching import length_batches
from plait.encode.items import query_parts, unit_items
from plait.encode.pictures import asked_images, open_figure, open_picture
from plait.encode.quiet import no_progress_bars
from plait.encode.threads import SideBySide
from plait.encode.windows import TextLimit
from plait.errors import ModelError
from plait.model import backbones, hub
from plait.model.gates import watched_gates
from plait.model.inference.fast import prepare
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.processing_ret import RetProcessor
from plait.model.ret2.modeling_ret2 import Ret2ForRetrieval
from plait.schema import Image, Query, Unit
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField, Vectors

FIELD = "ret"
_MODELS: dict[str, type[RetForRetrieval]] = {
    "plait-ret-retrieval": RetForRetrieval,
    "plait-ret2-retrieval": Ret2ForRetrieval,
    "retriever": RetForRetrieval,  # the official release's
}
# What transformers raises on configurations and weights that do not fit.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
_FORMAT = "ret encoder, version 2"  # raise when what is encoded changes, here or in items.py

_Part = tuple[str, Image | None]  # what is encoded together: words ("" for none), and a picture
_Encode = Callable[..., Tensor]  # one side of the model


@dataclass(frozen=True, slots=True)
class _Batch:
    """Parts of one kind: their rows among all, their words as the model reads them, their pictures."""

    rows: list[int]
    words: dict[str, Tensor]
    pictures: list[Image]


class RetEncoder:
    """Implements `encode.base.Encoder` with ReT and ReT-2; use `RetEncoder.load`.

    What a unit and a query give to encode, `unit_items` and `query_parts` say: figures with their words,
    passages that no figure took, and further windows of texts longer than the text backbone reads.
    """

    def __init__(
        self,
        model: RetForRetrieval,
        processor: RetProcessor,
        *,
        name: str,
        fingerprint: str,
        threads: int = 0,
        max_pixels: int = 50_000_000,
        batch_size: int = 16,
        precision: str = "auto",
    ) -> None:
        self._model = prepare(model.eval(), precision=precision)  # type: ignore[arg-type]  # checked there
        self._processor = processor
        self._name = name
        self._fingerprint = fingerprint
        self._max_pixels = max_pixels
        self._batch_size = batch_size
        self._side_by_side = SideBySide(threads)
        self._tokenizing = threading.Lock()  # a call may change the tokenizer's settings
        special = processor.tokenizer.num_special_tokens_to_add(pair=False)
        self._limit = TextLimit(self._offsets, processor.max_tokens - special)
        self._windows = 0

    @classmethod
    def load(
        cls,
        name: str,
        *,
        threads: int = 0,
        max_pixels: int = 50_000_000,
        batch_size: int = 16,
        precision: str = "auto",
    ) -> RetEncoder:
        """Return the encoder of a ReT checkpoint; never reaches for the network.

        Args:
            name: what `hub.resolve` finds: a checkpoint (ours or the official release's) with its
                tokenizer and image processor.
            threads: batches encoded at a time, each by one torch thread; 0 means one a core.
            max_pixels: larger pictures are refused before they are decoded.
            batch_size: items encoded at once.
            precision: of matrix products: "auto", "float32", "bfloat16", "mixed" or "int8"; see `prepare`.

        Raises:
            ModelError: no such checkpoint, one that cannot be loaded, or no such precision.
        """
        folder = hub.resolve(name)
        model_class = _model_class(folder)
        with no_progress_bars():
            try:
                model = model_class.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
            except _DAMAGED as error:
                raise ModelError(f"{folder} holds a ReT checkpoint that cannot be loaded: {error}") from error
            processor = _processor(folder, model)
        return cls(
            model.merge_adapters(),
            processor,
            name=name,
            fingerprint=fingerprint(folder),
            threads=threads,
            max_pixels=max_pixels,
            batch_size=batch_size,
            precision=precision,
        )

    @property
    def name(self) -> str:
        """What the user typed."""
        return self._name

    @property
    def fingerprint(self) -> str:
        """Hash of the checkpoint's files."""
        return self._fingerprint

    @property
    def fields(self) -> tuple[VectorField, ...]:
        """One field, which both sides of a query ask together."""
        side = self._model.config.document_config
        tokens = side.num_queries if self._model.config.late_interaction else 1
        return (VectorField(FIELD, side.late_proj_output_size, tokens, items="unit", asks="joint"),)

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
        """Windows so far that the long texts of units were cut into."""
        return self._windows

    @property
    def truncated(self) -> int:
        """Texts so far that were cut in spite of windows."""
        return self._processor.truncated

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        """Return the vectors of each unit, in order; a unit without words or figures has no items.

        Raises:
            ReadError: a figure's file is gone or damaged.
        """
        items = [unit_items(unit, self._limit) for unit in units]
        flat = [item for of_unit in items for item in of_unit]
        self._windows += sum(item.is_window for item in flat)
        parts = [(item.text, item.picture) for item in flat]
        vectors = self._encode(parts, self._open_figure, self._model.encode_documents)
        ends = np.cumsum([len(of_unit) for of_unit in items], dtype=int)
        return [UnitVectors({FIELD: part}) for part in np.split(vectors, ends[:-1])] if units else []

    def encode_query(self, query: Query) -> QueryVectors:
        """Return the vectors of a query.

        Raises:
            QueryError: an image that is missing, is not an image, or holds too many pixels.
        """
        images = asked_images(query, max_pixels=self._max_pixels)
        parts, weights = query_parts(query, images, self._limit)
        vectors = self._encode(parts, self._open, self._model.encode_queries)
        return QueryVectors({FIELD: vectors}, {FIELD: weights})

    def gates(self, query: Query) -> dict[str, float]:
        """Return the mean input gate of "text" and of "image", in [0, 1], as the query's first part is read.

        That is all its texts, or as much of them as is read at once, with its first image. A side that is
        not there has none.

        Raises:
            QueryError: as in `encode_query`.
        """
        parts, _ = query_parts(query, asked_images(query, max_pixels=self._max_pixels), self._limit)
        with watched_gates(self._model.module) as opened:
            self._encode(parts[:1], self._open, self._model.encode_queries)
        return {side: sum(steps) / len(steps) for side, steps in opened.items() if steps}

    def _encode(
        self, parts: Sequence[_Part], open_one: Callable[[Image], PillowImage.Image], encode: _Encode
    ) -> Vectors:
        """Return (parts, tokens, width), unit length; pictures are opened by their own batch, one by one."""

        def encoded(batch: _Batch) -> Tensor:
            pixels = [self._pixels(open_one(picture)) for picture in batch.pictures]
            inputs = batch.words | ({"pixel_values": torch.cat(pixels)} if pixels else {})
            with torch.inference_mode():
                return encode(**inputs)

        field = self.fields[0]
        vectors = np.empty((len(parts), field.tokens, field.width), np.float32)
        kinds = [(bool(text), picture is not None) for text, picture in parts]  # no tower runs for nothing
        lengths = [self._limit.count(text) for text, _ in parts]
        rows = length_batches(lengths, kinds=kinds, batch_size=self._batch_size)
        batches = [self._batch(parts, of_batch) for of_batch in rows]
        for batch, found in zip(batches, self._side_by_side.each(encoded, batches), strict=True):
            vectors[batch.rows] = found.reshape(-1, field.tokens, field.width).numpy()
        return vectors

    def _batch(self, parts: Sequence[_Part], rows: list[int]) -> _Batch:
        texts = [text for row in rows if (text := parts[row][0])]
        pictures = [picture for row in rows if (picture := parts[row][1]) is not None]
        return _Batch(rows, self._words(texts) if texts else {}, pictures)

    def _words(self, texts: Sequence[str]) -> dict[str, Tensor]:
        with self._tokenizing:
            inputs = self._processor(texts)
        return {name: inputs[name] for name in ("input_ids", "attention_mask")}

    def _pixels(self, picture: PillowImage.Image) -> Tensor:
        return self._processor(images=[picture])["pixel_values"]

    def _offsets(self, text: str) -> Sequence[tuple[int, int]]:
        with self._tokenizing:
            found = self._processor.tokenizer(
                text, add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
            )
        offsets: Sequence[tuple[int, int]] = found["offset_mapping"]
        return offsets

    def _open(self, image: Image) -> PillowImage.Image:
        return open_picture(image, max_pixels=self._max_pixels)

    def _open_figure(self, image: Image) -> PillowImage.Image:
        return open_figure(image, max_pixels=self._max_pixels)


def fingerprint(folder: Path) -> str:
    """Return a hash of every file of a checkpoint that its vectors depend on, 64 hex digits."""
    digest = hashlib.sha256(_FORMAT.encode())
    for file in sorted(folder.iterdir()):
        if file.suffix in {".safetensors", ".json", ".txt", ".model"} and file.is_file():
            with file.open("rb") as stream:
                digest.update(file.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _model_class(folder: Path) -> type[RetForRetrieval]:
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder} holds no readable config.json: give the folder of a ReT checkpoint"
        ) from error
    if kind not in _MODELS:
        raise ModelError(f"{folder} holds a {kind!r} model, expected ReT ({' or '.join(_MODELS)})")
    return _MODELS[kind]


def _processor(folder: Path, model: RetForRetrieval) -> RetProcessor:
    """Return the stored processor, which never gives more tokens than both sides read."""
    sides = (model.config.query_config, model.config.document_config)
    limit = min(backbones.max_tokens(side.text_config) for side in sides)
    processor = RetProcessor.from_pretrained(folder, max_tokens=limit, local_files_only=True)
    processor.max_tokens = min(limit, processor.tokenizer.model_max_length)
    return processor
