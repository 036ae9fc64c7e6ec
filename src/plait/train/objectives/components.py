"""What each part of an objective contributes to the loss."""

from __future__ import annotations

from torch import Tensor, nn

from plait.train.objectives.matryoshka import Matryoshka
from plait.train.objectives.targets import Targets
from plait.train.objectives.weighted import Weighted


def components(
    objective: nn.Module, queries: Tensor, documents: Tensor, targets: Targets
) -> dict[str, Tensor]:
    """Return parts of the loss by name, whose sum it is.

    Those of a `Weighted` objective have its names, also inside `Matryoshka`, where they are sums over all
    sizes. An objective without parts is one, "loss". Arguments and errors are those of the objective.
    """
    if isinstance(objective, Weighted):
        return objective.components(queries, documents, targets)
    if not isinstance(objective, Matryoshka):
        return {"loss": objective(queries, documents, targets)}
    parts: dict[str, Tensor] = {}
    for weight, cut_queries, cut_documents in objective.cuts(queries, documents):
        for name, part in components(objective.objective, cut_queries, cut_documents, targets).items():
            parts[name] = parts.get(name, part.new_zeros(())) + weight * part
    return parts
