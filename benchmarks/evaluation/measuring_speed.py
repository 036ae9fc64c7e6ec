"""How long scoring takes, apart from search: 10,000 queries with 100 hits each, by ours and by pytrec_eval.

    OMP_NUM_THREADS=1 python -m benchmarks.evaluation.measuring_speed [--write]

Five measures for each query; their means with 95 % intervals of 2,000 resamples, for four kinds of query and
all together; the run file read and written. Runs and judgements are drawn at random: of each query's four
relevant documents three are among its hits, and one hit in ten has the score of another. CPU seconds of one
process, the median of five rounds; in each round ours and pytrec_eval take turns.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytrec_eval

from benchmarks.measuring import described, keep_table, machine
from plait.data.collections.base import Collection, LabelledQuery
from plait.evaluation.evaluate import MEASURES, Answers, score
from plait.evaluation.measures import per_query
from plait.evaluation.runs import read_run, write_run
from plait.schema import Query

RESULTS = Path(__file__).parents[1] / "results"
SEED = 20261122
KINDS = ("text", "image", "text+image", "caption")
THEIRS = {"success.1,10", "recall.10", "ndcg_cut.10", "recip_rank"}  # what pytrec_eval calls MEASURES
DOCUMENTS = 100_000

DictRun = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to do, and the CPU seconds it took; None where pytrec_eval has no such thing."""

    what: str
    plait_seconds: float
    pytrec_eval_seconds: float | None = None


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--queries", type=int, default=10_000)
    options.add_argument("--hits", type=int, default=100)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--write", action="store_true", help="keep the table in results/")
    asked = options.parse_args()
    rows = measure(queries=asked.queries, hits=asked.hits, rounds=asked.rounds)
    table = to_markdown(rows, queries=asked.queries, hits=asked.hits)
    print(f"{table}\n\n{described(machine())}")
    if asked.write:
        sizes = {"queries": asked.queries, "hits": asked.hits, "rounds": asked.rounds, "seed": SEED}
        keep_table(rows, table, RESULTS / "evaluation-speed.json", **sizes)


def measure(*, queries: int, hits: int, rounds: int) -> list[Row]:
    """Return what each step took, the median of some rounds."""
    labels, run = drawn(queries=queries, hits=hits)
    qrels = {query: dict(grades) for query, grades in labels.qrels.items()}
    with tempfile.TemporaryDirectory(prefix="plait-evaluation-") as folder:
        file = Path(folder) / "a.run"
        steps: list[tuple[str, Callable[[], object], Callable[[], object] | None]] = [
            (
                "five measures of each query",
                lambda: per_query(run, qrels, MEASURES),
                lambda: pytrec_eval.RelevanceEvaluator(qrels, THEIRS).evaluate(run),
            ),
            ("the whole report, with intervals", lambda: score(Answers(run=dict(run)), labels), None),
            ("the run file written", lambda: write_run(file, run), None),
            ("the run file read", lambda: read_run(file), lambda: _theirs_read(file)),
        ]
        taken = [[_pair(ours, theirs) for _, ours, theirs in steps] for _ in range(rounds)]
    return [
        Row(
            what,
            statistics.median(one[place][0] for one in taken),
            None if theirs is None else statistics.median(one[place][1] for one in taken),
        )
        for place, (what, _, theirs) in enumerate(steps)
    ]


def drawn(*, queries: int, hits: int) -> tuple[Collection, DictRun]:
    """Return queries with judgements, and a run that answers each with so many hits."""
    rng = np.random.default_rng(SEED)
    run: DictRun = {}
    qrels: dict[str, dict[str, int]] = {}
    for number in range(queries):
        found = [f"document-{name}" for name in rng.choice(DOCUMENTS, hits + 1, replace=False)]
        scores = rng.random(hits).astype(np.float32)
        scores[: hits // 10] = scores[hits // 10 : 2 * (hits // 10)]
        run[f"q{number}"] = dict(zip(found, scores.tolist(), strict=False))
        relevant = [*rng.choice(found[:hits], 3, replace=False).tolist(), found[hits]]
        qrels[f"q{number}"] = dict(zip(relevant, rng.integers(1, 4, 4).tolist(), strict=True))
    asked = [LabelledQuery(name, Query.of("x"), KINDS[place % 4]) for place, name in enumerate(run)]
    return Collection("drawn", asked, qrels, lambda: iter(())), run


def to_markdown(rows: list[Row], *, queries: int, hits: int) -> str:
    """Return the results as a table."""
    lines = [
        f"| {queries:,} queries x {hits} hits, CPU seconds | plait | pytrec_eval |",
        "| --- | --- | --- |",
    ]
    for row in rows:
        theirs = "-" if row.pytrec_eval_seconds is None else f"{row.pytrec_eval_seconds:.2f}"
        lines.append(f"| {row.what} | {row.plait_seconds:.2f} | {theirs} |")
    return "\n".join(lines)


def _pair(ours: Callable[[], object], theirs: Callable[[], object] | None) -> tuple[float, float]:
    return _cpu_seconds(ours), 0.0 if theirs is None else _cpu_seconds(theirs)


def _cpu_seconds(work: Callable[[], object]) -> float:
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


def _theirs_read(file: Path) -> object:
    with file.open() as stream:
        return pytrec_eval.parse_run(stream)


if __name__ == "__main__":
    main()
