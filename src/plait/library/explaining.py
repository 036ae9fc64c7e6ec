"""Why a request finds a hit: the hit's place looked up by its id, ranked alone, and explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from plait.errors import InputError
from plait.index.base import Snapshot
from plait.schema import Explanation, SearchRequest, TargetKind
from plait.search.calibration import judged
from plait.search.explaining.explanation import explained
from plait.search.part_ids import KIND_OF, located
from plait.search.responding import ranking_for
from plait.search.searcher import Searcher


def explain(
    searcher: Searcher, request: SearchRequest, id: str, *, path_of: Callable[[str], str]
) -> Explanation:
    """Return why a request finds a hit. What cuts the answer into pages does not matter: k, cursor, folding.

    Args:
        request: with its method, recall and weights.
        id: of a unit "D:4", of a part of one "D:4.p2", "D:4.f0", "D:4.t1", or of a document "D".
        path_of: makes the path of a stored picture absolute.

    Raises:
        InputError: the library holds nothing of that id, or the request does not find it.
        QueryError: as in `Searcher.ranking`.
    """
    kind, among = _places(id, request.kind, searcher.snapshot)
    ranking = ranking_for(searcher, replace(request, kind=kind), k=1, among=among)
    if not ranking.places:
        raise InputError(
            f"the request does not find {id}: its filters leave it out, the query likes it, or nothing that "
            "is asked can be compared with it; explain a hit of the same request"
        )
    best = max(range(len(ranking.places)), key=lambda at: ranking.places[at].score)
    found = explained(searcher, request.query, ranking, ranking.places[best])
    judgement = judged(ranking, searcher.encoder, searcher.snapshot)
    return _absolute(
        replace(found, confidence=None if judgement is None else judgement.confidences[best]), path_of
    )


def _places(
    id: str, asked: TargetKind | None, snapshot: Snapshot
) -> tuple[TargetKind | None, Sequence[tuple[int, str]]]:
    """Return what kind of thing an id means, and its places in the snapshot: of a document, all its units.

    Raises:
        InputError: the library holds nothing of that id.
    """
    found = located(id, snapshot)
    if found is None:
        raise InputError(
            f"this library holds nothing of id {id!r}: give the id of a hit, as in D:4, D:4.p2, D:4.f0 or D"
        )
    kind: TargetKind | None = "page" if asked == "page" else None
    if found.is_document:
        kind = "document"
    elif found.part:
        kind = KIND_OF[found.part[0]]
    return kind, [(row, found.part) for row in found.rows]


def _absolute(explanation: Explanation, path_of: Callable[[str], str]) -> Explanation:
    page, heat = explanation.page_picture, explanation.heat
    return replace(
        explanation,
        page_picture=path_of(page) if page else None,
        heat=replace(heat, picture=path_of(heat.picture)) if heat and heat.picture else heat,
    )
