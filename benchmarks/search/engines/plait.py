"""plait's index and search, as a library uses them: each query asks the newest version, filter included.

Documents are added in their order, so that the row of one in a snapshot is its number.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: F401  (a library loads it with the first scan; here it counts as an import)
from numpy.typing import NDArray

from benchmarks.search.collection import Collection
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.schema import Filter, Unit
from plait.scoring.vectors import UnitVectors, VectorField
from plait.search.vectors import nearest

SETTINGS: list[dict[str, Any]] = [{"recall": recall} for recall in (0.99, 0.95, 0.9, 0.999)]
READ = "scan/**/*"  # what a search reads; the table itself may be larger than the memory
_AT_ONCE = 2_000  # documents a commit
_FIELD = "ret"


def build(store: Path, data: Collection) -> None:
    _, tokens, width = data.documents.shape
    index = _index(store, tokens, width)
    for first, block, groups in data.blocks(_AT_ONCE):
        index.add(_entries(block, groups, first))
    index.optimize(keep_seconds=0)
    index.close()
    (store / "shape.txt").write_text(f"{tokens} {width}", encoding="utf-8")


class Opened:
    """An open index."""

    def __init__(self, store: Path) -> None:
        self.index = _index(store, *map(int, (store / "shape.txt").read_text(encoding="utf-8").split()))
        self.index.snapshot()

    def nearest(
        self, query: Any, k: int, group: int | None, setting: dict[str, Any]
    ) -> tuple[NDArray[np.intp], dict[str, float]]:
        """Return the k nearest documents, best first, and what the plan says."""
        started = time.perf_counter()
        snapshot = self.index.snapshot()
        opened = time.perf_counter()
        mask = None if group is None else snapshot.mask([Filter("group", "=", group)])
        masked = time.perf_counter()
        found = nearest(snapshot, _FIELD, query[None], k=k, recall=setting["recall"], mask=mask)
        details = {
            "snapshot_ms": 1000 * (opened - started),
            "mask_ms": 1000 * (masked - opened),
            "rescored": found.plan.rescored,
            "expected_recall": found.plan.expected_recall,
        }
        return found.rows, details


def add(opened: Opened, documents: NDArray[np.float16]) -> tuple[float, dict[str, float]]:
    """Return the seconds until one of some documents is found, after which they are removed again.

    Raises:
        RuntimeError: it is not found.
    """
    before = len(opened.index.snapshot())
    entries = _entries(documents, [0] * len(documents), before)
    last = documents[-1].astype(np.float32)
    started = time.perf_counter()
    opened.index.add(entries)
    stored = time.perf_counter()
    [row, *_], _ = opened.nearest(last, 1, None, SETTINGS[0])
    found = time.perf_counter()
    again = [_seconds(opened, last) for _ in range(5)]
    if row != before + len(documents) - 1:
        raise RuntimeError(f"asked for the document added last, got row {row} of {before + len(documents)}")
    opened.index.remove([entry.document.id for entry in entries])
    return found - started, {
        "commit_seconds": stored - started,
        "first_answer_ms": 1000 * (found - stored),
        "next_answers_ms": 1000 * sorted(again)[2],
    }


def _seconds(opened: Opened, query: Any) -> float:
    started = time.perf_counter()
    opened.nearest(query, 10, None, SETTINGS[0])
    return time.perf_counter() - started


def _index(store: Path, tokens: int, width: int) -> LanceIndex:
    return LanceIndex(store, (VectorField(_FIELD, width, tokens, "unit", "joint"),))


def _entries(block: NDArray[np.float16], groups: Sequence[int], first: int) -> list[Entry]:
    rows = zip(block.astype(np.float32), groups, strict=True)
    return [_entry(first + place, vectors, group) for place, (vectors, group) in enumerate(rows)]


def _entry(number: int, vectors: Any, group: int) -> Entry:
    name = f"d{number:07d}"
    document = StoredDocument(name, f"Document {number}", f"{name}.html", {"group": group}, "0" * 64)
    unit = Unit(f"{name}:0", name, 0, document.title)
    return Entry(document, (unit,), (UnitVectors({_FIELD: vectors[None]}),))
