"""From a query to ranked hits: ask every lane, fuse, keep the best, and say why each was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plait.encode.base import Encoder
from plait.errors import InputError, QueryError
from plait.index.base import Scores, Snapshot
from plait.schema import Hit, Hits, Query, SearchPlan, TargetKind
from plait.scoring.vectors import VectorField
from plait.search.asking import BM25, Asked
from plait.search.comparing import Comparison
from plait.search.explain import explained
from plait.search.fusion import Method, Weights, check_method, check_weights
from plait.search.kinds import candidates, of_kind, part_kind, ranked_parts
from plait.search.levelling import Levelling
from plait.search.likes import Resolved, resolved
from plait.search.meeting import Asking, Meeting
from plait.search.ranking import Place, Ranking, places_of
from plait.search.scale import Fusing
from plait.search.unwanted import Unwanted

_PARTS = 4  # of one kind that a unit is taken to have: of so many fewer units the parts are ranked


@dataclass(frozen=True, slots=True)
class Searcher:
    """Answers queries over one snapshot of an index.

    Attributes:
        encoder: the one whose vectors the index holds.
        snapshot: the units to rank.
        pictures: folder below which the stored paths of pictures lie, for queries that like some; None:
            they are whole paths.
        levelling: what is done to lanes before they are combined, of the same encoder and snapshot; None:
            nothing.
    """

    encoder: Encoder
    snapshot: Snapshot
    pictures: Path | None = None
    levelling: Levelling | None = None
    _meeting: Meeting = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_meeting", Meeting(self.encoder, self.snapshot))

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
        asked = self._resolved(query)
        comparison = self._comparison(asked, method=method, lanes=lanes, weights=weights)
        depth = offset + k
        while True:
            fused, plan = comparison.compared(depth, recall)
            rows = self._best(fused, offset + k, per_document)[offset:]
            if len(rows) == k or per_document is None or plan.rescored == plan.units:
                break
            depth *= 4  # one document filled the best places: look at more units
        places = places_of(rows, fused, comparison)
        ranking = _ranking(asked, comparison, places, fused, plan)
        return Hits(self.hits(ranking, places, first_rank=offset + 1), plan)

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
        among: Sequence[tuple[int, str]] | None = None,
    ) -> Ranking:
        """Return the best places for a query, more than k of them where more were compared anyway.

        Args:
            k: how many must be right, to the recall; 1 or more.
            depth: how many places are given at most; k or more.
            kind: what is to be found; None means units.
            method, lanes, weights, recall: as in `search`.
            among: only these places are given, all compared exactly, in this order and with the scores
                that they have among all units: rows and parts, "" for a unit. Those that the query does
                not speak of are left out.

        Raises:
            InputError, QueryError: as in `search`.
        """
        _check(k, None, 0)
        asked = self._resolved(query)
        comparison = self._comparison(asked, method=method, lanes=lanes, weights=weights, kind=kind)
        if among is not None:
            rows = sorted({row for row, _ in among})
            fused, plan = comparison.compared_at(
                np.array(rows, np.intp), recall, whole=part_kind(kind) is None
            )
            found = {
                (place.row, place.part): place for place in _places(asked, comparison, rows, fused, kind)
            }
            places = [found[key] for key in among if key in found]
            return _ranking(asked, comparison, places, fused, plan, kind)
        most, compare = max(k, depth), k
        look_at = most if part_kind(kind) is None else max(2 * k, depth // _PARTS)
        while True:
            fused, plan = comparison.compared(compare, recall, whole=part_kind(kind) is None)
            rows = self._best(fused, look_at, 1 if kind == "document" else None)
            places = _places(asked, comparison, rows, fused, kind)
            if len(places) >= k or (len(rows) < look_at and plan.rescored == plan.units):
                return _ranking(asked, comparison, places[:most], fused, plan, kind)
            # One document filled the best places, or the best units hold few such parts: look at more.
            compare, look_at = 4 * compare, 4 * look_at

    def ahead(self, asked: Sequence[Asking]) -> None:
        """Encode and compare what some queries ask, of `asking`, as one; see `Meeting.ahead`.

        Raises:
            QueryError: one of them cannot be encoded.
        """
        self._meeting.ahead(asked)

    def asking(
        self,
        query: Query,
        *,
        kind: TargetKind | None = None,
        lanes: Sequence[str] | None = None,
        weights: Weights | None = None,
    ) -> Asking:
        """Return what `ranking` will ask for the wanted parts of a query.

        Raises:
            QueryError, InputError: as there.
        """
        return self._asking(self._resolved(query).wanted, kind, lanes, weights)

    def hits(self, ranking: Ranking, places: Sequence[Place], *, first_rank: int = 1) -> list[Hit]:
        """Return a hit for each of some places of a ranking, in their order."""
        return explained(ranking, places, self.encoder.fields, self.snapshot, first_rank=first_rank)

    def scores(self, query: Query, lanes: Sequence[str] | None = None) -> dict[str, Scores]:
        """Return what each lane says of every unit for the wanted parts of a query.

        Returns:
            lane -> (N,) exact scores, NaN where it has nothing.

        Raises:
            QueryError: as in `search`.
        """
        wanted = self._resolved(query).wanted
        return Asked.of(wanted, self._wanted(wanted, lanes), self._meeting).scores()

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

    def _asking(
        self, query: Query, kind: TargetKind | None, lanes: Sequence[str] | None, weights: Weights | None
    ) -> Asking:
        """Return a query of wanted parts as it asks for a kind, and the lanes that count."""
        wanted = self._counting(self._wanted(query, lanes), weights)
        return of_kind(query, kind), wanted

    def _resolved(self, query: Query) -> Resolved:
        reads_pictures = any(field.asks != "text" for field in self.encoder.fields)
        return resolved(query, self.snapshot, self.pictures, reads_pictures=reads_pictures)

    def _comparison(
        self,
        asked: Resolved,
        *,
        method: Method,
        lanes: Sequence[str] | None,
        weights: Weights | None,
        kind: TargetKind | None = None,
    ) -> Comparison:
        """Return the query compared roughly, ready to be compared exactly."""
        check_method(method)
        fusing = Fusing(method, self.encoder.mixture, weights)

        def encoded(query: Query) -> Asked:
            return Asked.of(*self._asking(query, kind, lanes, weights), self._meeting)

        wanted = encoded(asked.wanted)
        asked_for = len(asked.unwanted) - asked.stored
        unwanted = [
            Unwanted(encoded(part), strength, fusing, beside=None if at < asked_for else wanted)
            for at, (part, strength) in enumerate(asked.unwanted)
        ]
        allowed = candidates(self.snapshot, kind, named=asked.named)
        return Comparison(wanted, unwanted, fusing, allowed=allowed, levelling=self.levelling)

    def _best(self, fused: Scores, count: int, per_document: int | None) -> list[int]:
        """Return the rows of the best `count`, in order."""
        ranked = np.flatnonzero(~np.isnan(fused))
        ranked = ranked[np.argsort(_rounded(-fused[ranked]), kind="stable")]
        if per_document is not None:
            ranked = ranked[_within(self.snapshot.owners[ranked], per_document)]
        found: list[int] = ranked[:count].tolist()
        return found


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


def _places(
    asked: Resolved, comparison: Comparison, rows: Sequence[int], fused: Scores, kind: TargetKind | None
) -> list[Place]:
    """Return the places of some units, in their order; or those of their parts, best first."""
    part = part_kind(kind)
    if part is None:
        at = np.asarray(rows, np.intp)
        return places_of(at[~np.isnan(fused[at])], fused, comparison)
    every = ranked_parts(comparison, np.sort(np.array(rows, np.intp)), part)
    return [place for place in every if place.part not in asked.named.get(place.row, ())]


def _ranking(
    asked: Resolved,
    comparison: Comparison,
    places: Sequence[Place],
    fused: Scores,
    plan: SearchPlan,
    kind: TargetKind | None = None,
) -> Ranking:
    return Ranking(
        asked.query,
        asked.text_origins,
        asked.image_origins,
        comparison,
        comparison.wanted.vectors,
        places,
        comparison.lanes,
        fused,
        plan,
        kind,
    )
