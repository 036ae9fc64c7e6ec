"""GradCache: exact gradients of a large batch in the memory of a small one.

Source: Gao et al., Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup (arXiv
2101.06983).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, distributed, nn

from plait.extras import require
from plait.scoring.contrastive import in_processes

Features = Mapping[str, Any]
Losses = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Vectors of some rows of a column.

    Attributes:
        vectors: (b, n, d) token vectors or (b, d).
        mask: (b, n), True where a token counts; None for single vectors.
    """

    vectors: Tensor
    mask: Tensor | None


class ColumnEncoder:
    """Encodes columns of features by sentence-transformers models, mini-batch by mini-batch.

    Also what sentence-transformers' own second pass of GradCache asks for: `model` and
    `embed_minibatch_iter`.

    Args:
        model: an encoder, or what data-parallel training wrapped it in.
        output: the name of the vectors in what it gives.
        mini_batch_size: rows at a time; None: all.
        device_type: where mixed precision is in force, or not, during all passes as it is now.
    """

    def __init__(
        self, model: nn.Module, output: str, *, mini_batch_size: int | None, device_type: str
    ) -> None:
        self.model = model
        self.output = output
        self.mini_batch_size = mini_batch_size
        self._tools = require("sentence_transformers.base.losses.gradcache")
        self._precision = partial(  # the second pass runs where the trainer's own context is left
            torch.autocast,
            device_type,
            dtype=torch.get_autocast_dtype(device_type),
            enabled=torch.is_autocast_enabled(device_type),
        )

    def ranges(self, features: Features) -> list[tuple[int, int]]:
        """Return the first row of each mini-batch, and the one after its last."""
        return self._tools._minibatch_ranges(features, self.mini_batch_size or 2**62)  # type: ignore[no-any-return]

    def encode(self, features: Features) -> Encoded:
        """Return the vectors of all rows at once."""
        with self._precision():
            output = self.model(dict(features), task=features["task"])
        vectors = output[self.output]
        return Encoded(vectors, output["attention_mask"].bool() if vectors.ndim == 3 else None)

    def embed_minibatch_iter(
        self,
        sentence_feature: Features,
        with_grad: bool,
        copy_random_state: bool,
        random_states: Sequence[Any] | None = None,
        ranges: Sequence[tuple[int, int]] | None = None,
    ) -> Iterator[tuple[Tensor, Tensor | None, Any]]:
        """Yield the vectors and the mask of each mini-batch, and the random state before it if asked.

        Args:
            random_states: replayed, so that dropout draws again what it drew.
        """
        for k, (begin, end) in enumerate(ranges or self.ranges(sentence_feature)):
            rows = self._tools._create_minibatch(sentence_feature, begin, end)
            with ExitStack() as contexts:
                contexts.enter_context(nullcontext() if random_states is None else random_states[k])
                contexts.enter_context(torch.set_grad_enabled(with_grad))
                state = self._tools.RandContext(*rows.values()) if copy_random_state else None
                found = self.encode(rows)
            yield found.vectors, found.mask, state


def cached_losses(
    encoder: ColumnEncoder,
    columns: Sequence[Features],
    compute: Callable[[list[list[Encoded]]], Losses],
    parameters: Sequence[nn.Parameter],
) -> Losses:
    """Return losses, to be added up, whose backward pass encodes the columns again, a mini-batch at a time.

    First all rows are encoded without gradients. Then the gradient of the losses is computed for the
    vectors alone. When the caller goes backwards, each mini-batch is encoded once more, and takes its
    vectors' gradient on to the weights. Gradients are those of one pass, but for rounding.

    Only the sum of the losses has a gradient, not each.

    Args:
        columns: features with a "task" each; they may differ in their numbers of rows.
        compute: gives the losses of all columns' mini-batches.
        parameters: of the losses themselves, such as a temperature. Their gradients are averaged over
            processes, as data-parallel training averages those of the model that it wraps.
    """
    ranges = [encoder.ranges(column) for column in columns]
    encoded, states = [], []
    for column, parts in zip(columns, ranges, strict=True):
        first = list(
            encoder.embed_minibatch_iter(column, with_grad=False, copy_random_state=True, ranges=parts)
        )
        encoded.append([Encoded(vectors.detach().requires_grad_(), mask) for vectors, mask, _ in first])
        states.append([state for _, _, state in first])
    losses = compute(encoded)
    cache, own = _gradients(losses, encoded, parameters)
    name, *others = losses
    again = torch.zeros_like(losses[name], requires_grad=True)
    again.register_hook(  # type: ignore[no-untyped-call]
        partial(
            encoder._tools._backward_hook,
            sentence_features=columns,
            loss_obj=encoder,
            cache=cache,
            random_states=states,
            ranges=ranges,
        )
    )
    for parameter, gradient in zip(parameters, own, strict=True):
        again = again + ((parameter - parameter.detach()) * gradient).sum()
    return {name: losses[name].detach() + again} | {other: losses[other].detach() for other in others}


def _gradients(
    losses: Losses, encoded: Sequence[Sequence[Encoded]], parameters: Sequence[nn.Parameter]
) -> tuple[list[list[Tensor]], list[Tensor]]:
    """Return the gradients of the sum of losses for each mini-batch's vectors, and for the parameters."""
    leaves = [part.vectors for column in encoded for part in column]
    total = torch.stack(list(losses.values())).sum()
    with torch.autocast(total.device.type, enabled=False):  # which would round these gradients, too
        gradients = iter(
            torch.autograd.grad(total, [*leaves, *parameters], allow_unused=True, materialize_grads=True)
        )
    cache = [[next(gradients) for _ in column] for column in encoded]
    own = list(gradients)
    if in_processes():
        for gradient in own:
            distributed.all_reduce(gradient)
            gradient /= distributed.get_world_size()
    return cache, own
