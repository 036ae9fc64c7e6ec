"""What an engine can expect of token vectors: how alike they are, and where queries' own units rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from plait.scoring.maxsim import maxsim
from plait.scoring.vectors import Vectors

_SAMPLE = 2000  # documents that likeness is measured on
_GROUPS = (1, 2, 4, 8, 16)
_ROUNDS = 12  # of k-means
_QUERIES_AT_ONCE, _DOCUMENTS_AT_ONCE = 125, 250  # 128 MB of similarities


def likeness(documents: Vectors, *, seed: int = 0) -> dict[str, float]:
    """Return how alike token vectors are, on some documents drawn at random.

    Args:
        documents: (N, n, d), unit length; N at least 2.

    Returns:
        within_a_document: mean cosine between two tokens of a document.
        same_position: mean cosine between the tokens at one position of two documents.
        other_position: the same, between two positions.
        in_mean: share of the squared length of tokens that lies in the mean of all, [0, 1].
        in_position_means: the same in the mean of each position, so no less.
        in_document_means: what remains after the positions' means, and lies in each document's mean of it.
        first_8_of_width, first_32_of_width: what remains after the mean, and lies in the first principal
            directions.
        clusters_1, _2, _4, _8, _16: mean cosine of a token to the centroid of its group, the tokens of each
            document being put into so many groups, if it has as many, by spherical k-means.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(documents))[:_SAMPLE])
    tokens = documents[rows].astype(np.float32)
    count, positions, width = tokens.shape
    other = tokens[(np.arange(count) + 1 + rng.integers(count - 1)) % count]
    inner, pairs = ((tokens @ one.swapaxes(1, 2)).mean(0) for one in (tokens, other))
    mean, of_positions = tokens.mean((0, 1)), tokens.mean(0)
    centred = tokens - of_positions
    directions = np.sort(np.linalg.eigvalsh(np.cov((tokens - mean).reshape(-1, width).T)))[::-1]
    shares = directions.cumsum() / directions.sum()
    return {
        "within_a_document": _off_diagonal(inner),
        "same_position": float(np.diag(pairs).mean()),
        "other_position": _off_diagonal(pairs),
        "in_mean": float(mean @ mean),
        "in_position_means": float(np.square(of_positions).sum() / positions),
        "in_document_means": float(np.square(centred.mean(1)).sum() * positions / np.square(centred).sum()),
        "first_8_of_width": float(shares[:8][-1]),
        "first_32_of_width": float(shares[:32][-1]),
        **{f"clusters_{k}": clusteredness(tokens, k, rng) for k in _GROUPS if k <= positions},
    }


def clusteredness(tokens: Vectors, k: int, rng: np.random.Generator) -> float:
    """Return the mean cosine of tokens to the centroid of their group.

    Args:
        tokens: (N, n, d), unit length; those of each document are grouped for themselves.
        k: groups, at most n; spherical k-means, begun with tokens far from each other.
    """
    centroids = _far_apart(tokens, k, rng)
    for _ in range(_ROUNDS):
        group = (tokens @ centroids.swapaxes(1, 2)).argmax(2)  # (N, n)
        sums = np.eye(k, dtype=np.float32)[group].swapaxes(1, 2) @ tokens  # (N, k, d)
        lengths = np.linalg.norm(sums, axis=2, keepdims=True)
        centroids = np.where(lengths > 0, sums / np.maximum(lengths, 1e-9), centroids)
    return float((tokens @ centroids.swapaxes(1, 2)).max(2).mean())


def own_scores(queries: Vectors, documents: Vectors, own: Sequence[int]) -> tuple[Vectors, Vectors]:
    """Return the rank of each query's own document by exact MaxSim, and its score's distance from the best.

    Args:
        queries: (Q, q, d).
        documents: (N, n, d); may lie on disk, and is read once.
        own: (Q,) rows of documents.

    Returns:
        (Q,) ranks from 1, ties counted against the own document; (Q,) the best other score less its own.
    """
    asked = torch.from_numpy(queries.astype(np.float32))
    wanted = torch.from_numpy(documents[list(own)].astype(np.float32))
    mine = torch.stack([maxsim(q[None], d[None])[0, 0] for q, d in zip(asked, wanted, strict=True)])
    before = torch.zeros(len(asked), dtype=torch.int64)
    best = torch.full((len(asked),), -torch.inf)
    rows = torch.as_tensor(list(own))
    for start in range(0, len(documents), _DOCUMENTS_AT_ONCE):
        part = torch.from_numpy(documents[start : start + _DOCUMENTS_AT_ONCE].astype(np.float32))
        starts = range(0, len(asked), _QUERIES_AT_ONCE)
        scores = torch.cat([maxsim(asked[first : first + _QUERIES_AT_ONCE], part) for first in starts])
        inside = ((rows >= start) & (rows < start + len(part))).nonzero().squeeze(1)
        scores[inside, rows[inside] - start] = -torch.inf
        before += (scores >= mine[:, None]).sum(1)
        best = torch.maximum(best, scores.amax(1))
    return (before + 1).numpy(), (best - mine).numpy()


def of_ranks(ranks: Vectors, kinds: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return measures of ranks from 1, for all queries and for each kind."""
    groups = {"all": np.ones(len(kinds), bool)}
    groups |= {kind: np.array([one == kind for one in kinds]) for kind in sorted(set(kinds))}
    return {name: _measures(ranks[members]) for name, members in groups.items()}


def _measures(ranks: Vectors) -> dict[str, float]:
    within = {f"within_{k}": float((ranks <= k).mean()) for k in (1, 10, 100, 1000)}
    quartiles = {f"rank_{p}%": float(np.percentile(ranks, p)) for p in (25, 50, 75, 90)}
    mrr = float(np.where(ranks <= 10, 1 / ranks, 0).mean())
    return {"queries": len(ranks), "mrr@10": mrr, **within, **quartiles}


def _off_diagonal(square: Vectors) -> float:
    n = len(square)
    return float((square.sum() - np.trace(square)) / (n * (n - 1)))


def _far_apart(tokens: Vectors, k: int, rng: np.random.Generator) -> Vectors:
    """Return (N, k, d) tokens of each document: one at random, then always the one least like those taken."""
    count, n, _ = tokens.shape
    every = np.arange(count)
    taken = [tokens[every, rng.integers(n, size=count)]]
    nearest = np.einsum("nid,nd->ni", tokens, taken[0])
    while len(taken) < k:
        taken.append(tokens[every, nearest.argmin(1)])
        nearest = np.maximum(nearest, np.einsum("nid,nd->ni", tokens, taken[-1]))
    return np.stack(taken, axis=1)
