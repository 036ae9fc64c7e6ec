"""Documents that pass for negatives but score as if they were relevant."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Bars:
    """Scores above which a document that passes for a query's negative may be relevant after all.

    Attributes:
        model: (Q,) of the model's scores.
        teacher: (Q,) of a teacher's; -infinity where it scored no relevant document.
    """

    model: Tensor
    teacher: Tensor

    def of(self, queries: slice) -> Bars:
        """Return those of some queries."""
        return Bars(self.model[queries], self.teacher[queries])


def best_relevant(scores: Tensor, relevance: Tensor) -> Tensor:
    """Return (Q,) each query's highest score of a relevant document; -infinity if none is scored.

    Args:
        scores: (Q, N); NaN where there is none.
        relevance: (Q, N), above 0 where relevant.
    """
    return scores.detach().masked_fill((relevance == 0) | scores.isnan(), -torch.inf).amax(1)


def false_negatives(scores: Tensor, teacher: Tensor, relevance: Tensor, bars: Bars) -> Tensor:
    """Return (Q, N), True where a document is not relevant but scores above the query's bar.

    Args:
        scores: (Q, N) the model's.
        teacher: (Q, N) a teacher's, which decide where there are any of both documents; else NaN.
        relevance: (Q, N), above 0 where relevant.

    Source: Solatorio, GISTEmbed (arXiv 2402.16829), whose guide is the teacher here; bars below the
    relevant document's score: Moreira et al., NV-Retriever (arXiv 2407.15831).
    """
    judged = ~teacher.isnan() & bars.teacher.isfinite()[:, None]
    above = torch.where(judged, teacher > bars.teacher[:, None], scores.detach() > bars.model[:, None])
    return above & (relevance == 0)
