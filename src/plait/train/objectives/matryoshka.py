"""Matryoshka: vectors that can be cut short, in number and in width, and still be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.errors import InputError, ShapeError
from plait.train.objectives.targets import Targets

Size = tuple[int | None, int | None, float]  # tokens, width, weight


class Matryoshka(nn.Module):
    """A sum of one objective at several sizes of the same vectors.

        loss = sum over (t, w, weight) of sizes  of  weight * objective(cut_tw(queries), cut_tw(documents))

    where cut_tw keeps the first t tokens of a side, of each the first w numbers, at unit length again.
    The full size counts only if it is among the sizes; it should be.

    Needs: what the objective needs. Afterwards an index may store vectors cut to any of the sizes, and in
    practice to those between. Under MaxSim scores shrink with the number of tokens, and with them what
    a temperature does.

    Equals the objective itself for the one full size with weight 1 and vectors of unit length. With single
    vectors, `MatryoshkaLoss` of sentence-transformers.

    Source: Kusupati et al., Matryoshka Representation Learning (arXiv 2205.13147), here along tokens too,
    as in Matryoshka Query Transformer (arXiv 2405.19315).

    Args:
        objective: as of this package.
        sizes: (tokens, width, weight) each; None: all of them. For single vectors, tokens is None or 1.

    Raises:
        InputError: no size, or one that is not positive.
    """

    def __init__(self, objective: nn.Module, sizes: Sequence[Size]) -> None:
        super().__init__()
        _check_sizes(sizes)
        self.objective = objective
        self.sizes = tuple((tokens, width, float(weight)) for tokens, width, weight in sizes)

    def forward(self, queries: Tensor, documents: Tensor, targets: Targets) -> Tensor:
        """Return the loss, a scalar.

        Args:
            queries: (B, q, d) or (B, d), unit length.
            documents: (N, n, d) or (N, d), unit length.
            targets: of the N documents.

        Raises:
            ShapeError: a size is larger than the vectors, or what the objective raises.
        """
        losses = [
            weight * self.objective(*sides, targets) for weight, *sides in self.cuts(queries, documents)
        ]
        return torch.stack(losses).sum()

    def cuts(self, queries: Tensor, documents: Tensor) -> Iterator[tuple[float, Tensor, Tensor]]:
        """Yield the weight of each size, and both sides cut to it; arguments and errors as above."""
        for tokens, width, weight in self.sizes:
            yield (
                weight,
                cut(queries, tokens=tokens, width=width),
                cut(documents, tokens=tokens, width=width),
            )

    def get_config_dict(self) -> dict[str, Any]:
        """Return the options, as shown in model cards."""
        return {"objective": self.objective, "sizes": self.sizes}


def cut(vectors: Tensor, *, tokens: int | None, width: int | None) -> Tensor:
    """Return the first tokens of each row, and of each the first numbers, at unit length; zeros stay zeros.

    Args:
        vectors: (B, n, d) or (B, d).
        tokens: up to n, or 1 for single vectors; None: all.
        width: up to d; None: all.

    Raises:
        ShapeError: the vectors are smaller.
    """
    has = (vectors.shape[1] if vectors.ndim == 3 else 1, vectors.shape[-1])
    wanted = (tokens or has[0], width or has[1])
    if wanted[0] > has[0] or wanted[1] > has[1]:
        raise ShapeError(
            f"a Matryoshka size is {wanted[0]} tokens x {wanted[1]} wide, but the model gives {has[0]} x "
            f"{has[1]}: leave out sizes larger than the model's"
        )
    kept = vectors[:, : wanted[0], : wanted[1]] if vectors.ndim == 3 else vectors[:, : wanted[1]]
    return functional.normalize(kept, dim=-1)


def _check_sizes(sizes: Sequence[Size]) -> None:
    if not sizes:
        raise InputError("Matryoshka has no sizes: give (tokens, width, weight), such as (32, 128, 1.0)")
    for size in sizes:
        tokens, width, weight = size
        if not ((tokens is None or tokens > 0) and (width is None or width > 0) and weight > 0):
            raise InputError(f"a Matryoshka size is {size}: expected (tokens, width, weight), all above 0")
