"""The loss that sentence-transformers' trainers call: encodes both columns of a batch, and compares them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from plait.errors import InputError, ShapeError, TrainError
from plait.extras import require
from plait.scoring.contrastive import in_processes
from plait.train.caching import ColumnEncoder, Encoded, Features, Losses, cached_losses
from plait.train.modality_dropout import ModalityDropout
from plait.train.objectives.components import components
from plait.train.objectives.targets import Targets

_TASKS = ("query", "document")


class TrainingLoss(nn.Module):
    """An objective over what a model encodes of a batch of queries and their documents.

    Columns: features of B queries, features of the N documents of all of them, and as label a dict as
    from `Targets.to_dict`, which says whose each document is. Each column's "task" says which side encodes
    it, by default "query" for the first and "document" for the second.

    Scores and losses are computed in float32 whatever precision the model runs in. In several processes,
    the columns are always encoded twice, as with `mini_batch_size`: two passes through a model wrapped for
    data-parallel training before one backward pass fail, or add up wrongly. Every weight that trains must
    then be reached by each pass, as ReT's are, or `ddp_find_unused_parameters` be on, as trainers set it.

    Equals the objective over the model's vectors, with and without `mini_batch_size`, in loss and gradients.

    Args:
        model: a `MultiVectorEncoder`, whose token vectors are compared, or a `SentenceTransformer`, whose
            single vectors are, as they come from it: it should give unit length. Padding never counts.
        objective: as of `plait.train.objectives`. Of a `Weighted` one, trainers log each part.
        mini_batch_size: GradCache: encode so many rows at a time, for the memory of so many, at the price
            of encoding all twice. None: all at once.
        modality_dropout: (text, image): how often, while the model trains, a query that has both loses its
            text, or its image, before anything is encoded.
        document_modality_dropout: the same for documents; None: as for queries.

    Raises:
        InputError: a model of another kind, or an option out of range.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: nn.Module,
        *,
        mini_batch_size: int | None = None,
        modality_dropout: tuple[float, float] = (0.0, 0.0),
        document_modality_dropout: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        if mini_batch_size is not None and mini_batch_size < 1:
            raise InputError(
                f"mini_batch_size is {mini_batch_size}: expected 1 or more, or None for all rows"
            )
        self.output = _compared_output(model)
        self.model = model  # trainers replace it by what they wrap it in
        self.objective = objective
        self.mini_batch_size = mini_batch_size
        self.dropouts = tuple(
            ModalityDropout(*given)
            for given in (
                modality_dropout,
                modality_dropout if document_modality_dropout is None else document_modality_dropout,
            )
        )

    def forward(self, sentence_features: Iterable[Features], labels: Mapping[str, Tensor]) -> Tensor | Losses:
        """Return the loss, a scalar; of a `Weighted` objective, each part by name, to be added up.

        Args:
            sentence_features: of the queries and of the documents.
            labels: as from `Targets.to_dict`.

        Raises:
            ShapeError: more or fewer than two columns, or targets that do not fit them.
            TrainError: the loss is not a finite number; the message says what of it is not.
        """
        columns = self._columns(list(sentence_features))
        targets = Targets.from_dict(labels)
        compute = partial(self._compare, targets=targets)
        encoder = ColumnEncoder(
            self.model,
            self.output,
            mini_batch_size=self.mini_batch_size,
            device_type=targets.owner.device.type,
        )
        caches = self.mini_batch_size is not None or in_processes()
        if caches and torch.is_grad_enabled():
            losses = cached_losses(encoder, columns, compute, _trained(self.objective))
        else:
            losses = compute([_encoded(encoder, column) for column in columns])
        return losses["loss"] if list(losses) == ["loss"] else losses

    def get_config_dict(self) -> dict[str, Any]:
        """Return the options, as shown in model cards."""
        query, document = self.dropouts
        return {
            "objective": self.objective,
            "mini_batch_size": self.mini_batch_size,
            "modality_dropout": (query.text, query.image),
            "document_modality_dropout": (document.text, document.image),
        }

    def _columns(self, given: Sequence[Features]) -> list[Features]:
        """Return the features of each side, with its task, and without what this step drops."""
        if len(given) != 2:
            raise ShapeError(f"the batch has {len(given)} columns: expected queries, and documents")
        columns = [{"task": task, **features} for task, features in zip(_TASKS, given, strict=True)]
        if not self.model.training:
            return list(columns)
        return [dropout(column) for dropout, column in zip(self.dropouts, columns, strict=True)]

    def _compare(self, encoded: list[list[Encoded]], *, targets: Targets) -> Losses:
        """Return each part of the loss by name.

        Args:
            encoded: the queries' mini-batches, and the documents'.
        """
        queries, documents = (
            joined(parts, copies=side == "document").float()
            for side, parts in zip(_TASKS, encoded, strict=True)
        )
        with torch.autocast(queries.device.type, enabled=False):
            losses = components(self.objective, queries, documents, targets)
        _check_finite(losses, queries=queries, documents=documents)
        return losses


