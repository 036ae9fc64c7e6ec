"""A sentence-transformers model asked for vectors: checked, of unit length, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image as PillowImage

from plait.encode.quiet import no_warnings
from plait.encode.reading_limit import Side, longest_text, text_limit
from plait.encode.threads import torch_threads
from plait.encode.token_sets import unit_length
from plait.errors import ModelError, PlaitError
from plait.extras import require
from plait.scoring.vectors import Vectors

Reads = Literal["text", "joint", "apart"]
Part = tuple[str, PillowImage.Image | None]  # what is encoded together: words, "" for none, and a picture

_SLIMMEST = 50

# What models raise on inputs that they cannot read.
FAILURES = (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError)


class Embedder:
    """Asks a model for vectors.

    Attributes:
        name: what the model is called in messages.
        has_tokens: whether a part gives many vectors, or one.
        reads: words only ("text"), words and a picture in one input ("joint"), or each alone ("apart").
        width: d.
        limits: how much of a text each side reads.
        most_vectors: of what is read of a document at once; None where that depends on more than words.
    """

    def __init__(self, model: Any, *, name: str, threads: int = 0, batch_size: int = 16) -> None:
        """Wrap a SentenceTransformer or MultiVectorEncoder, and try it out.

        Args:
            threads: torch threads while encoding; 0 leaves torch's own choice.
            batch_size: parts encoded at once.

        Raises:
            ModelError: it is neither, reads no text, cannot encode a word or a picture, or gives vectors of
                unequal width.
        """
        self._model = model
        self._threads = threads
        self._batch_size = batch_size
        self.name = name
        self.has_tokens = _has_tokens(model, name)
        self.reads = _reads(model, name)
        sides: tuple[Side, ...] = get_args(Side)
        with no_warnings():
            tried = {side: self._try_out(side) for side in sides}
            self.width = self._common_width(tried)
            self.limits = {side: text_limit(model, side, as_input=self._words) for side in sides}
            self.most_vectors = self._most_vectors(tried["document"].values())

    def vectors(self, parts: Sequence[Part], side: Side) -> list[Vectors]:
        """Return (n, width) for each part: n >= 1 vectors of unit length, in the model's order.

        One vector of zeros stands for a part that is blank, or that the model makes nothing of.

        Raises:
            ModelError: the model fails, or gives vectors that are not finite.
        """
        found = dict.fromkeys(range(len(parts)), np.zeros((1, self.width), np.float32))
        for kind in ((True, False), (False, True), (True, True)):  # a batch holds one kind only
            chosen = [
                k
                for k, (text, picture) in enumerate(parts)
                if (bool(text.strip()), picture is not None) == kind
            ]
            if chosen:
                given = self._asked([parts[k] for k in chosen], side)
                found |= {k: one for k, one in zip(chosen, given, strict=True) if len(one)}
        return [found[k] for k in range(len(parts))]

    def _asked(self, parts: Sequence[Part], side: Side) -> list[Vectors]:
        """Return (n, d) for each part, n >= 0."""
        encode = self._model.encode_query if side == "query" else self._model.encode_document
        inputs = [self._input(part) for part in parts]
        try:
            with torch_threads(self._threads) if self._threads else nullcontext():
                given = encode(
                    inputs, batch_size=self._batch_size, show_progress_bar=False, convert_to_numpy=True
                )
        except PlaitError:
            raise
        except FAILURES as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise ModelError(f"{self.name} cannot encode a {side} of {_shown(parts)} ({reason})") from error
        vectors = [np.atleast_2d(np.asarray(one, np.float32)) for one in given]
        if not all(np.isfinite(one).all() for one in vectors):
            raise ModelError(
                f"{self.name} gives vectors that hold NaN or infinity for a {side} of {_shown(parts)}: its "
                "weights are damaged, or overflow in their number format; get it again, or use another model"
            )
        return [unit_length(one) for one in vectors]

    def _input(self, part: Part) -> Any:
        text, picture = part
        if picture is None:
            return self._words(text)
        shown = {"image": _broadened(picture)}
        return shown | {"text": text} if text.strip() else shown

    def _words(self, text: str) -> Any:
        """Return a text as input. Bare, a model that reads pictures would open one that looks like a path."""
        return text if self.reads == "text" else {"text": text}

    def _try_out(self, side: Side) -> dict[str, Vectors]:
        """Return the vectors of an input of each kind that the model reads."""
        picture = PillowImage.new("RGB", (32, 32), "white")
        kinds: dict[str, Part] = {"words": ("a", None)}
        if self.reads != "text":
            kinds["a picture"] = ("", picture)
        if self.reads == "joint":
            kinds["both"] = ("a", picture)
        return {kind: self._asked([part], side)[0] for kind, part in kinds.items()}

    def _common_width(self, tried: Mapping[Side, Mapping[str, Vectors]]) -> int:
        widths: dict[str, int] = {
            f"{kind} in a {side}": vectors.shape[1]
            for side, of_kinds in tried.items()
            for kind, vectors in of_kinds.items()
        }
        if len(set(widths.values())) > 1:
            told = ", ".join(f"{width} for {what}" for what, width in widths.items())
            raise ModelError(f"{self.name} gives vectors of unequal width, which cannot be compared: {told}")
        return next(iter(widths.values()))

    def _most_vectors(self, tried: Iterable[Vectors]) -> int | None:
        words = "a " * min(30, self.limits["document"].max_tokens)
        counts = {len(vectors) for vectors in (*tried, *self._asked([(words, None)], "document"))}
        if len(counts) == 1:  # one vector, or as many for all inputs, such as ReT's
            return counts.pop()
        return longest_text(self._model, "document", as_input=self._words) if self.reads == "text" else None


def _has_tokens(model: Any, name: str) -> bool:
    package = require("sentence_transformers")
    if not isinstance(model, package.SentenceTransformer | package.MultiVectorEncoder):
        raise ModelError(
            f"{name}: expected a SentenceTransformer or MultiVectorEncoder, got {type(model).__name__}"
        )
    return isinstance(model, package.MultiVectorEncoder)


def _reads(model: Any, name: str) -> Reads:
    if not model.supports("text"):
        known = ", ".join(str(kind) for kind in model.modalities)
        raise ModelError(f"{name} reads {known}, but a library needs a model that reads text")
    if not model.supports("image"):
        return "text"
    return "joint" if model.supports(("image", "text")) else "apart"


def _broadened(picture: PillowImage.Image) -> PillowImage.Image:
    """Return a picture no longer than `_SLIMMEST` times its other side; slimmer ones are stretched.

    Most models scale the shorter side up to their own: of 20,000 x 1 pixels, CLIP's would make 10 GB.
    """
    width, height = picture.size
    size = (max(width, height // _SLIMMEST), max(height, width // _SLIMMEST))
    return picture if size == picture.size else picture.resize(size)


def _shown(parts: Sequence[Part]) -> str:
    text, picture = parts[0]
    kinds = [*(["words"] if text.strip() else []), *(["a picture"] if picture is not None else [])]
    return " and ".join(kinds)


def first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no reason given")
