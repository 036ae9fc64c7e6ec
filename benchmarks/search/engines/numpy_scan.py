"""Every document, float32, one matrix product after the other: what needs no engine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.collection import Collection, read

SETTINGS: list[dict[str, Any]] = [{"way": "exact"}]
_AT_ONCE = 256  # documents: products that stay in the core's cache


def build(store: Path, data: Collection) -> None:
    store.mkdir(parents=True)
    for name in ("documents", "groups"):
        shutil.copyfile(data.folder / f"{name}.npy", store / f"{name}.npy")


class Opened:
    """All documents as float32 in memory."""

    def __init__(self, store: Path) -> None:
        self._groups = np.load(store / "groups.npy")
        shape = np.load(store / "documents.npy", mmap_mode="r").shape
        self._documents = np.empty(shape, np.float32)
        first = 0
        for block in read(store / "documents.npy", at_once=1000):
            self._documents[first : first + len(block)] = block
            first += len(block)

    def nearest(
        self, query: Any, k: int, group: int | None, setting: dict[str, Any]
    ) -> tuple[Any, dict[str, float]]:
        """Return the rows of the k nearest documents, best first."""
        rows = None if group is None else np.flatnonzero(self._groups == group)
        documents = self._documents if rows is None else self._documents[rows]
        scores = np.empty(len(documents), np.float32)
        for first in range(0, len(documents), _AT_ONCE):
            block = documents[first : first + _AT_ONCE]
            products = block.reshape(-1, block.shape[2]) @ query.T
            best = products.reshape(len(block), -1, len(query)).max(axis=1)
            scores[first : first + len(block)] = best.sum(axis=1)
        best_k = np.argpartition(-scores, min(k, len(scores) - 1))[:k]
        best_k = best_k[np.argsort(-scores[best_k])]
        return (best_k if rows is None else rows[best_k]), {}
