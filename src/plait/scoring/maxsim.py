"""Late interaction: MaxSim, in one body for NumPy arrays and torch tensors (with gradients)."""

from __future__ import annotations

from typing import Any

from plait.errors import ShapeError

Array = Any  # numpy.ndarray or torch.Tensor; both sides of one call are of the same library


def maxsim(queries: Array, documents: Array, document_mask: Array | None = None) -> Array:
    """Score every query against every document by late interaction.

    Each query token finds its best document token; a query's score is their sum.

    Args:
        queries: (Q, q, d) token vectors, unit length.
        documents: (N, n, d) token vectors, unit length, padded to n.
        document_mask: (N, n), False at padding; None when nothing is padded.

    Returns:
        (Q, N) scores in [-q, q], higher is better. A document whose mask is all False scores
        the lowest finite value its dtype can hold, times q.

    Raises:
        ShapeError: queries and documents differ in d, or the mask does not fit the documents.

    Source: Khattab & Zaharia, ColBERT (arXiv 2004.12832).
    """
    _check(queries, documents, document_mask)
    count, tokens, width = documents.shape
    similarity = queries @ documents.reshape(count * tokens, width).T  # (Q, q, N*n)
    similarity = similarity.reshape(*queries.shape[:2], count, tokens)  # (Q, q, N, n)
    if document_mask is not None:
        similarity = similarity * document_mask + (~document_mask) * _LOWEST
    best = similarity.max(3) if not hasattr(similarity, "amax") else similarity.amax(3)  # (Q, q, N)
    return best.sum(1)  # (Q, N)


_LOWEST = -1e4  # far below any cosine, and still finite in float16 sums over 6 tokens


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
    if document_mask is not None and tuple(document_mask.shape) != tuple(documents.shape[:2]):
        raise ShapeError(
            f"the mask is {tuple(document_mask.shape)}, the documents need {tuple(documents.shape[:2])}"
        )
