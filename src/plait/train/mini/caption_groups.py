"""Captions that mean the same and whose pictures look alike, as one: what a head remembers is to be small."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.scoring.vectors import Vectors

_LOOK_SHARE = 0.5  # length of a look beside words of length 1: mostly, what is called the same is grouped
_ROUNDS = 6
_ROWS = 1000  # compared with all groups at a time, 16 MB against 4096 of them


@dataclass(frozen=True, slots=True)
class Groups:
    """G groups of captions.

    Attributes:
        words: (G, d), unit length.
        looks: (G, w), unit length.
        log_weights: (G,), half the log of the number of pictures: ten emoji of one thing are not ten things.
    """

    words: Vectors
    looks: Vectors
    log_weights: Vectors


def group_captions(words: Vectors, looks: Vectors, counts: NDArray[np.int64], *, most: int) -> Groups:
    """Return at most so many groups, by k-means on the sphere; every caption its own where they are few.

    Args:
        words: (captions, d), unit length.
        looks: (captions, w), unit length, the mean of each one's pictures.
        counts: (captions,), pictures of each.
    """
    weights = np.sqrt(counts.astype(np.float32))
    if len(words) <= most:
        return Groups(words, looks, np.log(weights))
    points = np.concatenate([words, _LOOK_SHARE * looks], 1)
    rng = np.random.default_rng(0)
    centres = points[rng.choice(len(points), most, replace=False, p=weights / weights.sum())]
    for _ in range(_ROUNDS):
        owners = _nearest(points, centres)
        kept, owners = np.unique(owners, return_inverse=True)
        centres = _unit(_sums(owners, points, weights, len(kept)))
    kept, owners = np.unique(_nearest(points, centres), return_inverse=True)
    of_words, of_looks = (_unit(_sums(owners, each, weights, len(kept))) for each in (words, looks))
    return Groups(of_words, of_looks, 0.5 * np.log(np.bincount(owners, counts)).astype(np.float32))


def _nearest(points: Vectors, centres: Vectors) -> NDArray[np.int64]:
    """Return (points,), the row of the centre that each is nearest to."""
    parts = [points[at : at + _ROWS] @ centres.T for at in range(0, len(points), _ROWS)]
    return np.concatenate([part.argmax(1) for part in parts])


def _sums(owners: NDArray[np.int64], points: Vectors, weights: Vectors, groups: int) -> Vectors:
    """Return (groups, d), the weighted sum of the points of each."""
    sums = np.zeros((groups, points.shape[1]), np.float32)
    np.add.at(sums, owners, points * weights[:, None])
    return sums


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
