"""The nearest units to a query that is already encoded, by one vector field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.errors import InputError
from plait.index.base import Mask, Scores, Snapshot
from plait.schema import SearchPlan
from plait.scoring.vectors import Vectors
from plait.search.candidates import ranked


@dataclass(frozen=True, slots=True)
class Nearest:
    """The best units of one vector field.

    Attributes:
        rows: (k or fewer,) units of the snapshot, best first; equal scores in the library's order.
        scores: (k or fewer,) their exact scores, in [-1, 1].
        plan: how they were found.
    """

    rows: NDArray[np.intp]
    scores: Scores
    plan: SearchPlan


def nearest(
    snapshot: Snapshot,
    field: str,
    query: Vectors,
    weights: Vectors | None = None,
    *,
    k: int = 10,
    recall: float = 0.99,
    mask: Mask | None = None,
) -> Nearest:
    """Return the k units whose vectors match best.

    Args:
        query: (parts, tokens, width), unit length.
        weights: (parts,), summing to 1; None means equal.
        k: at least 1.
        recall: the share of the exact best k that the answer must hold, in expectation; 1 is exact.
        mask: (N,) the units that may be found; None means all.

    Raises:
        InputError: no such field, or k or recall out of range.
        ShapeError: the query does not fit the field.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    if weights is None:
        weights = np.full(len(query), 1 / max(1, len(query)), np.float32)
    scores, is_exact = snapshot.rough_scores(field, query, weights, mask)
    scores, plan = ranked(
        {field: scores},
        () if is_exact else (field,),
        lambda lane, rows: snapshot.exact_scores(lane, query, weights, rows),
        lambda lanes: lanes[field],
        k=k,
        recall=recall,
    )
    there = np.flatnonzero(~np.isnan(scores))
    if len(there) > k:  # all that reach the k-th score, so that ties are broken by the library's order
        there = there[scores[there] >= -np.partition(-scores[there], k - 1)[k - 1]]
    best = there[np.argsort(-scores[there], kind="stable")][:k]
    return Nearest(best, scores[best], plan)
