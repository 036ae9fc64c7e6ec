"""A sentence-transformers model asked for vectors: checked, of unit length, in order."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, ParamSpec, TypeVar, get_args

import numpy as np
from PIL import Image as PillowImage

from plait.encode.batching import length_batches
from plait.encode.quiet import no_warnings
from plait.encode.reading_limit import Side, longest_text, text_limit
from plait.encode.threads import SideBySide
from plait.encode.token_sets import unit_length
from plait.encode.windows import TextLimit
from plait.errors import ModelError, PlaitError
from plait.extras import require
from plait.model.pictures import broadened
from plait.schema import Image
from plait.scoring.vectors import Vectors

Reads = Literal["text", "joint", "apart"]
Part = tuple[str, Image | None]  # what is encoded together: words, "" for none, and a picture
Open = Callable[[Image], PillowImage.Image]

_P = ParamSpec("_P")
_R = TypeVar("_R")

# What models raise on inputs that they cannot read.
FAILURES = (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError)


class Embedder:
    """Asks a model for vectors, from any number of threads.

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
            threads: on a CPU, batches encoded at a time, each by one torch thread; 0 means one a core.
            batch_size: parts a batch.

        Raises:
            ModelError: it is neither, reads no text, cannot encode a word or a picture, or gives vectors of
                unequal width.
        """
        self.name = name
        self.has_tokens = _has_tokens(model, name)
        self.reads = _reads(model, name)
        self._batch_size = batch_size
        self._side_by_side = SideBySide(threads if model.device.type == "cpu" else 1)
        self._lock = threading.Lock()  # a call may change the tokenizer's settings
        self._model = copy.copy(model)  # shares all weights
        self._model.preprocess = self._alone(model.preprocess)
        sides: tuple[Side, ...] = get_args(Side)
        with no_warnings():
            tried = {side: self._try_out(side) for side in sides}
            self.width = self._common_width(tried)
            self.limits = {side: self._limit(side) for side in sides}
            self.most_vectors = self._most_vectors(tried["document"].values())

    def vectors(self, parts: Sequence[Part], side: Side, *, open_one: Open) -> list[Vectors]:
        """Return (n, width) for each part: n >= 1 vectors of unit length, in the model's order.

        One vector of zeros stands for a part that is blank, or that the model makes nothing of.

        Args:
            open_one: gives a part's picture; called a batch at a time.

        Raises:
            ModelError: the model fails, or gives vectors that are not finite.
        """

        def encoded(rows: Sequence[int]) -> list[Vectors]:
            some = [parts[row] for row in rows]
            inputs = [self._input(text, None if image is None else open_one(image)) for text, image in some]
            return self._asked(inputs, side, kind=kinds[rows[0]])

        kinds = [_kind(part) for part in parts]
        alike = length_batches([len(text) for text, _ in parts], kinds=kinds, batch_size=self._batch_size)
        batches = [rows for rows in alike if kinds[rows[0]] != "nothing"]
        found = dict.fromkeys(range(len(parts)), np.zeros((1, self.width), np.float32))
        for rows, given in zip(batches, self._side_by_side.each(encoded, batches), strict=True):
            found |= {row: one for row, one in zip(rows, given, strict=True) if len(one)}
        return [found[row] for row in range(len(parts))]

    def _asked(self, inputs: Sequence[Any], side: Side, *, kind: str) -> list[Vectors]:
        """Return (n, d) for each input of one batch, n >= 0."""
        encode = self._model.encode_query if side == "query" else self._model.encode_document
        with failures_of(self.name, f"a {side} of {kind}"):
            given = encode(
                list(inputs), batch_size=len(inputs), show_progress_bar=False, convert_to_numpy=True
            )
        vectors = [np.atleast_2d(np.asarray(one, np.float32)) for one in given]
        if not all(np.isfinite(one).all() for one in vectors):
            raise ModelError(
                f"{self.name} gives vectors that hold NaN or infinity for a {side} of {kind}: its weights "
                "are damaged, or overflow in their number format; get it again, or use another model"
            )
        return [unit_length(one) for one in vectors]

    def _alone(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Return the function so that it runs in one thread at a time."""

        def alone(*args: _P.args, **options: _P.kwargs) -> _R:
            with self._lock:
                return function(*args, **options)

        return alone

    def _input(self, text: str, picture: PillowImage.Image | None) -> Any:
        if picture is None:
            return self._words(text)
        shown = {"image": broadened(picture)}
        return shown | {"text": text} if text.strip() else shown

    def _words(self, text: str) -> Any:
        """Return a text as input. Bare, a model that reads pictures would open one that looks like a path."""
        return text if self.reads == "text" else {"text": text}

    def _try_out(self, side: Side) -> dict[str, Vectors]:
        """Return the vectors of an input of each kind that the model reads."""
        picture = PillowImage.new("RGB", (32, 32), "white")
        inputs = {"words": self._words("a")}
        if self.reads != "text":
            inputs["a picture"] = self._input("", picture)
        if self.reads == "joint":
            inputs["words and a picture"] = self._input("a", picture)
        return {kind: self._asked([given], side, kind=kind)[0] for kind, given in inputs.items()}

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

    def _limit(self, side: Side) -> TextLimit:
        limit = text_limit(self._model, side, as_input=self._words)
        return replace(limit, offsets=self._alone(limit.offsets))

    def _most_vectors(self, tried: Iterable[Vectors]) -> int | None:
        words = "a " * min(30, self.limits["document"].max_tokens)
        long = self._asked([self._words(words)], "document", kind="words")
        counts = {len(vectors) for vectors in (*tried, *long)}
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


def _kind(part: Part) -> str:
    """Return what a part holds, in words."""
    text, picture = part
    if picture is None:
        return "words" if text.strip() else "nothing"
    return "words and a picture" if text.strip() else "a picture"


@contextmanager
def failures_of(name: str, what: str) -> Iterator[None]:
    """Turn what a model raises meanwhile into an error that says what it cannot encode.

    Args:
        name: of the model.
        what: is encoded, such as "a query".

    Raises:
        ModelError: the model failed.
    """
    try:
        yield
    except PlaitError:
        raise
    except FAILURES as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise ModelError(f"{name} cannot encode {what} ({reason})") from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return next(iter(str(error).strip().splitlines()), "no reason given")
