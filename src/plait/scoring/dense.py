"""One vector a query and a document, compared by inner product; NumPy and torch in one body."""

from __future__ import annotations

from typing import Any

from plait.errors import ShapeError

Array = Any  # numpy.ndarray or torch.Tensor; both of one call are of the same library


def inner_products(queries: Array, documents: Array) -> Array:
    """Return (Q, N) inner products, higher is better; cosines in [-1, 1] for unit vectors.

    Args:
        queries: (Q, d).
        documents: (N, d).

    Raises:
        ShapeError: not matrices, or they differ in d.
    """
    if queries.ndim != 2 or documents.ndim != 2:
        raise ShapeError(
            f"expected (Q, d) and (N, d), got {tuple(queries.shape)} and {tuple(documents.shape)}"
        )
    if queries.shape[1] != documents.shape[1]:
        raise ShapeError(
            f"queries have {queries.shape[1]} dims, documents {documents.shape[1]}: "
            "were both sides encoded by the same model?"
        )
    return queries @ documents.T
