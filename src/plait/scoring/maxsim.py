"""Late interaction: MaxSim, in one body for NumPy arrays and torch tensors (with gradients)."""

from __future__ import annotations

from typing import Any

import numpy as np

from plait.errors import ShapeError

Array = Any  # numpy.ndarray or torch.Tensor; all arrays of one call are of the same library


def maxsim(queries: Array, documents: Array, document_mask: Array | None = None) -> Array:
    """Score every query against every document by late interaction.

    Each query token finds its best document token; a query's score is their sum. A query token of
    zeros adds nothing, which is how padded queries are scored. Holds (Q, q, N, n) similarities.

    Args:
        queries: (Q, q, d) token vectors, unit length.
        documents: (N, n, d) token vectors, unit length, padded to n >= 1.
        document_mask: (N, n), False or 0 at padding; None when nothing is padded.

    Returns:
        (Q, N) scores in [-q, q], higher is better. A document whose mask is all False scores -60000
        (-10000 q when q < 6): below every other, and finite in float16 too. No gradient reaches
        padding.

    Raises:
        ShapeError: queries and documents differ in d, documents have no tokens, or the mask does
            not fit the documents.

    Source: Khattab & Zaharia, ColBERT (arXiv 2004.12832).
    """
    _check(queries, documents, document_mask)
    count, tokens, width = documents.shape
    similarity = queries @ documents.reshape(count * tokens, width).T  # (Q, q, N*n)
    similarity = similarity.reshape(*queries.shape[:2], count, tokens)  # (Q, q, N, n)
    if document_mask is not None:
        similarity = _masked(similarity, document_mask, lowest=-6e4 / max(queries.shape[1], 6))
    if isinstance(similarity, np.ndarray):
        return similarity.max(3).sum(1)
    return similarity.amax(3).sum(1)  # (Q, N); tied tokens share the gradient


def _masked(similarity: Array, mask: Array, *, lowest: float) -> Array:
    """Return the similarities with `lowest` in place of padding, whatever stands there (NaN too)."""
    if isinstance(similarity, np.ndarray):
        return np.where(mask != 0, similarity, similarity.dtype.type(lowest))
    return similarity.masked_fill(mask == 0, lowest)


def _check(queries: Array, documents: Array, document_mask: Array | None) -> None:
    if queries.ndim != 3 or documents.ndim != 3:
        raise ShapeError(
            f"expected (Q, q, d) and (N, n, d), got {tuple(queries.shape)} and {tuple(documents.shape)}"
        )
    if queries.shape[2] != documents.shape[2]:
        raise ShapeError(
            f"queries have {queries.shape[2]} dims, documents {documents.shape[2]}: "
            "were both sides encoded by the same model?"
        )
    if documents.shape[1] == 0:
        raise ShapeError("documents have no tokens: give each at least one, masked if it is padding")
    if document_mask is not None and tuple(document_mask.shape) != tuple(documents.shape[:2]):
        raise ShapeError(
            f"the mask is {tuple(document_mask.shape)}, the documents need {tuple(documents.shape[:2])}"
        )
