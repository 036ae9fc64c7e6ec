"""What is relevant to what in a batch of queries and documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from plait.errors import ShapeError
from plait.scoring.contrastive import gather

_NAMES = ("owner", "entity", "relevance", "teacher")


@dataclass(frozen=True, slots=True)
class Targets:
    """Whose the N documents of a batch are, what they are about, and how good they are.

    Attributes:
        owner: (N,) the query whose document it is, from 0; in any order, and any number each.
        entity: (N,) equal for documents that are about the same thing, on every process.
        relevance: (N,) grade for its owner, 0 or more; above 0: relevant; 0: a hard negative.
        teacher: (N,) a teacher's score of the document for its owner; NaN where there is none.

    Raises:
        ShapeError: they are not equally many, or of another kind of numbers.
    """

    owner: Tensor
    entity: Tensor
    relevance: Tensor
    teacher: Tensor

    def __post_init__(self) -> None:
        shapes = {name: tuple(values.shape) for name, values in self.to_dict().items()}
        if len(set(shapes.values())) > 1 or self.owner.ndim != 1:
            raise ShapeError(f"targets are {shapes}: expected as many of each as there are documents, (N,)")
        for name, values in self.to_dict().items():
            if values.is_floating_point() != (name in ("relevance", "teacher")):
                raise ShapeError(
                    f"targets' {name} is of {values.dtype}: expected whole numbers for owner and entity, "
                    "real ones for relevance and teacher"
                )

    @classmethod
    def from_dict(cls, given: Mapping[str, Tensor]) -> Self:
        """Return the targets of a batch's "label", which is a dict so that trainers move its tensors.

        Raises:
            ShapeError: a tensor is missing or left over, or they do not fit each other.
        """
        if not isinstance(given, Mapping) or set(given) != set(_NAMES):
            seen = ", ".join(map(str, given)) if isinstance(given, Mapping) else type(given).__name__
            raise ShapeError(
                f"a batch's label holds {seen or 'nothing'}, expected a dict of {', '.join(_NAMES)}: "
                "was it made by plait's collator?"
            )
        return cls(**given)

    @classmethod
    def pairs(cls, entity: Tensor) -> Self:
        """Return the targets of queries with one relevant document each, in the same order.

        Args:
            entity: (B,) what each pair is about, equal for the same on every process.
        """
        ones = torch.ones(len(entity), device=entity.device)
        return cls(torch.arange(len(entity), device=entity.device), entity, ones, ones * torch.nan)

    def to_dict(self) -> dict[str, Tensor]:
        """Return the tensors by name, as `from_dict` takes them."""
        return {name: getattr(self, name) for name in _NAMES}

    def check(self, queries: Tensor, documents: Tensor) -> None:
        """Check that these are targets of so many vectors, and that the vectors can be compared.

        Args:
            queries: (B, q, d) or (B, d).
            documents: (N, n, d) or (N, d).

        Raises:
            ShapeError: they do not fit, an owner is no query's number, or a grade is negative or NaN.
        """
        shapes = f"queries are {tuple(queries.shape)}, documents {tuple(documents.shape)}"
        if queries.ndim != documents.ndim or queries.ndim not in (2, 3):
            raise ShapeError(
                f"{shapes}: expected token vectors (B, q, d) and (N, n, d), or (B, d) and (N, d)"
            )
        if queries.shape[-1] != documents.shape[-1]:
            raise ShapeError(f"{shapes}: expected equal widths: were both encoded by the same model?")
        if len(documents) != len(self.owner):
            raise ShapeError(f"{shapes}, targets are of {len(self.owner)} documents")
        outside = (self.owner < 0) | (self.owner >= len(queries))
        if outside.any():
            raise ShapeError(f"a document belongs to query {self.owner[outside][0]}, but {shapes}")
        if not bool((self.relevance >= 0).all()):
            raise ShapeError(f"grades begin at {float(self.relevance.min())}: expected 0 or more, and no NaN")

    def gathered(self, queries: int) -> Gathered:
        """Return the targets of all processes, in order of rank, where owners count on from rank to rank.

        Args:
            queries: B of this process; processes may differ in it, and in N.
        """
        rank, numbers = gather(self.owner.new_tensor([queries]))
        first, all_queries = int(numbers[:rank].sum()), int(numbers.sum())
        start, owner = gather(self.owner + first)
        others = [gather(values)[1] for values in (self.entity, self.relevance, self.teacher)]
        return Gathered(
            Targets(owner, *others),
            all_queries,
            slice(first, first + queries),
            slice(start, start + len(self.owner)),
        )

    def grades(self, queries: int) -> Tensor:
        """Return (Q, N) the relevance of every document to every query.

        A query's own documents have their grades. Another's has the highest grade that the query gives a
        document about the same entity, and 0 if it has none.

        Args:
            queries: Q.
        """
        entities, number = torch.unique(self.entity, return_inverse=True)  # (E,), (N,)
        best = self.relevance.new_zeros(queries * len(entities))
        best.scatter_reduce_(0, self.owner * len(entities) + number, self.relevance, "amax")
        grades = best.view(queries, len(entities))[:, number]  # (Q, N)
        own = self.spread(self.relevance, queries)
        return torch.where(own.isnan(), grades, own)

    def spread(self, values: Tensor, queries: int) -> Tensor:
        """Return (Q, N) a value of each document in the row of its owner, and NaN elsewhere.

        Args:
            values: (N,) such as the teacher's scores.
            queries: Q.
        """
        columns = torch.arange(len(values), device=values.device)
        return values.new_full((queries, len(values)), torch.nan).index_put((self.owner, columns), values)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Targets of all processes.

    Attributes:
        targets: of all their documents.
        queries: how many queries they hold together.
        own_queries, own_documents: where this process's are among them.
    """

    targets: Targets
    queries: int
    own_queries: slice
    own_documents: slice
