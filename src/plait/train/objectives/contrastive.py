"""Contrast: a query's relevant documents must outscore those of all other queries, of every process."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from plait.errors import InputError
from plait.scoring.contrastive import gather
from plait.train.objectives.false_negatives import Bars, best_relevant, false_negatives
from plait.train.objectives.processes import mean_of_all
from plait.train.objectives.scores import scores
from plait.train.objectives.targets import Gathered, Targets

LEARNED_TEMPERATURES = (0.01, 100.0)  # between which a learned temperature is kept

_ALL = slice(None)


class Contrastive(nn.Module):
    """Soft cross entropy of every query's scores over the documents of all processes.

        S_kj = MaxSim of query k and document j for token vectors, inner product for single vectors
        R_kj = relevance of document j to query k: its grade if it is k's own, else the highest grade of
               k's documents about the same entity, else 0
        T_kj = R_kj / sum_j R_kj        U_kj = R_kj / sum_k R_kj
        loss = - mean over k  of  sum_j  T_kj  log softmax_j(S_kj / temperature)

    `symmetric` averages that with

        - mean over j in D  of  sum_k  U_kj  log softmax_k(S_kj / temperature)

    where D are the documents relevant to any query: hard negatives have no query to find.

    Needs: `owner`, `entity` and `relevance` of the targets, one relevant document a query at least. All
    documents that are not relevant are negatives: other queries', and a query's own with grade 0 (hard
    negatives). Pair it with a large batch, of GradCache if need be.

    Over processes: softmaxes and means are over the queries and documents of all, gradients flow back to
    the process that holds a row, and losses averaged over processes, as data-parallel training averages
    gradients, are the loss of one process that holds everything. Processes may hold unlike many.

    Equals `late_interaction_loss` and `single_vector_loss` with scale 1 / temperature, with one document
    of grade 1 a query and the entity as label, where processes hold equally many queries: so, with
    temperature 1, ReT's own loss. With distinct entities and as many documents for each query, of which
    one is relevant, the multiple-negatives ranking loss of sentence-transformers; `symmetric`, that with
    the directions "query_to_doc" and "doc_to_query", each on its own.

    Source: Khattab & Zaharia, ColBERT (arXiv 2004.12832); Caffagni et al., ReT (arXiv 2503.01980); false
    negatives: Solatorio, GISTEmbed (arXiv 2402.16829); symmetry and learned temperature: Radford et al.,
    CLIP (arXiv 2103.00020).

    Args:
        symmetric: documents must find their queries too.
        temperature: divides the scores, above 0; ReT trains with 1. With MaxSim, scores grow with the
            number of a query's tokens.
        learn_temperature: train its logarithm, the parameter `log_temperature`, from there. Before each
            use it is set back into LEARNED_TEMPERATURES. Weight decay would pull it to 1.
        false_negative_margin: a document that is not relevant but scores higher for a query than its best
            relevant one less this margin may be relevant after all, and leaves both softmaxes of the two.
            The teacher's scores decide where both documents have them, else the model's own, which say
            little before it has learned something. In units of the scores that decide. None: none leave.
        gather: compare with the documents of all processes. Otherwise each is on its own.

    Raises:
        InputError: a temperature or margin out of range.
    """

    def __init__(
        self,
        *,
        symmetric: bool = False,
        temperature: float = 1.0,
        learn_temperature: bool = False,
        false_negative_margin: float | None = None,
        gather: bool = True,
    ) -> None:
        super().__init__()
        _check_options(temperature, learn_temperature, false_negative_margin)
        self.symmetric = symmetric
        self.false_negative_margin = false_negative_margin
        self.gather = gather
        self._fixed_temperature = temperature
        self.log_temperature = (
            nn.Parameter(torch.tensor(math.log(temperature))) if learn_temperature else None
        )

    def forward(self, queries: Tensor, documents: Tensor, targets: Targets) -> Tensor:
        """Return the loss, a scalar.

        Args:
            queries: (B, q, d) or (B, d), unit length.
            documents: (N, n, d) or (N, d), unit length.
            targets: of the N documents.

        Raises:
            ShapeError: they do not fit each other.
            InputError: a query has no relevant document.
        """
        targets.check(queries, documents)
        batch = self._batch(queries, documents, targets)
        found = scores(queries, batch.documents)  # (B, N) of own queries and all documents
        bars = self._bars(found, batch)
        asked = self._cross_entropy(found, batch.view(rows=batch.own_queries), bars, dim=1)
        loss = self._mean(asked, len(batch.relevance))
        if not self.symmetric:
            return loss
        finding = found if batch.queries is queries else scores(batch.queries, documents)  # (Q, own)
        answered = self._cross_entropy(finding, batch.view(columns=batch.own_documents), bars, dim=0)
        answers = int((batch.relevance > 0).any(0).sum())  # hard negatives have no query to find
        return (loss + self._mean(answered, answers)) / 2

    @property
    def temperature(self) -> float:
        """What divides the scores now."""
        if self.log_temperature is None:
            return self._fixed_temperature
        return float(self.log_temperature.detach().exp())

    def get_config_dict(self) -> dict[str, Any]:
        """Return the options, as shown in model cards."""
        return {
            "symmetric": self.symmetric,
            "temperature": self.temperature,
            "learn_temperature": self.log_temperature is not None,
            "false_negative_margin": self.false_negative_margin,
            "gather": self.gather,
        }

    def _batch(self, queries: Tensor, documents: Tensor, targets: Targets) -> _Batch:
        """Return what is compared: of all processes, or of this one alone.

        Raises:
            InputError: a query has no relevant document; on all processes alike, lest one wait for another.
        """
        if self.gather:
            everyone = targets.gathered(len(queries))
            documents = gather(documents)[1]
            queries = gather(queries)[1] if self.symmetric else queries
        else:
            everyone = Gathered(targets, len(queries), slice(len(queries)), slice(len(documents)))
        relevance = everyone.targets.grades(everyone.queries)
        _check_answered(relevance)
        teacher = None
        if self.false_negative_margin is not None:
            teacher = everyone.targets.spread(everyone.targets.teacher, everyone.queries)
        return _Batch(queries, documents, relevance, teacher, everyone.own_queries, everyone.own_documents)

    def _bars(self, found: Tensor, batch: _Batch) -> Bars | None:
        """Return the bars of all processes' queries, if there is a margin.

        Args:
            found: (B, N) scores.
        """
        if self.false_negative_margin is None or batch.teacher is None:
            return None
        best = best_relevant(found, batch.relevance[batch.own_queries])
        best = gather(best)[1] if self.gather else best
        margin = self.false_negative_margin
        return Bars(best - margin, best_relevant(batch.teacher, batch.relevance) - margin)

    def _cross_entropy(self, found: Tensor, view: _View, bars: Bars | None, *, dim: int) -> Tensor:
        """Return the soft cross entropy of each row (dim 1) or column (dim 0), 0 where nothing is relevant.

        In float32, where half precision would lose the small masses.

        Args:
            found: (rows, columns) scores.
        """
        total = view.relevance.sum(dim, keepdim=True)
        mass = torch.where(total > 0, view.relevance / total, 0.0)
        logits = found.float() * self._scale()
        if bars is None or view.teacher is None:
            return -(mass * logits.log_softmax(dim)).sum(dim)
        suspects = false_negatives(found, view.teacher, view.relevance, bars.of(view.rows))
        kept = logits.masked_fill(suspects, -torch.inf).log_softmax(dim)
        return -(mass * kept.masked_fill(suspects, 0.0)).sum(dim)

    def _scale(self) -> Tensor | float:
        if self.log_temperature is None:
            return 1 / self._fixed_temperature
        lowest, highest = map(math.log, LEARNED_TEMPERATURES)
        self.log_temperature.data.clamp_(lowest, highest)  # not what is computed of it: gradients would end
        return (-self.log_temperature).exp()

    def _mean(self, values: Tensor, number: int) -> Tensor:
        return mean_of_all(values, number) if self.gather else values.sum() / number


@dataclass(frozen=True, slots=True)
class _View:
    """What is known of some queries (rows) and some documents (columns).

    Attributes:
        relevance: (rows, columns).
        teacher: (rows, columns), NaN where there is no score; None if none is asked for.
        rows: which of all queries they are.
    """

    relevance: Tensor
    teacher: Tensor | None
    rows: slice


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is compared.

    Attributes:
        queries: of all processes if they are gathered, else own ones.
        documents: (N, ...) of all processes.
        relevance, teacher: (Q, N) as of a view.
        own_queries, own_documents: where this process's are among them.
    """

    queries: Tensor
    documents: Tensor
    relevance: Tensor
    teacher: Tensor | None
    own_queries: slice
    own_documents: slice

    def view(self, *, rows: slice = _ALL, columns: slice = _ALL) -> _View:
        teacher = None if self.teacher is None else self.teacher[rows, columns]
        return _View(self.relevance[rows, columns], teacher, rows)


def _check_answered(relevance: Tensor) -> None:
    without = ~(relevance > 0).any(1)
    if without.any():
        raise InputError(
            f"{int(without.sum())} of {len(relevance)} queries have no relevant document, the first is "
            f"{int(without.nonzero()[0])}: give each query one with a grade above 0"
        )


def _check_options(temperature: float, learned: bool, margin: float | None) -> None:
    lowest, highest = LEARNED_TEMPERATURES if learned else (0.0, math.inf)
    if not (0 < temperature < math.inf and lowest <= temperature <= highest):
        expected = f"{lowest} to {highest} where it is learned" if learned else "a finite number above 0"
        raise InputError(f"temperature is {temperature}: expected {expected}")
    if margin is not None and not math.isfinite(margin):
        raise InputError(f"false_negative_margin is {margin}: expected a finite number, or None")
