"""How long ranking takes: every lane of a library of made-up units, timed in turn in one run.

    python benchmarks/speed/ranking.py --units 10000

Each round asks one fresh query of every lane and fuses them, so that all lanes meet the same state of a
shared machine; the table shows medians over the rounds. Vectors are random: an exact scan costs the same
whatever they hold. Words are drawn from 30,000 by Zipf's law, 150 words a unit, 6 a query.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.index.snapshot import TableSnapshot
from plait.schema import Filter, Passage, Unit
from plait.scoring.vectors import UnitVectors, VectorField
from plait.search.fusion import fuse

ITEMS = {"text": 3, "image": 1, "image_tokens": 1, "ret": 1}  # items a unit
FIELDS = (
    VectorField("text", 384, 1, "passage", "text"),
    VectorField("image", 256, 1, "figure", "image"),
    VectorField("image_tokens", 64, 16, "figure", "image"),
    VectorField("ret", 128, 32, "unit", "joint"),
)
random = np.random.default_rng(0)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--units", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=21)
    options.add_argument("--keep", type=Path, help="folder to keep the library in, and to use again")
    asked = options.parse_args()
    folder = asked.keep or Path(tempfile.mkdtemp())
    try:
        measure(folder, asked.units, asked.rounds)
    finally:
        if asked.keep is None:
            shutil.rmtree(folder)


def measure(folder: Path, units: int, rounds: int) -> None:
    if not folder.is_dir() or len(LanceIndex(folder, FIELDS).snapshot()) != units:
        took = seconds(lambda: fill(folder, units))
        print(f"added {units} units, 100 a commit: {took:.1f} s (making them up included)")
        took = seconds(lambda: LanceIndex(folder, FIELDS).optimize(keep_seconds=0))
        print(f"optimized in {took:.1f} s; {size_mb(folder):.0f} MB on disk")
    index = LanceIndex(folder, FIELDS)
    print(f"opened in {1000 * seconds(index.snapshot):.0f} ms")
    snapshot = index.snapshot()
    load = {"bm25": lambda: snapshot.bm25(["a"], [1.0])}
    load |= {field.name: lambda field=field: ask_field(snapshot, field) for field in FIELDS}
    loaded = {lane: 1000 * seconds(read) for lane, read in load.items()}
    print("first read of a lane, ms: " + ", ".join(f"{lane} {ms:.0f}" for lane, ms in loaded.items()))
    table(snapshot, rounds)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, {threads()}, {load_average()}"
    )


def table(snapshot: TableSnapshot, rounds: int) -> None:
    few = snapshot.mask([Filter("group", "=", 7)])
    assert few is not None
    lanes: dict[str, Callable[[], object]] = {
        "bm25": lambda: snapshot.bm25([words(6)], [1.0]),
        "text: 3 x 384": lambda: ask_field(snapshot, FIELDS[0]),
        "image: 256": lambda: ask_field(snapshot, FIELDS[1]),
        "image_tokens: 16 x 64": lambda: ask_field(snapshot, FIELDS[2]),
        "bm25 + text + image + image_tokens, fused": lambda: together(snapshot),
        "ret: 32 x 128": lambda: ask_field(snapshot, FIELDS[3]),
        f"ret, filtered to {few.mean():.0%}": lambda: ask_field(snapshot, FIELDS[3], few),
        "evaluating that filter": lambda: snapshot.mask([Filter("group", "=", 7)]),
        "reading 10 units": lambda: snapshot.units(random.integers(0, len(snapshot), 10).tolist()),
    }
    taken: dict[str, list[tuple[float, float]]] = {lane: [] for lane in lanes}
    for _ in range(rounds):
        for lane, ask in lanes.items():
            cpu = time.process_time()
            wall = seconds(ask)
            taken[lane].append((1000 * wall, 1000 * (time.process_time() - cpu)))
    print(f"\n| {len(snapshot)} units | median ms | slowest of {rounds} | median CPU ms |\n|---|---|---|---|")
    for lane, times in taken.items():
        walls, cpus = zip(*times, strict=True)
        print(
            f"| {lane} | {statistics.median(walls):.1f} | {max(walls):.1f} | {statistics.median(cpus):.1f} |"
        )
    print()


def together(snapshot: TableSnapshot) -> np.ndarray:
    lanes = {field.name: ask_field(snapshot, field) for field in FIELDS[:3]}
    return fuse({"bm25": snapshot.bm25([words(6)], [1.0]), **lanes}, method="zsum")


def ask_field(snapshot: TableSnapshot, field: VectorField, mask: np.ndarray | None = None) -> np.ndarray:
    return snapshot.field_scores(field.name, vectors(1, field), np.ones(1, np.float32), mask)


def fill(folder: Path, units: int) -> None:
    index = LanceIndex(folder, FIELDS)
    for first in range(0, units, 100):
        index.add([entry(number) for number in range(first, min(first + 100, units))])


def entry(number: int) -> Entry:
    name = f"d{number}"
    document = StoredDocument(name, f"Title {number}", f"{name}.html", {"group": number % 50}, "0" * 64)
    passages = tuple(Passage(words(50)) for _ in range(ITEMS["text"]))
    unit = Unit(f"{name}:0", name, 0, document.title, ("Chapter",), None, passages)
    return Entry(document, (unit,), (UnitVectors({f.name: vectors(ITEMS[f.name], f) for f in FIELDS}),))


def words(count: int) -> str:
    return " ".join(f"word{rank}x" for rank in np.minimum(random.zipf(1.2, count), 30_000))


def vectors(items: int, field: VectorField) -> np.ndarray:
    raw = random.standard_normal((items, field.tokens, field.width), dtype=np.float32)
    return raw / np.linalg.norm(raw, axis=2, keepdims=True)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def size_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def threads() -> str:
    return f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}"


def load_average() -> str:
    return f"load average {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