def joined(parts: Sequence[Encoded], *, copies: bool) -> Tensor:
    """Return (B, n, d) token vectors or (B, d) vectors of all mini-batches, such that no padding counts.

    Args:
        copies: put copies of a row's first token where it has padding, which changes no maximum over its
            tokens, as for documents. Otherwise zeros, which add nothing to a sum of maxima, as for queries.
    """
    masks = [part.mask for part in parts if part.mask is not None]
    if not masks:
        return torch.cat([part.vectors for part in parts])
    longest = _longest(masks)
    spaces = [longest - mask.shape[1] for mask in masks]
    tokens = torch.cat(
        [functional.pad(part.vectors, (0, 0, 0, k)) for part, k in zip(parts, spaces, strict=True)]
    )
    mask = torch.cat([functional.pad(mask, (0, k)) for mask, k in zip(masks, spaces, strict=True)])
    if bool(mask.all()):
        return tokens
    first = mask.int().argmax(1)  # 0 where a row has only padding
    fill = tokens[torch.arange(len(tokens), device=first.device), first].masked_fill(~mask.any(1)[:, None], 0)
    return torch.where(mask[..., None], tokens, fill[:, None] if copies else torch.zeros_like(fill)[:, None])


def _longest(masks: Sequence[Tensor]) -> int:
    """Return the most tokens of any mini-batch, of any process."""
    longest = torch.tensor(max(mask.shape[1] for mask in masks), device=masks[0].device)
    if in_processes():
        distributed.all_reduce(longest, op=distributed.ReduceOp.MAX)
    return int(longest)


def _encoded(encoder: ColumnEncoder, column: Features) -> list[Encoded]:
    """Return a column's mini-batches, or in training, where all are kept for the backward pass, one."""
    if torch.is_grad_enabled():
        return [encoder.encode(column)]
    parts = encoder.embed_minibatch_iter(column, with_grad=False, copy_random_state=False)
    return [Encoded(vectors, mask) for vectors, mask, _ in parts]


def _trained(objective: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in objective.parameters() if parameter.requires_grad]


def _check_finite(losses: Losses, *, queries: Tensor, documents: Tensor) -> None:
    """Check that all processes' losses are finite numbers: all raise, lest one wait for another.

    Raises:
        TrainError: one is not.
    """
    total = torch.stack(list(losses.values())).sum().detach()
    failed = 1 - total.isfinite().int()
    if in_processes():
        distributed.all_reduce(failed, op=distributed.ReduceOp.MAX)
    if failed:
        raise TrainError(
            f"the loss is {float(total)}: {_what_failed(total, queries, documents)}; resume from the last "
            "checkpoint with a lower learning rate"
        )


def _what_failed(total: Tensor, queries: Tensor, documents: Tensor) -> str:
    if total.isfinite():
        return "that of another process is not finite"
    bad = []
    for side, vectors in (("queries", queries), ("documents", documents)):
        rows = int((~vectors.isfinite()).flatten(1).any(1).sum())
        if rows:
            bad.append(f"{rows} of {len(vectors)} {side} were encoded as NaN or infinity")
    if bad:
        return " and ".join(bad)
    return (
        "queries and documents are finite, but their scores, divided by the temperature, or targets are not"
    )


def _compared_output(model: nn.Module) -> str:
    """Return what of a model's output is compared.

    Raises:
        InputError: it is none of sentence-transformers' two kinds.
    """
    st = require("sentence_transformers")
    if isinstance(model, st.MultiVectorEncoder):
        return "token_embeddings"
    if isinstance(model, st.SentenceTransformer):
        return "sentence_embedding"
    raise InputError(
        f"the model is a {type(model).__name__}: expected a MultiVectorEncoder or a SentenceTransformer, "
        "such as RetMultiVectorEncoder.from_ret gives"
    )
