"""One engine in this process, on one core: builds its index, or opens it and asks it; `run.py` starts these.

    python -m benchmarks.search.worker '{"do": "build", "engine": ..., "collection": FOLDER, "store": FOLDER}'

Runs in the engine's own environment, where only NumPy is sure to be there. Prints what it found as JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.collection import Collection, K

WARM_UP = 5  # queries of each setting that are not counted


def main() -> None:
    asked = json.loads(sys.argv[1])
    _one_core()
    engine = import_module(f"benchmarks.search.engines.{asked['engine']}")
    data, store = Collection(Path(asked["collection"])), Path(asked["store"])
    print(json.dumps(_DO[asked["do"]](engine, data, store, asked)))


def build(engine: Any, data: Collection, store: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what making the index takes, from vectors in a file to an index on disk."""
    before, started, cpu = memory(), time.perf_counter(), time.process_time()
    engine.build(store, data)
    taken = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
    return {**taken, "before": before, "after": memory(), "bytes": bytes_in(store)}


def ask(engine: Any, data: Collection, store: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what opening takes, each setting's times and findings, and the memory held at the end."""
    queries, wanted = np.array(data.queries), data.wanted.tolist()
    read_once(store, getattr(engine, "READ", "**/*"))
    before, started = memory(), time.perf_counter()
    opened = engine.Opened(store)
    open_seconds = time.perf_counter() - started
    opened.nearest(queries[0], K, None, engine.SETTINGS[0])
    found = {
        "open_seconds": open_seconds,
        "first_answer_seconds": time.perf_counter() - started,
        "before": before,
        "opened": memory(),
    }
    settings = []
    for setting in engine.SETTINGS:
        for groups in ([None] * len(queries), wanted):
            rows = timed(opened, queries, groups, setting, asked["limit_seconds"])
            held = {"memory": memory()}
            settings.append({"setting": setting, "filtered": groups is wanted, **rows, **held})
    return {**found, "after": memory(), "settings": settings}


def add(engine: Any, data: Collection, store: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what adding 1,000 documents takes until one of them is found; the index stays as it was."""
    opened = engine.Opened(store)
    opened.nearest(np.array(data.queries[0]), K, None, engine.SETTINGS[0])
    added = np.array(data.added)
    cpu = time.process_time()
    seconds, more = engine.add(opened, added)
    return {"seconds": seconds, "cpu_seconds": time.process_time() - cpu, "after": memory(), **more}


_DO: dict[str, Callable[[Any, Collection, Path, dict[str, Any]], dict[str, Any]]] = {
    "build": build,
    "ask": ask,
    "add": add,
}


def timed(
    opened: Any, queries: Any, groups: list[int | None], setting: dict[str, Any], limit_seconds: float
) -> dict[str, Any]:
    """Return the times of all queries and the documents found, or how long it would have taken."""
    trial = [_clock(opened, queries[one], groups[one], setting)[0] for one in range(WARM_UP)]
    expected = statistics.median(trial) * len(queries)
    if expected > limit_seconds:
        return {"left_out_seconds": expected}
    cpu = time.process_time()
    answers = [_clock(opened, query, group, setting) for query, group in zip(queries, groups, strict=True)]
    cpu = time.process_time() - cpu
    walls = [1000 * wall for wall, _, _ in answers]
    return {
        "p50_ms": float(np.percentile(walls, 50)),
        "p95_ms": float(np.percentile(walls, 95)),
        "cpu_ms": 1000 * cpu / len(walls),
        "found": [rows for _, rows, _ in answers],
        "details": [more for _, _, more in answers if more],
    }


def _clock(
    opened: Any, query: Any, group: int | None, setting: dict[str, Any]
) -> tuple[float, list[int], dict[str, float]]:
    started = time.perf_counter()
    rows, more = opened.nearest(query, K, group, setting)
    return time.perf_counter() - started, [int(row) for row in rows], more


def read_once(store: Path, pattern: str) -> None:
    """Read files from end to end, so that the system's cache holds what fits and no disk is measured."""
    for path in sorted(store.glob(pattern)):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 24):
                    pass


def memory() -> dict[str, float]:
    """Return this process's resident memory in MB: anonymous, of files, and the most there ever was."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    kept = dict(line.split(":", 1) for line in lines)
    names = {"anonymous_mb": "RssAnon", "files_mb": "RssFile", "shared_mb": "RssShmem", "peak_mb": "VmHWM"}
    return {ours: int(kept[name].split()[0]) * 1024 / 1e6 for ours, name in names.items()}


def bytes_in(folder: Path) -> int:
    """Return what a folder takes on disk; files that are not wholly there count for what is."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def _one_core() -> None:
    """Keep this process and all its threads on the last core that it may use."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main()
