"""Why a request finds a hit: the hit's place looked up by its id, ranked alone, and explained."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from plait.errors import InputError
from plait.index.base import Snapshot
from plait.schema import Explanation, SearchRequest, TargetKind
from plait.search.calibration import judged
from plait.search.explaining.explanation import explained
from plait.search.fusion import Method
from plait.search.kinds import PartKind, parts_of
from plait.search.searcher import Searcher

_ID = re.compile(r"(?P<document>.+):(?P<unit>[0-9]{1,9})(\.(?P<part>(?P<kind>[pft])[0-9]{1,9}))?", re.DOTALL)
_KINDS: dict[str, PartKind] = {"p": "passage", "f": "figure", "t": "table"}


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
    ranking = searcher.ranking(
        request.query,
        k=1,
        kind=kind,
        method=cast("Method", request.method or "gated"),
        lanes=request.lanes,
        weights=request.weights or None,
        recall=0.99 if request.recall is None else request.recall,
        among=among,
    )
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
    documents = snapshot.documents_of()
    if rows := documents.get(id, ()):
        return "document", [(row, "") for row in rows]
    match = _ID.fullmatch(id)
    rows = documents.get(match["document"], ()) if match else ()
    if match is not None and int(match["unit"]) < len(rows):
        row = rows[int(match["unit"])]  # the rows of a document are in the order of its units
        if match["part"] is None:
            return "page" if asked == "page" else None, [(row, "")]
        kind = _KINDS[match["kind"]]
        ((unit, _),) = snapshot.units([row])
        if match["part"] in {part.name for part in parts_of(unit, kind)}:
            return kind, [(row, match["part"])]
    raise InputError(
        f"this library holds nothing of id {id!r}: give the id of a hit, as in D:4, D:4.p2, D:4.f0 or D"
    )


def _absolute(explanation: Explanation, path_of: Callable[[str], str]) -> Explanation:
    page, heat = explanation.page_picture, explanation.heat
    return replace(
        explanation,
        page_picture=path_of(page) if page else None,
        heat=replace(heat, picture=path_of(heat.picture)) if heat and heat.picture else heat,
    )
