"""Held-out queries asked during training: every document is scored, none is left to an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.evaluation import BaseEvaluator
from torch import Tensor

from plait.data.training.examples import Side
from plait.errors import InputError
from plait.evaluation.measures import Measure, per_query
from plait.schema import Qrels
from plait.scoring.dense import inner_products
from plait.scoring.maxsim import maxsim

_DEPTH = 100  # documents of an answer that measures see
_SIMILARITIES = 2**24  # held at a time, 64 MB


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Queries, the documents they are asked over, and which of these answer them.

    Attributes:
        queries, documents: by id.
        qrels: query id -> document id -> grade above 0; every query has one.
    """

    queries: Mapping[str, Side]
    documents: Mapping[str, Side]
    qrels: Qrels


class RetrievalEvaluator(BaseEvaluator):  # type: ignore[misc]  # sentence-transformers is not typed
    """Ask held-out queries by exact MaxSim or inner product, and measure the answers.

    Gives "validation_MEASURE", the mean over all queries; where there are several kinds of queries
    ("text", "image", "both") also "validation_KIND_MEASURE", and "validation_macro_MEASURE", the mean of
    the kinds. All lie in [0, 1], higher is better.

    Args:
        held_out: what is asked.
        metric: the one that decides which model is best.
        measures: of `plait.evaluation.measures`.
        batch_size: inputs encoded at a time.

    Raises:
        InputError: no query, an unknown measure, or a metric that is not among those given.
    """

    def __init__(
        self, held_out: HeldOut, *, metric: str, measures: Sequence[str], batch_size: int = 32
    ) -> None:
        super().__init__()
        if not held_out.queries:
            raise InputError("validation holds no query: give more data, or a larger share of it")
        for name in measures:
            Measure.parse(name)
        self.held_out, self.measures, self.batch_size = held_out, tuple(measures), batch_size
        self.kinds = {name: _kind(query) for name, query in held_out.queries.items()}
        self.primary_metric = metric
        if metric not in self.metrics:
            raise InputError(
                f"evaluation.metric {metric!r} is not measured: use one of {', '.join(self.metrics)}"
            )

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics given."""
        groups = ["", *(f"{group}_" for group in self._groups())]
        return [f"validation_{group}{measure}" for group in groups for measure in self.measures]

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        """Return the value of every metric.

        Args:
            output_path, epoch, steps: not used: nothing is written.
        """
        values = per_query(self._run(model), self.held_out.qrels, self.measures)
        means = {}
        for measure, of_query in values.items():
            means[f"validation_{measure}"] = _mean(of_query.values())
            by_kind = {
                kind: _mean(value for query, value in of_query.items() if self.kinds[query] == kind)
                for kind in self._groups()
                if kind != "macro"
            }
            means |= {f"validation_{kind}_{measure}": value for kind, value in by_kind.items()}
            if by_kind:
                means[f"validation_macro_{measure}"] = _mean(by_kind.values())
        return means

    def _groups(self) -> list[str]:
        kinds = [kind for kind in ("text", "image", "both") if kind in self.kinds.values()]
        return [*kinds, "macro"] if len(kinds) > 1 else []

    def _run(self, model: Any) -> dict[str, dict[str, float]]:
        """Return query id -> document id -> score, of the best documents only."""
        names = list(self.held_out.documents)
        documents = self._encoded(model.encode_document, self.held_out.documents)
        queries = self._encoded(model.encode_query, self.held_out.queries)
        several = isinstance(model, MultiVectorEncoder)
        best, which = _best(queries, documents, several=several, count=min(_DEPTH, len(names)))
        rows = zip(self.held_out.queries, best.tolist(), which.tolist(), strict=True)
        return {
            query: {names[place]: score for place, score in zip(places, scores, strict=True)}
            for query, scores, places in rows
        }

    def _encoded(self, encode: Any, sides: Mapping[str, Side]) -> list[Tensor]:
        inputs = [_input(side) for side in sides.values()]
        vectors = encode(inputs, batch_size=self.batch_size, convert_to_numpy=False, show_progress_bar=False)
        return [one.float() for one in vectors]


def held_out_of(rows: Sequence[Mapping[str, Any]]) -> HeldOut:
    """Return what rows of a training data set ask.

    Documents are those of all rows, hard negatives included, each once; a query is answered by its own
    row's, and by those of rows with its label.

    Args:
        rows: with the columns that `plait.train.data` writes.
    """
    sides = {_content(document): None for row in rows for document in row["documents"]}
    # By their content, so that documents in equal places are in no way in the order of their queries.
    ids = {side: f"d{k:08}" for k, side in enumerate(sorted(sides, key=lambda side: (side.text, side.image)))}
    of_label: dict[str, dict[str, float]] = {}
    own: list[dict[str, float]] = []
    for row in rows:
        grades = row["grades"] or [1.0, *(0.0 for _ in row["documents"][1:])]
        answers = {
            ids[_content(document)]: grade
            for document, grade in zip(row["documents"], grades, strict=True)
            if grade > 0
        }
        own.append(answers)
        if row["label"]:
            of_label[row["label"]] = of_label.get(row["label"], {}) | answers
    queries = {f"q{k:08}": _content(row["query"]) for k, row in enumerate(rows)}
    qrels = {
        name: of_label.get(row["label"], {}) | answers
        for name, row, answers in zip(queries, rows, own, strict=True)
    }
    documents = {name: side for side, name in ids.items()}
    return HeldOut(queries, documents, cast(Qrels, qrels))  # whose grades may be any number here


def _best(
    queries: list[Tensor], documents: list[Tensor], *, several: bool, count: int
) -> tuple[Tensor, Tensor]:
    """Return (Q, count) the highest scores of each query, and the places of their documents."""
    found, places = [], []
    block = max(1, _SIMILARITIES // max(1, sum(len(one) if several else 1 for one in documents)))
    shared, mask = _padded(documents) if several else (torch.stack(documents), None)
    at_once = max(1, block // max(len(one) for one in queries)) if several else block
    for start in range(0, len(queries), at_once):
        asked = queries[start : start + at_once]
        scores = (
            maxsim(_padded(asked)[0], shared, mask) if several else inner_products(torch.stack(asked), shared)
        )
        best, place = scores.topk(count, dim=1)
        found.append(best.cpu())
        places.append(place.cpu())
    return torch.cat(found), torch.cat(places)


def _padded(vectors: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return (N, n, d) token vectors, zeros at padding, and their (N, n) mask."""
    padded = torch.nn.utils.rnn.pad_sequence(vectors, batch_first=True)
    lengths = torch.tensor([len(one) for one in vectors], device=padded.device)
    return padded, torch.arange(padded.shape[1], device=padded.device)[None, :] < lengths[:, None]


def _content(side: Mapping[str, Any]) -> Side:
    return Side(side["text"] or "", side["image"] or "")


def _input(side: Side) -> dict[str, str]:
    parts = {"text": side.text, "image": side.image}
    return {name: value for name, value in parts.items() if value.strip()}


def _kind(query: Side) -> str:
    if query.text.strip() and query.image:
        return "both"
    return "image" if query.image else "text"


def _mean(values: Any) -> float:
    listed = list(values)
    return float(sum(listed) / len(listed))
