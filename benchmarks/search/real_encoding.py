"""Entries and queries to token vectors, by a trained ReT made ready for encoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.real_input.questions import edited
from benchmarks.search.real_entries import Entry
from benchmarks.search.real_queries import Question
from plait.encode.batching import length_batches
from plait.encode.pictures import open_picture
from plait.model.inference.fast import prepare
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.processing_ret import RetProcessor
from plait.schema import Image
from plait.scoring.vectors import Vectors

_MOST_TEXT_TOKENS = 160  # as in training
_BATCH_SIZE = 32
_MOST_PIXELS = 50_000_000

_Part = tuple[str, Image | None]  # words, "" for none, and a picture


class RealEncoder:
    """A trained ReT; the words of an item beyond 160 tokens are not read.

    Args:
        folder: of the model.
        precision: of `plait.model.inference.fast.prepare`; "auto" is bfloat16 where the processor has it.

    Attributes:
        tokens, width: of an item's vectors.
        precision: of matrix products.
    """

    def __init__(self, folder: Path, *, precision: str = "auto") -> None:
        model = RetForRetrieval.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        self._model = prepare(model.eval(), precision=precision)  # type: ignore[arg-type]  # checked there
        self._processor = RetProcessor.from_pretrained(folder, local_files_only=True)
        self._processor.max_tokens = min(self._processor.max_tokens, _MOST_TEXT_TOKENS)
        side = model.config.document_side
        self.tokens, self.width = side.num_queries, side.late_proj_output_size
        self.precision = self._model.precision

    def documents(self, entries: Sequence[Entry]) -> Vectors:
        """Return (n, tokens, width), unit length, in order."""
        return self._encoded([(e.text, e.picture or None) for e in entries], self._model.encode_documents)

    def queries(self, questions: Sequence[Question], *, seed: int) -> Vectors:
        """Return (n, tokens, width), unit length, in order.

        Args:
            seed: of the edits of pictures, each drawn by itself.
        """
        parts: list[_Part] = []
        for question in questions:
            rng = np.random.default_rng([seed, question.row])
            parts.append((question.text, edited(question.picture, rng) if question.picture else None))
        return self._encoded(parts, self._model.encode_queries)

    def _encoded(self, parts: Sequence[_Part], encode: Callable[..., Tensor]) -> Vectors:
        found = np.empty((len(parts), self.tokens, self.width), np.float32)
        kinds = [(bool(text), picture is not None) for text, picture in parts]
        lengths = [len(text) for text, _ in parts]
        for rows in length_batches(lengths, kinds=kinds, batch_size=_BATCH_SIZE):
            found[rows] = encode(**self._inputs([parts[row] for row in rows])).numpy()
        return found

    def _inputs(self, parts: Sequence[_Part]) -> dict[str, Tensor]:
        """Return what the model reads of parts of one kind."""
        inputs: dict[str, Tensor] = {}
        if texts := [text for text, _ in parts if text]:
            words = self._processor(texts)
            inputs = {name: words[name] for name in ("input_ids", "attention_mask")}
        if pictures := [picture for _, picture in parts if picture is not None]:
            opened = [open_picture(picture, max_pixels=_MOST_PIXELS) for picture in pictures]
            inputs["pixel_values"] = self._processor(images=opened)["pixel_values"]
        return inputs
