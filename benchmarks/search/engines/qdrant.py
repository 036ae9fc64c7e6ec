"""Qdrant as a library: MaxSim over every document, or over the best by pooled vectors (prefetch).

The 8 pooled vectors of a document are plait's own k-means centres. No graph is built: each of both scans.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qdrant_edge as qdrant

from benchmarks.search.collection import Collection
from plait.scoring.quantise import pooled

SETTINGS: list[dict[str, Any]] = [
    {"way": "exact"},
    *({"way": "pooled", "prefetch": count} for count in (100, 200, 500, 1000, 2000)),
]
POOLED = 8
_AT_ONCE = 500
_NO_GRAPH = qdrant.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000)


def build(store: Path, data: Collection) -> None:
    build_with(store, data, _NO_GRAPH)


def build_with(store: Path, data: Collection, pooled_index: qdrant.HnswIndexConfig) -> None:
    """Build with an index of the caller's over the pooled vectors; never one over the others."""
    width = data.documents.shape[2]
    vectors = {"tokens": _vectors(width, _NO_GRAPH), "pooled": _vectors(width, pooled_index)}
    store.mkdir(parents=True)
    shard = qdrant.EdgeShard.create(str(store), qdrant.EdgeConfig(vectors=vectors, max_search_threads=1))
    kind = qdrant.PayloadSchemaType.Integer
    shard.update(qdrant.UpdateOperation.create_field_index("group", kind))
    for first, block, groups in data.blocks(_AT_ONCE):
        rows = zip(block.tolist(), pooled(block, POOLED).tolist(), groups, strict=True)
        points = [
            qdrant.Point(first + place, {"tokens": tokens, "pooled": few}, {"group": group})
            for place, (tokens, few, group) in enumerate(rows)
        ]
        shard.update(qdrant.UpdateOperation.upsert_points(points))
    shard.optimize()
    shard.flush()
    shard.close()


class Opened:
    """An open shard."""

    def __init__(self, store: Path) -> None:
        self._shard = qdrant.EdgeShard.load(str(store))

    def nearest(
        self, query: Any, k: int, group: int | None, setting: dict[str, Any]
    ) -> tuple[list[int], dict[str, float]]:
        """Return the k nearest documents, best first."""
        asked = query.tolist()
        only = None if group is None else _only(group)
        by_tokens = qdrant.Query.Nearest(asked, using="tokens")
        if setting["way"] == "exact":
            exact = qdrant.SearchParams(exact=True)
            request = qdrant.QueryRequest(k, query=by_tokens, filter=only, params=exact)
        else:
            by_pooled = qdrant.Query.Nearest(asked, using="pooled")
            how = qdrant.SearchParams(hnsw_ef=setting.get("ef"), exact=False)
            first = qdrant.Prefetch(setting["prefetch"], query=by_pooled, filter=only, params=how)
            request = qdrant.QueryRequest(k, query=by_tokens, prefetches=[first])
        return [point.id for point in self._shard.query(request)], {}


def _only(group: int) -> qdrant.Filter:
    return qdrant.Filter(must=[qdrant.FieldCondition("group", match=qdrant.MatchValue(group))])


def _vectors(width: int, index: qdrant.HnswIndexConfig) -> qdrant.EdgeVectorParams:
    return qdrant.EdgeVectorParams(
        width,
        qdrant.Distance.Dot,
        multivector_config=qdrant.MultiVectorConfig(qdrant.MultiVectorComparator.MaxSim),
        datatype=qdrant.VectorStorageDatatype.Float16,
        hnsw_config=index,
    )
