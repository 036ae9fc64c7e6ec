"""From a query to ranked hits: ask every lane, fuse, keep the best, and say why each was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plait.encode.base import Encoder
from plait.errors import InputError, QueryError
from plait.index.base import Scores, Snapshot
from plait.schema import Hit, Hits, Query, TargetKind
from plait.scoring.vectors import QueryVectors, VectorField
from plait.search.candidates import ranked
from plait.search.explain import explained
from plait.search.fusion import Method, Weights, check_weights, fuse
from plait.search.ranking import Place, Ranking, places_of

BM25 = "bm25"


@dataclass(frozen=True, slots=True)
class Searcher:
    """Answers queries over one snapshot of an index.

    Attributes:
        encoder: the one whose vectors the index holds.
        snapshot: the units to rank.
    """

    encoder: Encoder
    snapshot: Snapshot

    @property
    def lanes(self) -> tuple[str, ...]:
        """Every lane there is: "bm25", and the encoder's vector fields."""
        return (BM25, *(field.name for field in self.encoder.fields))

    def search(
        self,
        query: Query,
        *,
        k: int = 10,
        method: Method = "gated",
        lanes: Sequence[str] | None = None,
        per_document: int | None = None,
        offset: int = 0,
        recall: float = 0.99,
        weights: Weights | None = None,
    ) -> Hits:
        """Return up to k hits, best first; equal scores in the library's order.

        Units that no lane says anything of are left out: those that a filter excludes, and those that
        share no word with the query where only words are compared. Scores that differ by less than a
        millionth of their range count as equal.

        Args:
            method: how lanes are combined, see `fuse`.
            lanes: names of the lanes to use; None means all that the query asks.
            per_document: at most so many hits of one document; None means any number.
            offset: hits to pass over, for a next page.
            recall: the share of the exact best hits that the answer must hold, in expectation, where a
                field is too large to compare with every unit exactly; 1 compares with every unit.
            weights: what each lane counts, see `fuse`; one of weight 0 is not asked. None means 1 each.

        Raises:
            InputError: k, offset, per_document or recall out of range, an unknown method, a weight below 0.
            QueryError: an unknown lane, lanes that this query does not ask, or an unusable image.
        """
        _check(k, per_document, offset)
        compare = self._comparing(query, method=method, lanes=lanes, weights=weights, recall=recall)
        depth = offset + k
        while True:
            compared = compare(depth)
            rows = self._best(compared.fused, offset + k, per_document)[offset:]
            plan = compared.plan
            if len(rows) == k or per_document is None or plan.rescored == plan.units:
                break
            depth *= 4  # one document filled the best places: look at more units
        places = places_of(rows, compared.fused, compared.lanes)
        return Hits(self.hits(replace(compared, places=places), places, first_rank=offset + 1), plan)

    def ranking(
        self,
        query: Query,
        *,
        k: int = 10,
        depth: int = 200,
        kind: TargetKind | None = None,
        method: Method = "gated",
        lanes: Sequence[str] | None = None,
        weights: Weights | None = None,
        recall: float = 0.99,
    ) -> Ranking:
        """Return the best places for a query, more than k of them where more were compared anyway.

        Args:
            k: how many must be right, to the recall; 1 or more.
            depth: how many places are given at most; k or more.
            kind: what is to be found; None means units.
            method, lanes, weights, recall: as in `search`.

        Raises:
            InputError, QueryError: as in `search`.
        """
        _check(k, None, 0)
        compared = self._comparing(query, method=method, lanes=lanes, weights=weights, recall=recall)(k)
        rows = self._best(compared.fused, max(k, depth), None)
        return replace(compared, places=places_of(rows, compared.fused, compared.lanes), kind=kind)

    def hits(self, ranking: Ranking, places: Sequence[Place], *, first_rank: int = 1) -> list[Hit]:
        """Return a hit for each of some places of a ranking, in their order."""
        return explained(
            ranking.query,
            ranking.vectors,
            self.encoder.fields,
            self.snapshot,
            rows=[place.row for place in places],
            scores=[place.score for place in places],
            lanes=[place.lanes for place in places],
            first_rank=first_rank,
        )

    def _comparing(
        self,
        query: Query,
        *,
        method: Method,
        lanes: Sequence[str] | None,
        weights: Weights | None,
        recall: float,
    ) -> Callable[[int], Ranking]:
        """Return what compares the query with units so that the k best are right; its rankings name no places."""
        wanted = self._counting(self._wanted(query, lanes), weights)
        vectors = self._encode(query, wanted)
        scores, rough = self._rough_scores(query, vectors, wanted)

        def fused_of(lanes: dict[str, Scores]) -> Scores:
            fused = fuse(lanes, method=method, parameters=self.encoder.mixture, weights=weights)
            fused[~evident(lanes)] = np.nan
            return fused

        def exact(lane: str, rows: NDArray[np.intp]) -> Scores:
            return self.snapshot.exact_scores(lane, vectors.fields[lane], vectors.weights[lane], rows)

        def compared(k: int) -> Ranking:
            fused, plan = ranked(scores, rough, exact, fused_of, k=k, recall=recall)
            return Ranking(query, vectors, (), scores, fused, plan)

        return compared

    def scores(self, query: Query, lanes: Sequence[str] | None = None) -> dict[str, Scores]:
        """Return what each lane says of every unit: lane -> (N,) exact scores, NaN where it has nothing.

        Raises:
            QueryError: as in `search`.
        """
        wanted = self._wanted(query, lanes)
        vectors = self._encode(query, wanted)
        scores, rough = self._rough_scores(query, vectors, wanted)
        for lane in rough:
            mask = self.snapshot.mask(query.filters)
            scores[lane] = self.snapshot.field_scores(lane, vectors.fields[lane], vectors.weights[lane], mask)
        return scores

    def check_lanes(self, names: Iterable[str]) -> None:
        """Refuse names of lanes that there are not.

        Raises:
            QueryError: naming them.
        """
        unknown = set(names) - set(self.lanes)
        if unknown:
            raise QueryError(
                f"unknown lane {', '.join(sorted(unknown))}: this library has {', '.join(self.lanes)}"
            )

    def asked_lanes(self, query: Query) -> tuple[str, ...]:
        """Return the lanes that a query asks something of, in a fixed order."""
        return (BM25,) * bool(query.texts) + tuple(f.name for f in self.encoder.fields if _asks(f, query))

    def _wanted(self, query: Query, lanes: Sequence[str] | None) -> tuple[str, ...]:
        """Return the lanes to ask, in a fixed order."""
        self.check_lanes(lanes or ())
        asked = self.asked_lanes(query)
        if not asked:
            raise QueryError(
                f"the query holds only pictures, but this library's model, {self.encoder.name}, reads only "
                "text: ask in words, or make a library with a model that reads pictures (plait models list)"
            )
        wanted = tuple(lane for lane in asked if lanes is None or lane in lanes)
        if not wanted:
            raise QueryError(
                f"the query asks nothing of the lanes {', '.join(lanes or self.lanes)}: "
                f"it can be answered by {', '.join(asked)}"
            )
        return wanted

    def _counting(self, wanted: tuple[str, ...], weights: Weights | None) -> tuple[str, ...]:
        """Return those of the lanes whose weight is not 0."""
        if weights is None:
            return wanted
        self.check_lanes(weights)
        check_weights(weights)
        counting = tuple(lane for lane in wanted if weights.get(lane, 1.0))
        if not counting:
            raise QueryError(
                f"the query asks {', '.join(wanted)}, and each has weight 0: give one of them more"
            )
        return counting

    def _encode(self, query: Query, wanted: Sequence[str]) -> QueryVectors:
        if set(wanted) == {BM25}:
            return QueryVectors()
        every = self.encoder.encode_query(query)
        fields = {name: vectors for name, vectors in every.fields.items() if name in wanted}
        return QueryVectors(fields, {name: every.weights[name] for name in fields})

    def _rough_scores(
        self, query: Query, vectors: QueryVectors, wanted: Sequence[str]
    ) -> tuple[dict[str, Scores], list[str]]:
        """Return lane -> (N,) scores, and which of the lanes are approximations."""
        mask = self.snapshot.mask(query.filters)
        scores: dict[str, Scores] = {}
        rough = []
        for lane in wanted:
            if lane == BM25:
                total = sum(query.text_weights)
                weights = [weight / total for weight in query.text_weights]
                scores[lane] = self.snapshot.bm25(query.texts, weights, mask)
            elif lane in vectors.fields:
                asked, weights_of = vectors.fields[lane], vectors.weights[lane]
                scores[lane], is_exact = self.snapshot.rough_scores(lane, asked, weights_of, mask)
                rough += [] if is_exact else [lane]
        return scores, rough

    def _best(self, fused: Scores, count: int, per_document: int | None) -> list[int]:
        """Return the rows of the best `count`, in order."""
        ranked = np.flatnonzero(~np.isnan(fused))
        ranked = ranked[np.argsort(_rounded(-fused[ranked]), kind="stable")]
        if per_document is not None:
            ranked = ranked[_within(self.snapshot.owners[ranked], per_document)]
        return [int(row) for row in ranked[:count]]


