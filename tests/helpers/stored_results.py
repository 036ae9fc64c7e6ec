"""Result folders made of runs that are written by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from plait.data.collections.base import Collection, LabelledQuery
from plait.evaluation.evaluate import Answers, score
from plait.evaluation.manifest import manifest_of
from plait.evaluation.stored import Asked, Evaluation, save
from plait.schema import Document, Qrels, Query, Run

MEASURES = ("success@1", "ndcg@10", "mrr")


def asking(kinds: Mapping[str, str]) -> list[LabelledQuery]:
    """Return a query for each id and kind; its words are its id."""
    return [LabelledQuery(name, Query.of(name), kind) for name, kind in kinds.items()]


def stored_result(
    folder: Path,
    runs: Mapping[str, Run],
    *,
    queries: Sequence[LabelledQuery],
    qrels: Qrels,
    measures: Sequence[str] = MEASURES,
    collection: str = "bench",
    fingerprint: str = "f1",
    unasked: Mapping[str, Set[str]] | None = None,
    **manifest: Any,
) -> Path:
    """Write a result folder of systems that answered like this, and return it.

    Args:
        runs: system -> its run; the first is the model under evaluation.
        unasked: system -> the queries that it is not made for.
        manifest: "options" and "seed", where they are others.
    """

    def none() -> Iterator[Document]:
        return iter(())

    labels = Collection(collection, queries, qrels, none)
    seed = manifest.get("seed", 0)
    answers = {
        name: Answers(dict(run), unasked=set((unasked or {}).get(name, ()))) for name, run in runs.items()
    }
    evaluation = Evaluation(
        collection=collection,
        systems={name: score(given, labels, measures=measures, seed=seed) for name, given in answers.items()},
        queries=[Asked.of(query) for query in labels.judged()],
        qrels=qrels,
        manifest=manifest_of(
            collection,
            fingerprint,
            model=next(iter(runs)),
            model_fingerprint="m",
            options=manifest.get("options", {"k": 100}),
            seed=seed,
            seconds=1.0,
        ),
    )
    return save(evaluation, folder, force=True)
