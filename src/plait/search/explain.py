"""Why a unit was found: the passage and the figure that matched best, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plait.index.base import Snapshot, StoredDocument
from plait.index.lexical import words
from plait.schema import Hit, HitKind, Passage, Segment, TargetKind, Unit
from plait.scoring.vectors import QueryVectors, VectorField
from plait.search.kinds import named_part
from plait.search.part_ids import KIND_OF, part_id
from plait.search.ranking import Place, Ranking


def explained(
    ranking: Ranking,
    places: Sequence[Place],
    fields: Sequence[VectorField],
    snapshot: Snapshot,
    *,
    first_rank: int = 1,
) -> list[Hit]:
    """Return a hit for each of some places of a ranking, in order.

    A passage, figure or table that was ranked is what is shown; a table by its best passage, a figure with
    the passage nearest to it. Of a unit, the passage is the best of the text field if the query has one,
    else the one that shares the most words with the query, else the first; the figure is the best of the
    image field with the most tokens, else the first.
    """
    rows = [place.row for place in places]
    passages = _best(ranking.vectors, fields, snapshot, "passage", rows)
    figures = _best(ranking.vectors, fields, snapshot, "figure", rows)
    language = snapshot.language
    texts = ranking.query.wanted.texts
    asked = {word for text in texts for word in words(text, language=language)}
    hits = []
    for at, (unit, document) in enumerate(snapshot.units(rows)):
        part = places[at].part
        found = _Found(
            _passage(unit, passages[at], asked, language, among=_passages_of(unit, part)),
            _figure(unit, figures[at], part),
            part[:1] == "f" or (not texts and not part),
        )
        hits.append(_hit(unit, document, found, places[at], ranking.kind, rank=first_rank + at))
    return hits


@dataclass(frozen=True, slots=True)
class _Found:
    """What is shown of a unit.

    Attributes:
        passage, figure: the best of each; None where it has none, or none is shown.
        by_figure: whether the figure is what was found, and its place the place to look at.
    """

    passage: Passage | None
    figure: Segment | None
    by_figure: bool


def _best(
    vectors: QueryVectors,
    fields: Sequence[VectorField],
    snapshot: Snapshot,
    items: str,
    rows: Sequence[int],
) -> list[int | None]:
    """Return, for each row, the item that matched best in the richest field of such items."""
    asked = [field for field in fields if field.items == items and field.name in vectors.fields]
    if not asked:
        return [None] * len(rows)
    name = max(asked, key=lambda field: field.tokens).name
    return snapshot.best_items(name, vectors.fields[name], vectors.weights[name], rows)


def _passages_of(unit: Unit, part: str) -> Sequence[int]:
    """Return the places of the passages that may be shown for a part of a unit, or for all of it."""
    if not part:
        return range(len(unit.passages))
    return named_part(unit, part).passages


def _passage(
    unit: Unit, best: int | None, asked: set[str], language: str, *, among: Sequence[int]
) -> Passage | None:
    """Return the best of some passages."""
    if best is not None and best in among:
        return unit.passages[best]
    some = [unit.passages[place] for place in among]
    if not asked:
        return next(iter(some), None)

    def shared(passage: Passage) -> int:
        return len(asked.intersection(words(passage.text, language=language)))

    return max(some, key=shared, default=None)


def _figure(unit: Unit, best: int | None, part: str) -> Segment | None:
    """Return the figure that was ranked or matched best; none for a passage, which shows itself."""
    if part[:1] == "f":
        return unit.figures[int(part[1:])]
    if part:
        return None
    if best is not None and best < len(unit.figures):
        return unit.figures[best]
    return next(iter(unit.figures), None)


def _hit(
    unit: Unit, document: StoredDocument, found: _Found, ranked: Place, kind: TargetKind | None, *, rank: int
) -> Hit:
    passage, figure, part = found.passage, found.figure, ranked.part
    place = figure if figure is not None and (found.by_figure or passage is None) else passage
    table = unit.tables[int(part[1:])] if part[:1] == "t" else None
    if table is not None:
        place, figure = table, table
    elif isinstance(place, Passage) and place.table is not None and place.table < len(unit.tables):
        figure = _shown(unit.tables[place.table], figure)
    picture = figure.picture if figure else None
    return Hit(
        rank=rank,
        score=ranked.score,
        unit_id=unit.id,
        document_id=document.id,
        title=unit.title,
        source=document.source,
        section=unit.section if place is None or place.section is None else place.section,
        page=unit.page if place is None or place.page is None else place.page,
        box=place.box if place else None,
        anchor=place.anchor if place else "",
        passage=passage.text if passage else "",
        picture=picture.path if picture else None,
        caption=figure.caption if figure else "",
        page_picture=unit.page_picture.path if unit.page_picture else None,
        metadata=document.metadata,
        lanes=ranked.lanes,
        time=place.time if place else None,
        kind=_hit_kind(unit, part, kind),
        part_id=part_id(unit.id, part) if part else document.id if kind == "document" else "",
    )


def _hit_kind(unit: Unit, part: str, kind: TargetKind | None) -> HitKind:
    if part:
        return KIND_OF[part[0]]
    if kind == "document":
        return "document"
    return "section" if unit.page is None else "page"


def _shown(table: Segment, figure: Segment | None) -> Segment | None:
    """Return the table that a passage is of, where it is drawn; else the figure."""
    return table if table.picture is not None else figure
