"""Several objectives at once, and what each contributes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from plait.errors import InputError
from plait.train.objectives.targets import Targets


class Weighted(nn.Module):
    """A weighted sum of objectives.

        loss = sum over (weight, objective)  of  weight * objective(queries, documents)

    Needs: what its objectives need. Trainers log each part beside the sum.

    Equals the objective itself for one of weight 1.

    Args:
        objectives: (weight, objective) each; weights are above 0.

    Raises:
        InputError: no objective, or a weight out of range.
    """

    def __init__(self, objectives: Sequence[tuple[float, nn.Module]]) -> None:
        super().__init__()
        for weight, objective in objectives:
            if not 0 < weight < math.inf:
                raise InputError(
                    f"the weight of {type(objective).__name__} is {weight}: expected a finite number above 0"
                )
        if not objectives:
            raise InputError("Weighted has no objectives: give (weight, objective), one at least")
        self.weights = tuple(float(weight) for weight, _ in objectives)
        self.objectives = nn.ModuleList(objective for _, objective in objectives)

    def forward(self, queries: Tensor, documents: Tensor, targets: Targets) -> Tensor:
        """Return the loss, a scalar; arguments and errors are those of the objectives."""
        return torch.stack(list(self.components(queries, documents, targets).values())).sum()

    def components(self, queries: Tensor, documents: Tensor, targets: Targets) -> dict[str, Tensor]:
        """Return each objective's weighted loss by its name: their sum is the loss."""
        return {
            name: weight * objective(queries, documents, targets)
            for name, weight, objective in zip(self.names, self.weights, self.objectives, strict=True)
        }

    @property
    def names(self) -> list[str]:
        """Each objective's: of its class in lower case, counted where there are several of a class."""
        kinds = [type(objective).__name__.lower() for objective in self.objectives]
        total, seen = Counter(kinds), Counter[str]()
        names = []
        for kind in kinds:
            seen[kind] += 1
            names.append(kind if total[kind] == 1 else f"{kind}_{seen[kind]}")
        return names

    def get_config_dict(self) -> dict[str, Any]:
        """Return the weight and the objective by name, as shown in model cards."""
        parts = zip(self.names, self.weights, self.objectives, strict=True)
        return {name: (weight, objective) for name, weight, objective in parts}
