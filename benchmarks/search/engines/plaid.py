"""PLAID (Santhanam et al., arXiv 2205.09707) as fast-plaid implements it: centroids, residuals of 4 bits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fast_plaid import search

from benchmarks.search.collection import Collection, read

torch.set_num_threads(1)
SETTINGS: list[dict[str, Any]] = [
    {"probe": probe, "full_scores": full}
    for probe, full in ((8, 1024), (16, 4096), (32, 8192), (64, 16384), (128, 32768))
]


def build(store: Path, data: Collection) -> None:
    store.mkdir(parents=True)
    shutil.copyfile(data.folder / "groups.npy", store / "groups.npy")
    blocks = read(data.folder / "documents.npy", at_once=1000)
    vectors = [torch.from_numpy(one).float() for block in blocks for one in block]
    search.FastPlaid(str(store / "index"), device="cpu").create(vectors)


class Opened:
    """The index, and which documents each group has: a filter is given as a list of documents."""

    def __init__(self, store: Path) -> None:
        groups = np.load(store / "groups.npy")
        self._of_group = [np.flatnonzero(groups == group).tolist() for group in range(int(groups.max()) + 1)]
        self._index = search.FastPlaid(str(store / "index"), device="cpu")

    def nearest(
        self, query: Any, k: int, group: int | None, setting: dict[str, Any]
    ) -> tuple[list[int], dict[str, float]]:
        """Return the k nearest documents, best first."""
        [found] = self._index.search(
            torch.from_numpy(query)[None],
            top_k=k,
            n_ivf_probe=setting["probe"],
            n_full_scores=setting["full_scores"],
            show_progress=False,
            subset=None if group is None else self._of_group[group],
            n_processes=1,
        )
        return [row for row, _ in found], {}
