"""Qdrant as a library, with a graph (HNSW) over the pooled vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qdrant_edge

from benchmarks.search.collection import Collection
from benchmarks.search.engines import qdrant

SETTINGS: list[dict[str, Any]] = [
    {"way": "pooled graph", "prefetch": count, "ef": count} for count in (200, 500, 1000)
]
Opened = qdrant.Opened


def build(store: Path, data: Collection) -> None:
    graph = qdrant_edge.HnswIndexConfig(
        m=16, ef_construct=100, full_scan_threshold=100, max_indexing_threads=1
    )
    qdrant.build_with(store, data, graph)
