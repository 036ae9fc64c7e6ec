"""What the approximate search of published figures finds of what is exactly right, and what it takes.

    python -m benchmarks.search.real --documents 12000 --queries 1000
    python -m benchmarks.evaluation.plaid [--documents 12000] [--queries 300] [--write]

Real vectors of a ReT model trained here, 32 of 128 numbers an item. The search's width depends on how many
hits are asked for, so a figure at 10 depends on whether 10 or 500 were.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.measuring import keep_table
from plait.encode.side_vectors import WHOLE, Vectors
from plait.evaluation.pool.plaid import Plaid
from plait.evaluation.pool.searching import top
from plait.evaluation.pool.vector_lane import VectorLane

VECTORS = Path.home() / ".cache" / "plait-benchmarks" / "ret-vectors"
RESULTS = Path(__file__).parents[1] / "results"
ASKED_FOR = (10, 100, 500)


@dataclass(frozen=True, slots=True)
class Row:
    """A search: how good its ten best are, and of the exact ones how many it finds.

    Attributes:
        success: share of queries whose unit is among the first 10.
        best, ten: share of the exact best, and of the exact ten best, among what was found.
        all: share of the exact best k among the k that were found.
        cpu_ms: a query.
    """

    name: str
    k: int
    success: float
    best: float
    ten: float
    all: float
    cpu_ms: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--documents", type=int, default=12_000)
    options.add_argument("--queries", type=int, default=300)
    options.add_argument("--vectors", type=Path, default=VECTORS, help="default: %(default)s")
    options.add_argument("--write", action="store_true", help="keep results/evaluation-plaid.json and .md")
    asked = options.parse_args()
    torch.set_num_threads(1)
    documents = _store(np.load(asked.vectors / "documents.npy", mmap_mode="r")[: asked.documents])
    queries = _store(np.load(asked.vectors / "queries.npy")[: asked.queries])
    lines = (asked.vectors / "queries.jsonl").read_text(encoding="utf-8").splitlines()[: len(queries)]
    rows = measured(queries, documents, np.array([json.loads(line)["row"] for line in lines]))
    table = to_markdown(rows, len(queries), len(documents))
    print(table)
    if asked.write:
        file = RESULTS / "evaluation-plaid.json"
        keep_table(rows, table, file, documents=len(documents), queries=len(queries), seed=0)


def measured(queries: Vectors, documents: Vectors, right: np.ndarray) -> list[Row]:
    """Return exact search, then the approximate one for several numbers of hits.

    Args:
        right: (Q,) the document that each query was made of.
    """
    lane, every = VectorLane("ret", queries, [documents]), np.arange(len(queries))
    began = time.process_time()
    exact = top(lane, every, k=max(ASKED_FOR)).places
    rows = [_row("exact", max(ASKED_FOR), exact, exact, right, time.process_time() - began)]
    began = time.process_time()
    plaid = Plaid([documents], seed=0)
    print(f"{len(plaid.centroids)} clusters in {time.process_time() - began:.0f} CPU-s", flush=True)
    for k in ASKED_FOR:
        began = time.process_time()
        found = plaid.top(lane, lambda query: queries.of(query).astype(np.float32), every, k=k)
        places = np.where(np.isneginf(found.scores), -1, found.places)
        rows.append(_row("PLAID", k, places, exact, right, time.process_time() - began))
    return rows


def to_markdown(rows: list[Row], queries: int, documents: int) -> str:
    """Return the rows as a table."""
    lines = [
        f"# Approximate search as PLAID: {documents:,} documents, {queries} queries, seed 0",
        "",
        "| search | hits asked for | success@10 | exact best | of the exact ten | of the exact k | CPU-ms |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {r.name} | {r.k} | {100 * r.success:.1f} | {100 * r.best:.1f} | {100 * r.ten:.1f} | "
        f"{100 * r.all:.1f} | {r.cpu_ms:.0f} |"
        for r in rows
    ]
    return "\n".join(lines)


def _row(name: str, k: int, found: np.ndarray, exact: np.ndarray, right: np.ndarray, seconds: float) -> Row:
    def share(count: int) -> float:
        pairs = zip(found, exact, strict=True)
        return float(np.mean([len(np.intersect1d(some, every[:count])) / count for some, every in pairs]))

    success = float((found[:, :10] == right[:, None]).any(1).mean())
    return Row(name, k, success, share(1), share(10), share(k), 1000 * seconds / len(found))


def _store(vectors: np.ndarray) -> Vectors:
    """Return (n, tokens, width) vectors as they lie on disk."""
    count, tokens, width = vectors.shape
    numbers = np.asarray(vectors, np.float16).reshape(-1, width)
    starts = np.arange(count + 1, dtype=np.int64) * tokens
    return Vectors(numbers, starts, np.full(count, WHOLE, np.int32), np.zeros(count, np.uint64))


if __name__ == "__main__":
    main()
