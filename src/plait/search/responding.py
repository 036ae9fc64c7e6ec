"""From a request to its answer: ranked, cut where nothing good follows, folded, and in pages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from plait.errors import PlaitError
from plait.schema import Facet, Hit, Hits, SearchRequest
from plait.search import paging
from plait.search.calibration import Judgement, judged
from plait.search.folding import Chosen, Groups, chosen
from plait.search.fusion import Method
from plait.search.paging import Cursor, Key
from plait.search.part_ids import part_id
from plait.search.ranking import Place, Ranking
from plait.search.rerank.base import TOP, Reranker, Rerankers, no_rerankers, reranked
from plait.search.searcher import Searcher


@dataclass(frozen=True)
class Responder:
    """Answers requests over one library, whatever its snapshot.

    Attributes:
        pictures: where the paths of stored pictures begin; None compares pictures by their names only.
        rerankers: gives those that a request names; see `rerank.base`.
    """

    pictures: Path | None = None
    rerankers: Rerankers = no_rerankers

    def respond(self, searcher: Searcher, request: SearchRequest) -> Hits:
        """Return the answer to a request; of what it leaves open, the defaults of `Searcher.ranking`.

        Raises:
            QueryError, InputError: as in `Searcher.ranking`, a cursor that cannot be read, or a facet or a
                group that no document has.
        """
        facets = [searcher.snapshot.facet(name, request.query.filters) for name in request.facets]
        page = _Page.of(searcher, request, self.rerankers(request.rerank))
        cut = chosen(
            page.places,
            searcher.snapshot,
            k=request.k,
            fold=request.fold,
            groups=_groups(searcher, request, page.shown),
            pictures=self.pictures,
        )
        hits = searcher.hits(page.ranking, cut.places, first_rank=len(page.shown) + 1)
        return _answer(searcher, request, page, cut, hits, facets)


@dataclass(frozen=True, slots=True)
class _Page:
    """What is to be shown from here on.

    Attributes:
        shown: what earlier pages showed.
        places: all that may follow, best first.
        distant: how many were left out because they are probably not good.
        worth: what the ranking is worth; None if the model was never calibrated.
    """

    ranking: Ranking
    shown: tuple[Key, ...]
    places: Sequence[Place]
    distant: int
    worth: Judgement | None

    @classmethod
    def of(cls, searcher: Searcher, request: SearchRequest, rerankers: Sequence[Reranker]) -> _Page:
        """Return the page that a request asks for; the first ends where nothing good follows."""
        page = cls._next(searcher, request, rerankers)
        worth = judged(page.ranking, searcher.encoder, searcher.snapshot)
        if request.cursor or request.distant or worth is None:
            return replace(page, worth=worth)
        good = page.places[: worth.good]
        return replace(page, worth=worth, places=good, distant=len(page.places) - len(good))

    @classmethod
    def _next(cls, searcher: Searcher, request: SearchRequest, rerankers: Sequence[Reranker]) -> _Page:
        if not request.cursor:
            k = max(request.k, TOP) if rerankers else request.k
            ranking = reranked(ranking_for(searcher, request, k=k), rerankers, searcher)
            return cls(ranking, (), ranking.places[: request.depth], 0, None)
        cursor = paging.read(request)
        if cursor.rest:
            among = _there(searcher, cursor.rest)
            ranking = ranking_for(searcher, request, k=request.k, among=among)
            return cls(ranking, cursor.shown, ranking.places, cursor.distant, None)
        deeper = ranking_for(searcher, request, k=request.depth)
        shown = set(_there(searcher, cursor.shown))
        rest = [place for place in deeper.places if (place.row, place.part) not in shown]
        return cls(deeper, cursor.shown, rest[: request.depth - len(cursor.shown)], cursor.distant, None)

    @property
    def goes_on(self) -> bool:
        """Whether a deeper ranking would hold more that is to be shown."""
        return not self.distant and self.ranking.plan.rescored < self.ranking.plan.units

    def confidence_of(self, places: Sequence[Place]) -> list[float | None]:
        """Return how likely each of some places is good; None where that is not known."""
        if self.worth is None:
            return [None] * len(places)
        every = zip(self.ranking.places, self.worth.confidences, strict=True)
        known = {(place.row, place.part): confidence for place, confidence in every}
        return [known.get((place.row, place.part)) for place in places]


def ahead(searcher: Searcher, requests: Sequence[SearchRequest]) -> None:
    """Do what several requests share, before each is answered in turn on this thread.

    One that cannot be answered is left to `respond`, which says why.
    """
    asked = []
    for request in requests:
        with suppress(PlaitError):
            asked.append(
                searcher.asking(
                    request.query, kind=request.kind, lanes=request.lanes, weights=request.weights or None
                )
            )
    with suppress(PlaitError):
        searcher.ahead(asked)


def ranking_for(
    searcher: Searcher, request: SearchRequest, *, k: int, among: Sequence[tuple[int, str]] | None = None
) -> Ranking:
    """Return the best k places for a request, or those that are named; see `Searcher.ranking`."""
    return searcher.ranking(
        request.query,
        k=k,
        depth=request.depth,
        kind=request.kind,
        method=cast("Method", request.method or "gated"),
        lanes=request.lanes,
        weights=request.weights or None,
        recall=0.99 if request.recall is None else request.recall,
        among=among,
    )


def _there(searcher: Searcher, keys: Sequence[Key]) -> list[tuple[int, str]]:
    """Return the rows and parts that keys name, without those that are gone."""
    rows = searcher.snapshot.rows_of([row for row, _ in keys]).tolist()
    return [(row, part) for row, (_, part) in zip(rows, keys, strict=True) if row >= 0]


def _groups(searcher: Searcher, request: SearchRequest, shown: Sequence[Key]) -> Groups:
    values = {name: searcher.snapshot.groups(name) for name in request.per_group}
    groups = Groups(request.per_group, values)
    for row, _ in _there(searcher, shown):
        groups.take(row)
    return groups


def _answer(
    searcher: Searcher,
    request: SearchRequest,
    page: _Page,
    cut: Chosen,
    hits: Sequence[Hit],
    facets: Sequence[Facet],
) -> Hits:
    told = [
        replace(hit, confidence=confidence, folded=_ids(searcher, same) if same else ())
        for hit, confidence, same in zip(hits, page.confidence_of(cut.places), cut.folded, strict=True)
    ]
    shown = (*page.shown, *_keys(searcher, cut.places))
    more = bool(cut.rest) or (bool(hits) and page.goes_on)
    next_cursor = ""
    if more and len(shown) < request.depth:
        next_cursor = paging.written(Cursor(shown, _keys(searcher, cut.rest), page.distant), request)
    return Hits(told, page.ranking.plan, facets=facets, next_cursor=next_cursor, distant=page.distant)


def _keys(searcher: Searcher, places: Sequence[Place]) -> tuple[Key, ...]:
    rows = searcher.snapshot.keys([place.row for place in places]).tolist()
    return tuple(zip(rows, (place.part for place in places), strict=True))


def _ids(searcher: Searcher, places: Sequence[Place]) -> tuple[str, ...]:
    units = searcher.snapshot.units([place.row for place in places])
    return tuple(part_id(unit.id, place.part) for (unit, _), place in zip(units, places, strict=True))
