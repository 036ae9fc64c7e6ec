"""Losses for training encoders, and the one number worth watching beside them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from plait.errors import ShapeError
from plait.scoring.contrastive import contrastive_loss
from plait.scoring.dense import inner_products
from plait.scoring.maxsim import maxsim


def late_interaction_loss(
    queries: Tensor,
    documents: Tensor,
    labels: Sequence[Hashable] | Tensor | None = None,
    *,
    symmetric: bool = False,
    scale: float = 1.0,
    query_mask: Tensor | None = None,
    document_mask: Tensor | None = None,
) -> Tensor:
    """Return the contrastive loss of token vectors scored by MaxSim.

        S_kj = sum over query tokens a of  max over document tokens b of  <query_ka, document_jb>
        loss = - mean_k  sum_j  T_kj  log softmax_j(scale * S_kj)

    T_kj is 1 / (documents with query k's label) where document j has that label, else 0.

    Columns: one query and its positive document a row, and optionally a label a row naming the entity
    both are about. All other rows' documents, of every process, are the negatives; so pair it with a
    sampler that keeps near-duplicates out of a batch, or give labels. Gradients cross processes; run
    data-parallel training so that gradients are averaged, as usual. For hard negatives, grades and what
    else a query's documents may bring, see `plait.train.objectives.contrastive`.

    Equals ReT's own loss with the defaults; `Contrastive` with temperature 1 / scale and one document of
    grade 1 a query, where processes hold equally many; with unique labels (or none), plain in-batch cross
    entropy, the multiple-negatives ranking loss of sentence-transformers at the same scale; with one
    token a side, `single_vector_loss`.

    Args:
        queries: (B, q, d), unit length.
        documents: (B, n, d), unit length; row k is a positive of query k.
        labels: (B,), equal for rows about the same entity; None: no two rows are.
        symmetric: average with the loss of each document finding its query.
        scale: 1 / temperature; ReT trains with 1.
        query_mask, document_mask: (B, q) and (B, n), False or 0 at padding; None: no padding.

    Raises:
        ShapeError: sides, labels or masks that do not fit each other.

    Source: Khattab & Zaharia, ColBERT (arXiv 2004.12832); Caffagni et al., ReT (arXiv 2503.01980).
    """
    if query_mask is not None:
        queries = queries * _fitting(query_mask, queries, "query")[..., None]  # adds 0 to every score
    if document_mask is None:
        return contrastive_loss(queries, documents, labels, score=maxsim, symmetric=symmetric, scale=scale)
    # The mask travels between processes as one more column of the vectors.
    column = _fitting(document_mask, documents, "document")[..., None]
    documents = torch.cat((documents, column), dim=2)
    return contrastive_loss(
        queries, documents, labels, score=_masked_maxsim, symmetric=symmetric, scale=scale
    )


def single_vector_loss(
    queries: Tensor,
    documents: Tensor,
    labels: Sequence[Hashable] | Tensor | None = None,
    *,
    symmetric: bool = False,
    scale: float = 1.0,
) -> Tensor:
    """Return the contrastive loss of single vectors scored by inner product.

    Columns, labels, options and errors are those of `late_interaction_loss`.

    Args:
        queries, documents: (B, d), unit length.
    """
    return contrastive_loss(
        queries, documents, labels, score=inner_products, symmetric=symmetric, scale=scale
    )


def recall_at_1(
    logits: Tensor, query_labels: Sequence[Hashable], document_labels: Sequence[Hashable]
) -> float:
    """Return the share of queries whose best-scored document has their label, in [0, 1].

    A tie counts only when every best document is right: constant scores find nothing.

    Args:
        logits: (Q, N) scores, higher is better.
        query_labels, document_labels: (Q,) and (N,).

    Raises:
        ShapeError: labels do not fit the scores.
    """
    if tuple(logits.shape) != (len(query_labels), len(document_labels)):
        raise ShapeError(
            f"scores are {tuple(logits.shape)}, but there are {len(query_labels)} query labels and "
            f"{len(document_labels)} document labels"
        )
    if not len(query_labels):
        return 0.0
    best = logits == logits.amax(1, keepdim=True)  # (Q, N)
    right = torch.tensor([[q == d for d in document_labels] for q in query_labels], device=logits.device)
    return float((~best | right).all(1).float().mean())


def _masked_maxsim(queries: Tensor, documents: Tensor) -> Tensor:
    """Score documents whose last column says which tokens are real."""
    scores: Tensor = maxsim(queries, documents[..., :-1], documents[..., -1])
    return scores


def _fitting(mask: Tensor, tokens: Tensor, side: str) -> Tensor:
    if tuple(mask.shape) != tuple(tokens.shape[:2]):
        raise ShapeError(
            f"the {side} mask is {tuple(mask.shape)}, the {side}s need {tuple(tokens.shape[:2])}"
        )
    return mask.to(tokens.dtype)
