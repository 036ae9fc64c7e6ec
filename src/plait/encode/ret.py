"""The encoder around a ReT checkpoint: text and picture fused into one set of token vectors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from PIL import Image as PillowImage
from safetensors import SafetensorError

from plait.encode.pictures import open_picture
from plait.encode.threads import torch_threads
from plait.errors import ModelError, QueryError, ReadError
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.processing_ret import RetProcessor
from plait.schema import Passage, Query, Segment, Unit
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField, Vectors

FIELD = "ret"
_MODEL_TYPES = ("plait-ret-retrieval", "retriever")  # ours, and the official release's
_FORMAT = "ret-1"  # raise when this file changes what is encoded


@dataclass(frozen=True, slots=True)
class Item:
    """What is encoded together: words ("" for none) and the path of a picture (None for none)."""

    text: str
    picture: str | None


class RetEncoder:
    """Implements `encode.base.Encoder` with ReT; use `RetEncoder.load`.

    A unit gives one item a figure, together with the passage nearest to it, and one item for each
    passage that is nearest to none. A query gives one part: all its texts and its first image; every
    further image is a further part.
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
    ) -> None:
        self._model = model.eval()
        self._processor = processor
        self._name = name
        self._fingerprint = fingerprint
        self._threads = threads
        self._max_pixels = max_pixels
        self._batch_size = batch_size

    @classmethod
    def load(
        cls, name: str, *, threads: int = 0, max_pixels: int = 50_000_000, batch_size: int = 16
    ) -> RetEncoder:
        """Return the encoder of a ReT checkpoint; never reaches for the network.

        Args:
            name: a folder that holds a checkpoint (ours or the official release's) with its tokenizer
                and image processor; or the hub name of one that was downloaded before.
            threads: torch threads while encoding; 0 leaves torch's own choice.
            max_pixels: larger pictures are refused before they are decoded.
            batch_size: items encoded at once.

        Raises:
            ModelError: no such checkpoint, or one that cannot be loaded.
        """
        folder = _folder(name)
        _check_type(folder)
        with _quiet():
            try:
                model = RetForRetrieval.from_pretrained(folder, dtype=torch.float32)
            except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
                raise ModelError(f"{folder} holds a ReT checkpoint that cannot be loaded: {error}") from error
            limit = model.config.query_config.text_config.max_position_embeddings
            processor = RetProcessor.from_pretrained(folder, max_tokens=limit)
        return cls(
            model,
            processor,
            name=name,
            fingerprint=fingerprint(folder),
            threads=threads,
            max_pixels=max_pixels,
            batch_size=batch_size,
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
        tokens = 1 if side.use_pooler_features else side.num_queries
        return (VectorField(FIELD, side.late_proj_output_size, tokens, items="unit", asks="joint"),)

    @property
    def mixture(self) -> None:
        """No mixture was fitted for this encoder."""
        return None

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        """Return the vectors of each unit, in order; a unit without words or figures has no items.

        Raises:
            ReadError: a figure's file is gone or damaged.
        """
        items = [unit_items(unit) for unit in units]
        vectors = self._encode_documents([item for of_unit in items for item in of_unit])
        ends = np.cumsum([len(of_unit) for of_unit in items], dtype=int)
        return [UnitVectors({FIELD: part}) for part in np.split(vectors, ends[:-1])] if units else []

    def encode_query(self, query: Query) -> QueryVectors:
        """Return the vectors of a query.

        Raises:
            QueryError: an image that is missing, is not an image, or holds too many pixels.
        """
        pictures = [open_picture(image, max_pixels=self._max_pixels) for image in query.images]
        text = " ".join(query.texts)
        first = (text, pictures[0] if pictures else None)
        parts = [first, *(("", picture) for picture in pictures[1:])]
        weights = np.asarray(query.image_weights or (1.0,), dtype=np.float32)
        vectors = np.concatenate([self._encode([part], queries=True) for part in parts])
        return QueryVectors({FIELD: vectors}, {FIELD: weights / weights.sum()})

    def _encode_documents(self, items: Sequence[Item]) -> Vectors:
        """Return (items, tokens, width); pictures are opened a batch at a time."""
        batches = [
            self._encode(
                [(item.text, self._open(item.picture)) for item in items[start : start + self._batch_size]]
            )
            for start in range(0, len(items), self._batch_size)
        ]
        field = self.fields[0]
        return np.concatenate(batches) if batches else np.zeros((0, field.tokens, field.width), np.float32)

    def _encode(
        self, parts: Sequence[tuple[str, PillowImage.Image | None]], *, queries: bool = False
    ) -> Vectors:
        """Return (parts, tokens, width), unit length."""
        inputs = self._processor([text for text, _ in parts], [picture for _, picture in parts])
        encode = self._model.encode_queries if queries else self._model.encode_documents
        with torch.inference_mode(), torch_threads(self._threads):
            features = encode(**inputs)
        vectors: Vectors = features.reshape(len(parts), -1, features.shape[-1]).numpy()
        return vectors

    def _open(self, path: str | None) -> PillowImage.Image | None:
        if path is None:
            return None
        try:
            return open_picture(path, max_pixels=self._max_pixels)
        except QueryError as error:
            raise ReadError(path, str(error).removeprefix(path).strip(), "add its document again") from error


def unit_items(unit: Unit) -> list[Item]:
    """Return what a unit gives to encode: each figure with its words, then each passage no figure took.

    A passage is left to a figure only when it is that figure's nearest, so all words are encoded.
    """
    figures = [figure for figure in unit.figures if figure.picture is not None]
    taken = [_nearest(figure, unit.passages) for figure in figures]
    items = [
        Item(_words(figure, passage), figure.picture.path)
        for figure, passage in zip(figures, taken, strict=True)
        if figure.picture is not None
    ]
    left = [passage for passage in unit.passages if passage not in taken and passage.text.strip()]
    return items + [Item(passage.text, None) for passage in left]


def fingerprint(folder: Path) -> str:
    """Return a hash of every file of a checkpoint that its vectors depend on, 64 hex digits."""
    digest = hashlib.sha256(_FORMAT.encode())
    for file in sorted(folder.iterdir()):
        if file.suffix in {".safetensors", ".json", ".txt", ".model"} and file.is_file():
            with file.open("rb") as stream:
                digest.update(file.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _nearest(figure: Segment, passages: Sequence[Passage]) -> Passage | None:
    return min(passages, key=lambda passage: _distance(figure, passage), default=None)


def _words(figure: Segment, passage: Passage | None) -> str:
    """Return a figure's caption (or alternative text), then the passage nearest to it.

    The caption comes first because a backbone cuts long texts at their end.
    """
    return " ".join(part for part in (figure.caption or figure.text, passage.text if passage else "") if part)


def _distance(figure: Segment, passage: Passage) -> tuple[bool, bool, float]:
    """Return how far a passage begins from a figure: other page, other anchor, then height on the page."""
    height = abs(figure.box.top - passage.box.top) if figure.box and passage.box else 1.0
    return passage.page != figure.page, passage.anchor != figure.anchor, height


def _folder(name: str) -> Path:
    """Return where a checkpoint lies: a folder, or the local cache of the hub."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise ModelError(
            f"no model {name!r}: it is neither a folder here nor in the Hugging Face cache; give the folder "
            f"of a ReT checkpoint, or fetch one first with  hf download {name}"
        ) from error


def _check_type(folder: Path) -> None:
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder} holds no readable config.json: give the folder of a ReT checkpoint"
        ) from error
    if kind not in _MODEL_TYPES:
        raise ModelError(f"{folder} holds a {kind!r} model, expected ReT ({' or '.join(_MODEL_TYPES)})")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars off the terminal meanwhile."""
    shown = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers.utils.logging.enable_progress_bar()
