"""Distillation: a query's documents must be told apart as a teacher tells them."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from plait.errors import InputError
from plait.train.objectives.processes import mean_of_all, number_of_all
from plait.train.objectives.scores import pair_scores
from plait.train.objectives.targets import Targets

Kind = Literal["kl", "margin_mse"]


class Distillation(nn.Module):
    """The teacher's scores of each query's own documents, matched by the model's.

        S_kj = MaxSim of query k and document j for token vectors, inner product for single vectors
        t_kj = the teacher's score; pairs without one (NaN) are left out of all sums

    kind "kl", with p_k = softmax_j(t_kj / temperature) and s_k = softmax_j(S_kj / student_temperature)
    over k's own documents:

        loss = student_temperature^2  mean over k  of  sum_j  p_kj  (log p_kj - log s_kj)

    The mean is over the queries with two documents or more that have teacher scores. The square keeps
    gradients of one size whatever the temperature.

    kind "margin_mse":

        loss = mean over k, r, j  of  ((S_kr - S_kj) - (t_kr - t_kj))^2

    over all pairs of a relevant document r and one that is not, j, of the same query k.

    Needs: `owner` and `teacher` of the targets, and `relevance` for "margin_mse". Pair it with hard
    negatives, for in-batch negatives have no teacher scores and play no part.

    Over processes: means are over the pairs of all. Equals, with as many documents for each query, all of
    them scored and the relevant one first, sentence-transformers' `MultiVectorDistillKLDivLoss` and
    `MultiVectorMarginMSELoss`, and for single vectors `DistillKLDivLoss` and `MarginMSELoss` over inner
    products.

    Source: "kl": Hinton et al., Distilling the Knowledge in a Neural Network (arXiv 1503.02531), over
    documents as in Santhanam et al., ColBERTv2 (arXiv 2112.01488); "margin_mse": Hofstätter et al. (arXiv
    2010.02666).

    Args:
        temperature: divides the teacher's scores, above 0; "kl" only.
        student_temperature: divides the model's; None: as the teacher's.

    Raises:
        InputError: an unknown kind, a temperature out of range, or one for "margin_mse", which has none.
    """

    def __init__(
        self, kind: Kind = "kl", *, temperature: float = 1.0, student_temperature: float | None = None
    ) -> None:
        super().__init__()
        student = temperature if student_temperature is None else student_temperature
        _check_options(kind, temperature, student)
        self.kind = kind
        self.temperature = temperature
        self.student_temperature = student

    def forward(self, queries: Tensor, documents: Tensor, targets: Targets) -> Tensor:
        """Return the loss, a scalar.

        Args:
            queries: (B, q, d) or (B, d), unit length.
            documents: (N, n, d) or (N, d), unit length.
            targets: of the N documents.

        Raises:
            ShapeError: they do not fit each other.
            InputError: no query of any process has teacher scores to learn from.
        """
        targets.check(queries, documents)
        found = pair_scores(queries, documents, targets.owner).float()
        if self.kind == "kl":
            each = self._divergences(found, targets, len(queries))
        else:
            each = _margin_errors(found, targets)
        number = number_of_all(each)
        if not number:
            wanted = "two documents" if self.kind == "kl" else "a relevant document and another"
            raise InputError(
                f"no query of this batch has {wanted} with teacher scores: give the data scores by a "
                "teacher, or leave distillation out"
            )
        return mean_of_all(each, number)

    def get_config_dict(self) -> dict[str, Any]:
        """Return the options, as shown in model cards."""
        config: dict[str, Any] = {"kind": self.kind}
        if self.kind == "kl":
            config |= {"temperature": self.temperature, "student_temperature": self.student_temperature}
        return config

    def _divergences(self, found: Tensor, targets: Targets, queries: int) -> Tensor:
        """Return a value for each query with two scored documents or more.

        Args:
            found: (N,) the model's scores.
        """
        teacher = targets.spread(targets.teacher.float(), queries)  # (B, N)
        several = (~teacher.isnan()).sum(1) > 1
        teacher, student = teacher[several], targets.spread(found, queries)[several]
        unscored = teacher.isnan()
        theirs = (teacher / self.temperature).masked_fill(unscored, -torch.inf).log_softmax(1)
        ours = (student / self.student_temperature).masked_fill(unscored, -torch.inf).log_softmax(1)
        differences = (theirs - ours).masked_fill(unscored, 0.0)
        return (theirs.exp() * differences).sum(1) * self.student_temperature**2


def _margin_errors(found: Tensor, targets: Targets) -> Tensor:
    """Return a squared error for each relevant document and each other of the same query.

    Args:
        found: (N,) the model's scores.
    """
    teacher = targets.teacher.float()
    scored, relevant = ~teacher.isnan(), targets.relevance > 0
    best, rest = (scored & relevant).nonzero()[:, 0], (scored & ~relevant).nonzero()[:, 0]
    first, second = (targets.owner[best][:, None] == targets.owner[rest]).nonzero(as_tuple=True)
    best, rest = best[first], rest[second]
    return ((found[best] - found[rest]) - (teacher[best] - teacher[rest])) ** 2


def _check_options(kind: str, *temperatures: float) -> None:
    if kind not in ("kl", "margin_mse"):
        raise InputError(f"unknown kind of distillation {kind!r}: expected 'kl' or 'margin_mse'")
    for temperature in temperatures:
        if not 0 < temperature < math.inf:
            raise InputError(f"a temperature is {temperature}: expected a finite number above 0")
    if kind == "margin_mse" and temperatures != (1.0, 1.0):
        raise InputError("margin_mse has no temperature: leave temperature out, or take kind 'kl'")
