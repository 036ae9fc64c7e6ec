"""From a request to its answer: ranked, folded, cut into pages, and explained."""

from __future__ import annotations

from typing import cast

from plait.schema import Hits, SearchRequest
from plait.search.fusion import Method
from plait.search.searcher import Searcher


def respond(searcher: Searcher, request: SearchRequest) -> Hits:
    """Return the answer to a request whose method and recall are given.

    Raises:
        QueryError, InputError: as in `Searcher.search`.
    """
    return searcher.search(
        request.query,
        k=request.k,
        method=cast("Method", request.method or "gated"),
        lanes=request.lanes,
        recall=0.99 if request.recall is None else request.recall,
        weights=request.weights or None,
    )
