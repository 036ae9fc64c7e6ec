"""LanceDB's own search over multi-vectors, with an index that each of the two modules beside it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import Bitmap

from benchmarks.search.collection import Collection

SETTINGS: list[dict[str, Any]] = [
    {"probes": probes, "refine": refine} for probes, refine in ((20, 10), (64, 30), (256, 400))
] + [{"way": "flat"}]
_AT_ONCE = 2_000


def build_with(store: Path, data: Collection, index: Any) -> None:
    """Store the collection, then index its vectors."""
    database = lancedb.connect(store)
    table = None
    for first, block, groups in data.blocks(_AT_ONCE):
        rows = _rows(first, block, groups)
        if table is None:
            table = database.create_table("documents", rows)
        else:
            table.add(rows)
    table.optimize()
    table.create_index("vectors", config=index)
    table.create_index("group", config=Bitmap())


class Opened:
    """An open table."""

    def __init__(self, store: Path) -> None:
        self._table = lancedb.connect(store).open_table("documents")

    def nearest(
        self, query: Any, k: int, group: int | None, setting: dict[str, Any]
    ) -> tuple[list[int], dict[str, float]]:
        """Return the k nearest documents, best first."""
        search = self._table.search(query, vector_column_name="vectors").distance_type("cosine").limit(k)
        if setting.get("way") == "flat":
            search = search.bypass_vector_index()
        else:
            search = search.nprobes(setting["probes"]).refine_factor(setting["refine"])
        if group is not None:
            search = search.where(f"`group` = {group}", prefilter=True)
        return search.select(["row", "_distance"]).to_arrow()["row"].to_pylist(), {}


def _rows(first: int, block: Any, groups: list[int]) -> pa.Table:
    documents, tokens, width = block.shape
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), width)
    ends = pa.array(np.arange(documents + 1) * tokens, pa.int32())
    return pa.table(
        {
            "row": pa.array(np.arange(first, first + documents)),
            "group": pa.array(groups, pa.int32()),
            "vectors": pa.ListArray.from_arrays(ends, vectors),
        }
    )
