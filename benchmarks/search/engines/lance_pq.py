"""LanceDB's own search over multi-vectors, by IVF_PQ."""

from __future__ import annotations

from pathlib import Path

from lancedb.index import IvfPq

from benchmarks.search.collection import Collection
from benchmarks.search.engines import lance

SETTINGS = lance.SETTINGS
Opened = lance.Opened


def build(store: Path, data: Collection) -> None:
    lance.build_with(store, data, IvfPq(distance_type="cosine"))
