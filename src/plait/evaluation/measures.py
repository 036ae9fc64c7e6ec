"""Success, recall, reciprocal rank and nDCG of each query, equal to trec_eval's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Literal, cast

import numpy as np

from plait.errors import InputError
from plait.schema import Qrels, Run

PerQuery = dict[str, dict[str, float]]  # measure -> query id -> value

Kind = Literal["success", "recall", "ndcg", "mrr"]
_NAME = re.compile(r"(success|recall|ndcg|mrr)(?:@([1-9]\d*))?")


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure; every value lies in [0, 1], higher is better.

    Attributes:
        kind: "success", 1 if any of the first k is relevant (what M-BEIR and M2KR print as Recall@K);
            "recall", the share of the relevant documents found in the first k; "mrr", 1 / rank of the
            first relevant document, 0 if there is none; "ndcg", discounted gain of the first k over
            that of the best order.
        k: how many documents count; None counts all.

    Source: of nDCG, Järvelin & Kekäläinen (TOIS 2002), with the grade itself as gain as in trec_eval.
    """

    kind: Kind
    k: int | None = None

    @classmethod
    def parse(cls, name: str) -> Measure:
        """Return the measure of a name: "success@1", "recall@10", "ndcg@10", "mrr", "mrr@10".

        Raises:
            InputError: there is no such measure; success needs a k.
        """
        match = _NAME.fullmatch(name)
        if match is None or (match[1] == "success" and match[2] is None):
            raise InputError(
                f"unknown measure {name!r}: expected success@K, recall@K, ndcg@K or mrr, such as success@10"
            )
        return cls(cast(Kind, match[1]), int(match[2]) if match[2] else None)

    def value(self, found: Sequence[int], ideal: Sequence[int]) -> float:
        """Return the value for one query.

        Args:
            found: grade of each ranked document, best first; 0 or less where it is not relevant.
            ideal: the grades above 0 of all relevant documents, highest first.
        """
        first = found[: self.k]
        if not ideal:
            return 0.0
        if self.kind == "success":
            return float(any(grade > 0 for grade in first))
        if self.kind == "recall":
            return sum(grade > 0 for grade in first) / len(ideal)
        if self.kind == "mrr":
            return next((1 / rank for rank, grade in enumerate(first, 1) if grade > 0), 0.0)
        return _gain(first) / _gain(ideal[: self.k])


def per_query(run: Run, qrels: Qrels, measures: Sequence[str]) -> PerQuery:
    """Return measure -> query id -> value for every query of `qrels`, in its order.

    A query that the run does not answer, and one without a relevant document, has 0 everywhere, as under
    trec_eval's option -c; queries that only the run has are left out. A grade below 0 counts as 0.

    Raises:
        InputError: an unknown measure, or a score that is not a finite number.
    """
    parsed = {name: Measure.parse(name) for name in measures}
    values: PerQuery = {name: {} for name in parsed}
    for query, grades in qrels.items():
        found = [grades.get(document, 0) for document in ranking(run.get(query, {}), query=query)]
        ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
        for name, measure in parsed.items():
            values[name][query] = measure.value(found, ideal)
    return values


def ranking(scores: Mapping[str, float], *, query: str = "") -> list[str]:
    """Return document ids, best first, in trec_eval's order.

    Scores are compared in single precision, and of equal scores the greater id comes first, so that no
    order of the caller's can flatter a run.

    Args:
        query: its id, for the error.

    Raises:
        InputError: a score that is not a finite number.
    """
    double = np.fromiter(scores.values(), np.float64, len(scores))
    if not np.isfinite(double).all():
        document, score = next(one for one in scores.items() if not np.isfinite(one[1]))
        raise InputError(
            f"query {query!r} gives document {document!r} the score {score}: expected a finite number; "
            "leave out what has no score"
        )
    with np.errstate(over="ignore"):
        single = double.astype(np.float32)
    return [document for _, document in sorted(zip(single.tolist(), scores, strict=True), reverse=True)]


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / log2(rank + 1) for rank, grade in enumerate(grades, 1) if grade > 0)
