"""The contrastive loss over scores, with soft targets for documents of the same entity (torch only)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor, distributed

from plait.errors import ShapeError

Labels = Sequence[Hashable] | Tensor
Score = Callable[[Tensor, Tensor], Tensor]  # queries (Q, ...), documents (N, ...) -> (Q, N)


def contrastive_loss(
    queries: Tensor,
    documents: Tensor,
    labels: Labels | None = None,
    *,
    score: Score,
    symmetric: bool = False,
    scale: float = 1.0,
) -> Tensor:
    """Return the mean cross entropy of each query's scores over the documents of all processes.

        loss = - mean_k  sum_j  T_kj  log softmax_j(scale * score(query_k, document_j))

    T shares each query's mass equally between the documents with its label. When a process group is
    up, documents (and, if symmetric, queries) of every process count, and gradients flow back to the
    process they came from: each process's loss is over its own queries, and gradients summed over
    processes equal those of the processes' losses summed in one.

    Args:
        queries, documents: (B, ...), row k of one belongs to row k of the other. Processes may differ
            in B, not in the other axes.
        labels: (B,) the entity of each row, equal across processes for the same entity. None: row k
            is the one right answer to row k.
        symmetric: average with the loss of each document over all queries.
        scale: multiplies the scores; 1 / temperature.

    Raises:
        ShapeError: queries, documents and labels are not equally many.
    """
    _check(queries, documents, labels)
    start, all_documents = gather(documents)
    own = _names(labels, len(queries), start)
    everyone = _gathered_names(own)
    loss = _cross_entropy(scale * score(queries, all_documents), own, everyone)
    if not symmetric:
        return loss
    _, all_queries = gather(queries)
    backward = _cross_entropy(scale * score(all_queries, documents).T, own, everyone)
    return (loss + backward) / 2


def soft_targets(own: Sequence[Hashable], everyone: Sequence[Hashable], *, device: torch.device) -> Tensor:
    """Return (Q, N) rows that sum to 1, equal mass on every document with the query's label.

    Args:
        own: (Q,) labels of queries; each occurs in `everyone`.
        everyone: (N,) labels of documents.
    """
    number = {label: k for k, label in enumerate(dict.fromkeys(everyone))}
    rows = torch.tensor([number[label] for label in own], device=device)
    columns = torch.tensor([number[label] for label in everyone], device=device)
    same = (rows[:, None] == columns[None, :]).float()
    return same / same.sum(1, keepdim=True)


def gather(rows: Tensor) -> tuple[int, Tensor]:
    """Return where this process's rows start, and the rows of all processes in order of rank.

    Gradients flow back to the process that holds a row. Without a process group: (0, rows).

    Raises:
        ShapeError: processes differ in more than the number of rows.
    """
    if not in_processes():
        return 0, rows
    shapes: list[tuple[int, ...]] = [()] * distributed.get_world_size()
    distributed.all_gather_object(shapes, tuple(rows.shape))
    if len({shape[1:] for shape in shapes}) > 1:
        raise ShapeError(f"processes differ in more than their number of rows: {shapes}")
    counts = [shape[0] for shape in shapes]
    gathered: Tensor = _Gather.apply(rows, counts)  # type: ignore[no-untyped-call]
    return sum(counts[: distributed.get_rank()]), gathered


def in_processes() -> bool:
    """Return whether a process group is up."""
    return distributed.is_available() and distributed.is_initialized()


class _Gather(torch.autograd.Function):
    """All processes' rows forwards; backwards, the sum of what every process wants of ours."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts  # type: ignore[attr-defined]
        most = max(counts)
        padded = rows.new_zeros((most, *rows.shape[1:]))  # collectives need equal sizes
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        distributed.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        rank, counts = distributed.get_rank(), ctx.counts  # type: ignore[attr-defined]
        start = sum(counts[:rank])
        return total[start : start + counts[rank]], None


def _cross_entropy(logits: Tensor, own: Sequence[Hashable], everyone: Sequence[Hashable]) -> Tensor:
    """Return the mean over rows; in float32, where half precision would lose the small masses."""
    targets = soft_targets(own, everyone, device=logits.device)
    return -(targets * logits.float().log_softmax(1)).sum(1).mean()


def _names(labels: Labels | None, rows: int, start: int) -> list[Hashable]:
    """Return this process's labels as comparable values; without labels, each row's own number."""
    if labels is None:
        return list(range(start, start + rows))
    return labels.tolist() if isinstance(labels, Tensor) else list(labels)


def _gathered_names(own: list[Hashable]) -> list[Hashable]:
    if not in_processes():
        return own
    parts: list[list[Hashable]] = [[] for _ in range(distributed.get_world_size())]
    distributed.all_gather_object(parts, own)
    return [label for part in parts for label in part]


def _check(queries: Tensor, documents: Tensor, labels: Labels | None) -> None:
    if len(queries) != len(documents) or (labels is not None and len(labels) != len(queries)):
        seen = f"{len(queries)} queries, {len(documents)} documents"
        seen += "" if labels is None else f", {len(labels)} labels"
        raise ShapeError(f"{seen}: the loss needs one document (and label) for each query")