def _check(k: int, per_document: int | None, offset: int) -> None:
    if k < 1 or offset < 0 or (per_document is not None and per_document < 1):
        raise InputError(
            f"k and per_document must be at least 1 and offset at least 0, got k={k}, "
            f"per_document={per_document}, offset={offset}"
        )


def _asks(field: VectorField, query: Query) -> bool:
    sides = {"text": bool(query.texts), "image": bool(query.images), "joint": True}
    return sides[field.asks]


def _rounded(scores: Scores) -> NDArray[np.float64]:
    """Return the scores in millionths of their range: equal vectors may differ in a product's last bit."""
    exact = scores.astype(np.float64)
    spread = np.ptp(exact) if len(exact) else 0.0
    return np.round(exact / spread * 1e6) if spread > 0 else np.zeros_like(exact)


def _within(owners: NDArray[np.int32], per_document: int) -> NDArray[np.bool_]:
    """Return True for the first few places of each document in a ranking."""
    order = np.argsort(owners, kind="stable")
    firsts = np.searchsorted(owners[order], owners[order])
    kept = np.empty(len(owners), np.bool_)
    kept[order] = np.arange(len(order)) - firsts < per_document
    return kept


def evident(scores: Mapping[str, Scores]) -> NDArray[np.bool_]:
    """Return (N,) True where some lane speaks for the unit: a vector to compare, or a shared word."""
    speaks = [there > 0 if lane == BM25 else ~np.isnan(there) for lane, there in scores.items()]
    evident: NDArray[np.bool_] = np.logical_or.reduce(speaks)
    return evident
