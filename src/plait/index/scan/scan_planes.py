"""The pooled int8 planes of items: what a scan reads of each before any exact vector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plait.scoring.quantise import int8, pooled
from plait.scoring.vectors import Vectors

_MOST = 4  # pooled vectors an item: 8 find no more of the best ten
_AT_ONCE = 1000  # items; pooling works on float32 copies


def planes_of(vectors: NDArray[np.float16]) -> tuple[NDArray[np.int8], Vectors]:
    """Return the planes (P, items, width) and scales (items,) of some items.

    Args:
        vectors: (items, tokens, width).
    """
    items, tokens, width = vectors.shape
    planes = np.empty((planes_for(tokens), items, width), np.int8)
    scales = np.empty(items, np.float32)
    for first in range(0, items, _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        codes, scales[some] = int8(pooled(vectors[some].astype(np.float32), len(planes)))
        planes[:, some] = codes.transpose(1, 0, 2)
    return planes, scales


def planes_for(tokens: int) -> int:
    """Return how many planes items of so many vectors have."""
    return min(_MOST, tokens)
