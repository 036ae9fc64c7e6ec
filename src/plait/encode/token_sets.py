"""Sets of token vectors of any size, made to fit an index that holds the same number for every item."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from plait.extras import require
from plait.scoring.vectors import Vectors

_BLOCK = 1024  # vectors clustered at once: memory grows with their square, to 8 MB here


def unit_length(vectors: Vectors) -> Vectors:
    """Return vectors (..., d) scaled to length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return scaled


def filled(vectors: Vectors, tokens: int) -> Vectors:
    """Return (tokens, d): the vectors (n, d), n <= tokens, with the first repeated; zeros where n is 0.

    A repeated vector changes no MaxSim, which takes the best of a document's.
    """
    first = vectors[:1] if len(vectors) else np.zeros((1, vectors.shape[1]), np.float32)
    return np.concatenate([vectors, np.repeat(first, tokens - len(vectors), axis=0)])


def pooled(vectors: Vectors, tokens: int) -> Vectors:
    """Return at most so many vectors, unit length: the means of clusters of similar ones.

    Clusters are sentence-transformers': Ward's method on cosine distance. Large sets are clustered
    block by block first.

    Args:
        vectors: (n, d), unit length, in the order of the text or picture.
        tokens: at least 1.

    Source: Clavié, Chaffin & Adams, Reducing the Footprint of Multi-Vector Retrieval (arXiv 2409.14683).
    """
    while len(vectors) > tokens:
        blocks = math.ceil(len(vectors) / max(_BLOCK, 4 * tokens))
        parts = [_clustered(block, tokens) for block in np.array_split(vectors, blocks)]
        vectors = np.concatenate(parts)
    return vectors


def stacked(parts: Sequence[Vectors]) -> Vectors:
    """Return (parts, tokens, d): the token sets (n, d) of a query's parts, n >= 1, as one array.

    An index divides a part's MaxSim by `tokens`. So that it stays the mean over the part's own n vectors,
    a shorter part is filled up with zeros, which add nothing, and its vectors are tokens / n long.
    """
    tokens = max(len(part) for part in parts)
    together = np.zeros((len(parts), tokens, parts[0].shape[1]), np.float32)
    for row, part in zip(together, parts, strict=True):
        row[: len(part)] = part * (tokens / len(part))
    return together


def _clustered(vectors: Vectors, tokens: int) -> Vectors:
    if len(vectors) <= tokens:
        return vectors
    torch = require("torch")
    modules = require("sentence_transformers.multi_vector_encoder.modules")
    factor = len(vectors) / (tokens + 0.5)  # the half keeps rounding from losing a cluster
    pooling = modules.HierarchicalTokenPooling(factor, num_protected_tokens=0)
    means: Vectors = pooling.pool_one(torch.from_numpy(vectors)).numpy()
    return unit_length(means)
