"""One vector a document: plait's scan beside LanceDB's IVF_RQ index, on the same made-up vectors.

    OMP_NUM_THREADS=1 python -m benchmarks.search.single --documents 100000 --width 768

A document is unit(topic + 0.7 noise), 1 topic of N / 100; a query unit(a document + 0.7 noise). Recall@10 is
against exact float32. Wall time, asked in turns: first one engine, then the other, for each query.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import IvfRq
from numpy.typing import NDArray

from benchmarks.measuring import described, machine
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.index.snapshot import TableSnapshot
from plait.schema import Unit
from plait.scoring.vectors import UnitVectors, VectorField
from plait.search.vectors import nearest

Vectors = NDArray[np.float32]
_AT_ONCE = 2000
_SETTINGS = ((8, 10), (20, 10), (64, 20), (128, 40))  # probes, refine


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--documents", type=int, default=100_000)
    options.add_argument("--width", type=int, default=768)
    options.add_argument("--queries", type=int, default=100)
    asked = options.parse_args()
    documents, queries = made(asked.documents, asked.width, asked.queries)
    truth = [set(np.argsort(-(documents @ query))[:10].tolist()) for query in queries]
    folder = Path(mkdtemp(dir="."))
    try:
        snapshot = of_plait(folder, documents)
        table = of_lance(folder, documents)
        compare(snapshot, table, queries, truth)
    finally:
        shutil.rmtree(folder)
    print(described(machine()))


def made(documents: int, width: int, queries: int) -> tuple[Vectors, Vectors]:
    """Return (documents, width) and (queries, width), unit length; seed 0."""
    rng = np.random.default_rng(0)
    topics = unit(rng.standard_normal((max(200, documents // 100), width)))
    every = np.empty((documents, width), np.float32)
    for first in range(0, documents, _AT_ONCE):
        some = every[first : first + _AT_ONCE]
        noise = unit(rng.standard_normal(some.shape))
        some[:] = unit(topics[rng.integers(len(topics), size=len(some))] + 0.7 * noise)
    chosen = every[rng.choice(documents, queries, replace=False)]
    return every, unit(chosen + 0.7 * unit(rng.standard_normal(chosen.shape)))


def unit(vectors: NDArray[Any]) -> Vectors:
    lengths: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return lengths


def of_plait(folder: Path, documents: Vectors) -> TableSnapshot:
    """Store the documents as a library does, and open them."""
    field = VectorField("dense", documents.shape[1], 1, "unit", "joint")
    index = LanceIndex(folder / "plait", [field])
    started = time.perf_counter()
    for first in range(0, len(documents), _AT_ONCE):
        some = documents[first : first + _AT_ONCE]
        index.add([entry(first + place, vector) for place, vector in enumerate(some)])
    index.optimize()
    print(f"plait built in {time.perf_counter() - started:.0f} s")
    return index.snapshot()


def entry(number: int, vector: Vectors) -> Entry:
    name = f"{number:07}"
    document = StoredDocument(name, name, name, {}, "")
    return Entry(document, (Unit(f"{name}:0", name, 0, name),), (UnitVectors({"dense": vector[None, None]}),))


def of_lance(folder: Path, documents: Vectors) -> Any:
    """Store the documents in a table with an IVF_RQ index."""
    started = time.perf_counter()
    values = pa.FixedSizeListArray.from_arrays(pa.array(documents.reshape(-1)), documents.shape[1])
    rows = pa.table({"row": np.arange(len(documents)), "vectors": values})
    table = lancedb.connect(folder / "lance").create_table("documents", rows)
    table.create_index("vectors", config=IvfRq(distance_type="cosine"))
    print(f"LanceDB built in {time.perf_counter() - started:.0f} s")
    return table


def compare(snapshot: TableSnapshot, table: Any, queries: Vectors, truth: list[set[int]]) -> None:
    """Print recall and time of each setting, asked in turns."""
    ways = {
        **{f"plait, recall {r}": lambda q, r=r: of_nearest(snapshot, q, r) for r in (0.9, 0.99)},
        **{
            f"IVF_RQ, {p} probes, refine {r}": lambda q, p=p, r=r: probed(table, q, p, r)
            for p, r in _SETTINGS
        },
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    shares: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(queries[0])  # opens what is opened once
    for query, best in zip(queries, truth, strict=True):
        for name, way in ways.items():
            started = time.perf_counter()
            found = way(query)
            seconds[name].append(time.perf_counter() - started)
            shares[name].append(len(best & set(found)) / 10)
    for name in ways:
        p50, p95 = np.percentile(seconds[name], [50, 95]) * 1e3
        print(f"{name:32} recall {np.mean(shares[name]):.3f}  p50 {p50:6.1f} ms  p95 {p95:6.1f} ms")


def of_nearest(snapshot: TableSnapshot, query: Vectors, recall: float) -> list[int]:
    rows: list[int] = nearest(snapshot, "dense", query[None, None], recall=recall).rows.tolist()
    return rows


def probed(table: Any, query: Vectors, probes: int, refine: int) -> list[int]:
    search = table.search(query, vector_column_name="vectors").distance_type("cosine").limit(10)
    found = search.nprobes(probes).refine_factor(refine).select(["row", "_distance"]).to_arrow()
    rows: list[int] = found["row"].to_pylist()
    return rows


if __name__ == "__main__":
    main()
