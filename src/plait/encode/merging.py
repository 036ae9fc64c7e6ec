"""A whole document's vectors, merged from those of its units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.encode.base import Encoder
from plait.encode.token_sets import filled, unit_length
from plait.errors import ShapeError
from plait.schema import Unit
from plait.scoring.vectors import UnitVectors, VectorField, Vectors

_MOST_ROUNDS = 50  # of k-means; the 448 figure vectors of a handbook settle in 15, random ones hardly ever


@dataclass(frozen=True, slots=True)
class DocumentVectors:
    """The vectors of one document.

    Attributes:
        units: of each unit, in order.
        whole: of all of it: one item in each field that any unit has items in, none in the others.
    """

    units: list[UnitVectors]
    whole: UnitVectors


def encode_document(encoder: Encoder, units: Sequence[Unit]) -> DocumentVectors:
    """Return the vectors of a document's units, and of all of them together.

    Raises:
        ReadError: as the encoder's `encode_units`.
    """
    of_units = encoder.encode_units(units)
    whole = {
        field.name: _whole([vectors.fields[field.name] for vectors in of_units], field)
        for field in encoder.fields
    }
    return DocumentVectors(of_units, UnitVectors(whole))


def merge_vectors(parts: Sequence[Vectors], *, tokens: int) -> Vectors:
    """Return (tokens, d) vectors that stand for all those of some parts, unit length.

    They are the means of clusters of like vectors; one vector is the mean of all. Neither the order of
    the parts nor that of their vectors matters. Where there are no more vectors than `tokens`, or no
    more different ones, they are kept as they are, and the first repeated, which changes no MaxSim.

    Args:
        parts: (items, n, d) each, unit length; at least one holds a vector.
        tokens: at least 1.

    Raises:
        ShapeError: `tokens` below 1, parts of other shapes, parts that differ in d, or no vectors at all.

    Source: spherical k-means (Dhillon & Modha, Concept Decompositions for Large Sparse Text Data, 2001),
    begun with vectors far from each other. Memory: three times the parts, and n x `tokens` numbers.
    """
    vectors = _flat(parts, tokens)
    if len(vectors) <= tokens:
        return filled(vectors, tokens)
    different, counts = np.unique(vectors, axis=0, return_counts=True)  # sorted: order cannot matter
    if len(different) <= tokens:
        return filled(different, tokens)
    return filled(_cluster_means(different, counts.astype(np.float32), tokens), tokens)


def weighted_mean(vectors: Vectors, weights: Sequence[float] | Vectors) -> Vectors:
    """Return (d,), the mean of vectors (n, d) with positive weights (n,), unit length."""
    return unit_length(np.asarray(weights, np.float32) @ vectors)


def _whole(parts: Sequence[Vectors], field: VectorField) -> Vectors:
    """Return (1, tokens, width), or (0, tokens, width) when no part has items."""
    if not sum(len(part) for part in parts):
        return np.zeros((0, field.tokens, field.width), np.float32)
    return merge_vectors(parts, tokens=field.tokens)[None]


def _flat(parts: Sequence[Vectors], tokens: int) -> Vectors:
    """Return the vectors of all parts, (n, d)."""
    if tokens < 1:
        raise ShapeError(f"tokens must be at least 1, got {tokens}")
    shapes = [part.shape for part in parts]
    if any(len(shape) != 3 for shape in shapes) or len({shape[-1] for shape in shapes}) > 1:
        raise ShapeError(f"expected parts of (items, tokens, d) with one d, got {shapes[:5]}")
    if not any(part.size for part in parts):
        raise ShapeError(f"nothing to merge: none of {len(parts)} parts holds a vector")
    return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])


def _cluster_means(vectors: Vectors, counts: Vectors, clusters: int) -> Vectors:
    """Return at most `clusters` means, (clusters, d), of n > clusters vectors that occur `counts` times."""
    means = vectors[_far_apart(vectors, counts, clusters)]
    before: NDArray[np.intp] | None = None
    for _ in range(_MOST_ROUNDS):
        nearest = (vectors @ means.T).argmax(1)
        if before is not None and np.array_equal(nearest, before):
            break
        before = nearest
        members = np.where(np.unique(nearest)[:, None] == nearest, counts, np.float32(0))  # (clusters, n)
        means = unit_length(members @ vectors)
    return means


def _far_apart(vectors: Vectors, counts: Vectors, count: int) -> list[int]:
    """Return rows of which each is farthest from those before; the first is nearest to the mean."""
    rows = [int((vectors @ weighted_mean(vectors, counts)).argmax())]
    closest = vectors @ vectors[rows[0]]
    while len(rows) < count:
        rows.append(int(closest.argmin()))
        closest = np.maximum(closest, vectors @ vectors[rows[-1]])
    return rows
