"""What is to be found, if not units: their passages, figures and tables, or whole documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from plait.encode.items import nearest_passage
from plait.index.base import Mask, Scores, Snapshot
from plait.index.lexical import words
from plait.schema import Filter, Query, Segment, TargetKind, Unit
from plait.search.asking import BM25, Asked
from plait.search.comparing import Comparison
from plait.search.part_ids import KIND_OF, PartKind
from plait.search.ranking import Place, said


def part_kind(kind: TargetKind | None) -> PartKind | None:
    """Return the kind of parts that a target kind means; None where units are ranked."""
    return kind if kind in ("passage", "figure", "table") else None


def of_kind(query: Query, kind: TargetKind | None) -> Query:
    """Return the query asked of pages alone where they are to be found."""
    pages = (Filter("page", ">=", 1),) if kind == "page" else ()
    return replace(query, filters=(*query.filters, *pages))


def candidates(
    snapshot: Snapshot, kind: TargetKind | None, *, named: Mapping[int, frozenset[str]]
) -> Mask | None:
    """Return (N,) True for the units that may be found; None for all.

    Units that hold no part of the kind may not; nor may what the query itself names, as liked or not: the
    whole unit or document where such are to be found, though it named but a part of it.

    Args:
        named: row -> the parts of that unit that are named, "" for all of it.
    """
    part = part_kind(kind)
    mask = np.ones(len(snapshot), np.bool_) if part is None else snapshot.holding(part).copy()
    rows = [row for row, names in named.items() if part is None or "" in names]
    if kind == "document":
        mask[np.isin(snapshot.owners, snapshot.owners[rows])] = False
    mask[rows] = False
    return None if mask.all() else mask


@dataclass(frozen=True, slots=True)
class UnitPart:
    """A passage, figure or table of a unit.

    Attributes:
        name: "p2", "f0", "t1".
        text: its words but for those of its passages: of a figure its caption and alternative text, of a
            table its caption and rows.
        passages: places of the passages that speak for it: a passage itself, those that hold a table's rows,
            the one nearest to a figure.
        figure: its place among the figures; None of another kind.
    """

    name: str
    text: str
    passages: tuple[int, ...]
    figure: int | None = None


def parts_of(unit: Unit, kind: PartKind) -> list[UnitPart]:
    """Return the parts of a kind, in reading order."""
    if kind == "passage":
        return [UnitPart(f"p{at}", "", (at,)) for at in range(len(unit.passages))]
    if kind == "figure":
        return [_figure(unit, at, figure) for at, figure in enumerate(unit.figures)]
    return [_table(unit, at, table) for at, table in enumerate(unit.tables)]


def named_part(unit: Unit, name: str) -> UnitPart:
    """Return the part of a name, which the unit has."""
    return parts_of(unit, KIND_OF[name[0]])[int(name[1:])]


def ranked_parts(comparison: Comparison, rows: NDArray[np.intp], kind: PartKind) -> list[Place]:
    """Return the parts of some units, best first; those of equal scores in reading order.

    A part is scored as a unit that had no other: each of its lanes by its own items. A figure's words are
    scored by the passage nearest to it, and pictures asked with count for passages and tables as they do
    for their unit. Of the unit's BM25 a part has the share of its words, weighed by how rare they are.

    Args:
        rows: units of the snapshot, in the library's order.
    """
    found = _Parts.of(comparison.wanted, rows, kind)
    if not found.rows.size:
        return []
    wanted = found.scores(comparison.wanted, comparison.lanes)
    against = [
        found.scores(part.asked, units)
        for part, units in zip(comparison.unwanted, comparison.against, strict=True)
    ]
    fused = comparison.on_scale(wanted, against, units=found.rows)
    speaking = np.flatnonzero(~np.isnan(fused))
    return [
        Place(
            int(found.rows[at]),
            float(fused[at]),
            said(wanted, at),
            found.parts[at].name,
            tuple(said(part, at) for part in against),
        )
        for at in speaking[np.argsort(-fused[speaking], kind="stable")].tolist()
    ]


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of some units.

    Attributes:
        units: rows of the units, and what they hold.
        parts: (R,) of all units, in order.
        rows: (R,) the unit of each.
        places: (R,) its place in `units`.
    """

    units: Sequence[tuple[int, Unit]]
    parts: Sequence[UnitPart]
    rows: NDArray[np.intp]
    places: NDArray[np.intp]

    @classmethod
    def of(cls, asked: Asked, rows: NDArray[np.intp], kind: PartKind) -> _Parts:
        units = [unit for unit, _ in asked.snapshot.units(rows.tolist())]
        every = [parts_of(unit, kind) for unit in units]
        places = np.repeat(np.arange(len(units)), [len(parts) for parts in every])
        parts = [part for of_unit in every for part in of_unit]
        return cls(list(zip(rows.tolist(), units, strict=True)), parts, rows[places], places)

    def scores(self, asked: Asked, units: Mapping[str, Scores]) -> dict[str, Scores]:
        """Return lane -> (R,) what it says of each part; NaN for nothing.

        Args:
            asked: the query, or an unwanted part of it.
            units: lane -> (N,) what it says of the units.
        """
        fields = {field.name: field for field in asked.fields}
        scores: dict[str, Scores] = {}
        for lane, there in units.items():
            if lane == BM25:
                scores[lane] = there[self.rows] * self._shares(asked, there)
            elif fields[lane].items == "passage":
                scores[lane] = self._by_passages(asked, lane, there)
            else:
                asks_pictures = bool(asked.query.images) and fields[lane].asks != "text"
                shows = asks_pictures or fields[lane].items == "unit"
                scores[lane] = self._by_figures(asked, lane, there, shows=shows)
        return scores

    def _by_passages(self, asked: Asked, lane: str, units: Scores) -> Scores:
        """Return the best of the passages that speak for a part; the unit's score where it has none."""
        items = self._items(asked, lane)
        found = units[self.rows].copy()
        for at, (place, part) in enumerate(zip(self.places.tolist(), self.parts, strict=True)):
            mine = [items[place][passage] for passage in part.passages if passage < len(items[place])]
            if mine:
                found[at] = max(mine)
        return found

    def _by_figures(self, asked: Asked, lane: str, units: Scores, *, shows: bool) -> Scores:
        """Return the score of a part's own figure; for another part the unit's if that `shows` it, or NaN."""
        found = units[self.rows].copy() if shows else np.full(len(self.rows), np.nan, np.float32)
        if all(part.figure is None for part in self.parts):
            return found
        items = self._items(asked, lane)
        for at, (place, part) in enumerate(zip(self.places.tolist(), self.parts, strict=True)):
            if part.figure is not None and part.figure < len(items[place]):
                found[at] = items[place][part.figure]
        return found

    def _items(self, asked: Asked, lane: str) -> list[Scores]:
        return asked.item_scores(lane, np.array([row for row, _ in self.units], np.intp))

    def _shares(self, asked: Asked, bm25: Scores) -> Scores:
        """Return (R,) the weight of the query's words that a part has, of those that its unit has.

        Args:
            bm25: (N,) of the units; where it is 0, there are none, and nothing is looked at.
        """
        weights, language = asked.word_weights(), asked.snapshot.language

        @cache
        def found(text: str) -> frozenset[str]:
            return frozenset(weights.keys() & set(words(text, language=language)))

        def share(unit: Unit, part: UnitPart) -> float:
            own = found(part.text).union(*(found(unit.passages[at].text) for at in part.passages))
            texts = [*(passage.text for passage in unit.passages), *_captions(unit)]
            whole = own.union(*map(found, texts))
            return sum(map(weights.__getitem__, own)) / sum(map(weights.__getitem__, whole)) if own else 0.0

        shares = np.zeros(len(self.parts), np.float32)
        for at in np.flatnonzero(bm25[self.rows] > 0).tolist():
            shares[at] = share(self.units[self.places[at]][1], self.parts[at])
        return shares


def _figure(unit: Unit, place: int, figure: Segment) -> UnitPart:
    nearest = nearest_passage(figure, unit.passages)
    passages = () if nearest is None else (unit.passages.index(nearest),)
    return UnitPart(f"f{place}", f"{figure.caption}\n{figure.text}", passages, place)


def _table(unit: Unit, place: int, table: Segment) -> UnitPart:
    passages = tuple(at for at, passage in enumerate(unit.passages) if passage.table == place)
    return UnitPart(f"t{place}", f"{table.caption}\n{table.text}", passages)


def _captions(unit: Unit) -> list[str]:
    return [f"{figure.caption}\n{figure.text}" for figure in unit.figures]
