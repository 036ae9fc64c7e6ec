"""Exact late interaction in float32: what is nearest, and which of the documents found are among it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

_DOCUMENTS, _QUERIES = 64, 10  # at once: what fits a core's cache
_TIES = 1e-5  # float32 sums in another order differ by less


def tenth_best(
    documents: NDArray[np.float16],
    queries: NDArray[np.float32],
    groups: NDArray[np.uint8],
    wanted: NDArray[np.uint8],
    *,
    k: int,
) -> NDArray[np.float32]:
    """Return (2, Q) the score of the k-th nearest document: of all, and of those of the wanted group.

    Scores are the mean over the query's tokens of the best document token.

    Args:
        documents: (N, tokens, width).
        queries: (Q, tokens, width).
        groups: (N,).
        wanted: (Q,) the group that each query is filtered to.

    Raises:
        ValueError: a wanted group has fewer than k documents.
    """
    if (fewest := np.bincount(groups)[wanted].min()) < k:
        raise ValueError(f"a group has {fewest} documents, fewer than the {k} that are asked for")
    scores = maxsim(documents, queries)
    inside = np.where(groups == wanted[:, None], scores, -np.inf)
    return np.stack([np.partition(every, -k, axis=1)[:, -k] for every in (scores, inside)])


def maxsim(documents: NDArray[np.float16], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (Q, N) scores; memory is that of the scores and a little."""
    (size, tokens, width), (count, asked, _) = documents.shape, queries.shape
    flat = torch.from_numpy(np.array(queries, np.float32).reshape(-1, width)).T
    scores = torch.empty(count, size)
    for first in range(0, size, _DOCUMENTS):
        block = torch.from_numpy(documents[first : first + _DOCUMENTS].astype(np.float32)).view(-1, width)
        here = slice(first, first + _DOCUMENTS)
        for one in range(0, count, _QUERIES):
            products = block @ flat[:, one * asked : (one + _QUERIES) * asked]
            best = products.view(-1, tokens, products.shape[1]).amax(1)
            scores[one : one + _QUERIES, here] = best.view(len(best), -1, asked).mean(2).T
    return scores.numpy()


def recalls(
    documents: NDArray[np.float16],
    queries: NDArray[np.float32],
    found: Sequence[Sequence[int]],
    tenth: NDArray[np.float32],
    *,
    k: int,
) -> list[float]:
    """Return, for each query, the share of the k nearest that were found.

    A document counts if it is as near as the k-th: of equal ones, any will do.

    Args:
        found: the documents found for each query, none twice; those past the k-th do not count.
        tenth: (Q,) the exact score of the k-th nearest.
    """
    shares = []
    for query, rows, least in zip(queries, found, tenth, strict=True):
        nearest = list(dict.fromkeys(rows))[:k]
        scores = maxsim(documents[nearest], query[None])[0] if nearest else np.empty(0)
        shares.append(float((scores >= least - _TIES).sum()) / k)
    return shares
