"""Vectors of queries or candidates on disk, as encoding leaves them there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plait.encode.side_vectors import CHUNK, NOTHING, WHOLE, Encoded, VectorFile, Vectors


def stored(folder: Path, name: str, sides: Sequence[NDArray[np.floating]], *, width: int) -> Vectors:
    """Return the vectors of some sides, (n, d) each, in half precision; those stored before stay."""
    file = VectorFile(folder, name, width=width, total=len(sides))
    for start in range(len(file), len(sides), CHUNK):
        some = [np.asarray(side, np.float16).reshape(-1, width) for side in sides[start : start + CHUNK]]
        file.append([Encoded(side, WHOLE if len(side) else NOTHING, 0) for side in some])
    return file.read()


def unit_vectors(seed: int, counts: Sequence[int], *, width: int) -> list[NDArray[np.floating]]:
    """Return random vectors of length 1, as many a side as `counts` says."""
    numbers = np.random.default_rng(seed).normal(size=(sum(counts), width))
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
    return np.split(numbers, np.cumsum(counts)[:-1]) if len(counts) else []
