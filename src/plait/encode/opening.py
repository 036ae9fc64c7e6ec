"""Opening a stored sentence-transformers model: offline, running none of its code, with no random weights."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from PIL import Image as PillowImage
from safetensors import SafetensorError

from plait.encode import checkpoint
from plait.encode.embedder import FAILURES, Embedder, Part, first_line
from plait.encode.quiet import no_progress_bars, no_warnings
from plait.encode.reading_limit import Side
from plait.errors import ModelError, PlaitError
from plait.extras import require
from plait.scoring.vectors import Vectors


def open_model(folder: Path) -> Any:
    """Return the SentenceTransformer or MultiVectorEncoder of a folder, in float32.

    Raises:
        ModelError: it holds another kind of model, cannot be loaded, or lacks weights.
        MissingExtraError: sentence-transformers is not installed.
    """
    kind = checkpoint.kind_of(folder)
    if kind not in ("SentenceTransformer", "MultiVectorEncoder"):
        raise ModelError(
            f"{folder} holds a {kind} model, expected a SentenceTransformer or MultiVectorEncoder: open it "
            "with plait.encode.load_encoder"
        )
    with _warned() as warnings:
        model = _loaded(folder, kind)
    if warnings:
        with no_warnings():
            again = _loaded(folder, kind)
        _check_same(model, again, folder, warnings)
    return model


def _loaded(folder: Path, kind: str) -> Any:
    model_class = _model_class(folder, kind)
    options = {"dtype": torch.float32}
    try:
        with no_progress_bars():
            return model_class(
                str(folder), local_files_only=True, trust_remote_code=False, model_kwargs=options
            )
    except PlaitError:
        raise
    except (*FAILURES, OSError, ImportError, SafetensorError) as error:
        raise ModelError(f"{folder} holds a {kind} that cannot be loaded: {first_line(error)}") from error


def _model_class(folder: Path, kind: str) -> Any:
    if any(name.startswith("plait.") for name in checkpoint.module_types(folder)):
        ours = require("plait.encode.st")
        return {
            "SentenceTransformer": ours.RetSentenceTransformer,
            "MultiVectorEncoder": ours.RetMultiVectorEncoder,
        }[kind]
    return getattr(require("sentence_transformers"), kind)


@contextmanager
def _warned() -> Iterator[list[str]]:
    """Collect what transformers warns of meanwhile."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)


def _check_same(model: Any, again: Any, folder: Path, warnings: Sequence[str]) -> None:
    """Check that two loads of a model give the same vectors: weights that its files lack are drawn at random.

    Many files lack weights of parts that no vector depends on, so a warning alone proves nothing.
    """
    samples = [_sample(Embedder(one, name=str(folder))) for one in (model, again)]
    if not all(np.allclose(one, other, atol=1e-6) for one, other in zip(*samples, strict=True)):
        names = re.findall(r"^(\S+)\s*\|\s*MISSING", "\n".join(warnings), flags=re.MULTILINE)
        raise ModelError(
            f"{folder} lacks weights on which its vectors depend ({', '.join(names[:3]) or 'unnamed'}), so "
            "they would be random: get the model again"
        )


def _sample(embedder: Embedder) -> list[Vectors]:
    """Return the vectors of some words, and of a picture if the model reads any, on both sides."""
    picture = PillowImage.linear_gradient("L").convert("RGB")
    parts: list[Part] = [("a few words", None), *([("", "drawn")] if embedder.reads != "text" else [])]
    sides: tuple[Side, ...] = get_args(Side)
    return [one for side in sides for one in embedder.vectors(parts, side, open_one=lambda _: picture)]
