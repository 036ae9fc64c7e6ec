"""Units with random vectors, as scan files hold them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plait.index.scan.segment import Segment
from plait.index.scan.segments import Segments
from plait.scoring.vectors import VectorField

FIELD = VectorField("ret", width=8, tokens=6, items="unit", asks="joint")
Piece = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.float16]]


def piece(keys: Sequence[int], sizes: Sequence[int] | None = None, field: VectorField = FIELD) -> Piece:
    """Return some units; each one's vectors follow from its key alone."""
    counts = [1] * len(keys) if sizes is None else list(sizes)
    parts = [vectors_of(key, size, field) for key, size in zip(keys, counts, strict=True)]
    empty = np.empty((0, field.tokens, field.width), np.float16)
    return np.array(keys, np.uint64), np.array(counts, np.int64), np.concatenate([empty, *parts])


def vectors_of(key: int, size: int = 1, field: VectorField = FIELD) -> NDArray[np.float16]:
    """Return the vectors (size, tokens, width) of a unit, unit length."""
    values = np.random.default_rng(key).standard_normal((size, field.tokens, field.width))
    return (values / np.linalg.norm(values, axis=2, keepdims=True)).astype(np.float16)


def written(folder: Path, *pieces: Piece, field: VectorField = FIELD) -> Path:
    """Write one scan file; return its path."""
    before = set(folder.glob("*.scan"))
    Segments(folder, field).write(pieces)
    [path] = set(folder.glob("*.scan")) - before
    return path


def read_back(segments: Sequence[Segment]) -> dict[int, list[NDArray[np.float16]]]:
    """Return, by key, the vectors of every unit that has it."""
    found: dict[int, list[NDArray[np.float16]]] = {}
    for segment in segments:
        vectors = segment.read(np.arange(len(segment.scales)))
        for unit, key in enumerate(segment.keys.tolist()):
            found.setdefault(key, []).append(vectors[segment.offsets[unit] : segment.offsets[unit + 1]])
    return found
