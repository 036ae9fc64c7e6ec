"""Scores of queries and documents, in blocks where all similarities at once would not fit the memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from plait.scoring.dense import inner_products
from plait.scoring.maxsim import maxsim

MAX_SIMILARITIES = 2**26  # of tokens, held at once; 256 MB in single precision


def scores(queries: Tensor, documents: Tensor) -> Tensor:
    """Return (Q, N) scores: MaxSim of token vectors, inner products of single vectors.

    Token similarities are computed for so many queries at a time as fit, and once more when their
    gradients are, instead of being kept.

    Args:
        queries: (Q, q, d) or (Q, d).
        documents: (N, n, d) or (N, d).

    Raises:
        ShapeError: they cannot be compared.
    """
    if queries.ndim == 2:
        return inner_products(queries, documents)  # type: ignore[no-any-return]
    rows = max(1, MAX_SIMILARITIES // max(1, queries.shape[1] * documents.shape[:2].numel()))
    if rows >= len(queries):
        return maxsim(queries, documents)  # type: ignore[no-any-return]
    blocks = torch.split(queries, rows)
    return torch.cat([_again_backwards(block, documents) for block in blocks])


def pair_scores(queries: Tensor, documents: Tensor, owner: Tensor) -> Tensor:
    """Return (N,) scores of each document for one query, its owner.

    Args:
        queries: (Q, q, d) or (Q, d).
        documents: (N, n, d) or (N, d).
        owner: (N,) a number of a query each.
    """
    asked = queries[owner]
    if asked.ndim == 2:
        return (asked * documents).sum(1)
    return (asked @ documents.transpose(1, 2)).amax(2).sum(1)  # of (N, q, n)


def _again_backwards(queries: Tensor, documents: Tensor) -> Tensor:
    found: Tensor = checkpoint(maxsim, queries, documents, use_reentrant=False, preserve_rng_state=False)
    return found
