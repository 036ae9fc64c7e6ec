"""Why a unit was found: the passage and the figure that matched best, and where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from plait.index.base import Snapshot, StoredDocument
from plait.index.lexical import words
from plait.schema import Hit, Passage, Query, Segment, Unit
from plait.scoring.vectors import QueryVectors, VectorField


def explained(
    query: Query,
    vectors: QueryVectors,
    fields: Sequence[VectorField],
    snapshot: Snapshot,
    *,
    rows: Sequence[int],
    scores: Sequence[float],
    lanes: Sequence[Mapping[str, float]],
    first_rank: int = 1,
) -> list[Hit]:
    """Return a hit for each row, in order.

    The passage is the best of the text field if the query has one, else the one that shares the most
    words with the query, else the first. The figure is the best of the image field with the most
    tokens, else the first.

    Args:
        rows: units of the snapshot; `scores` and `lanes` belong to them one by one.
    """
    passages = _best(vectors, fields, snapshot, "passage", rows)
    figures = _best(vectors, fields, snapshot, "figure", rows)
    language = snapshot.language
    asked = {word for text in query.texts for word in words(text, language=language)}
    hits = []
    for place, (unit, document) in enumerate(snapshot.units(rows)):
        passage = _passage(unit, passages[place], asked, language)
        figure = _figure(unit, figures[place])
        hit = _hit(unit, document, passage, figure, by_figure=not query.texts)
        hits.append(replace(hit, rank=first_rank + place, score=scores[place], lanes=lanes[place]))
    return hits


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


def _passage(unit: Unit, best: int | None, asked: set[str], language: str) -> Passage | None:
    if best is not None and best < len(unit.passages):
        return unit.passages[best]
    if not asked:
        return next(iter(unit.passages), None)

    def shared(passage: Passage) -> int:
        return len(asked.intersection(words(passage.text, language=language)))

    return max(unit.passages, key=shared, default=None)


def _figure(unit: Unit, best: int | None) -> Segment | None:
    if best is not None and best < len(unit.figures):
        return unit.figures[best]
    return next(iter(unit.figures), None)


def _hit(
    unit: Unit,
    document: StoredDocument,
    passage: Passage | None,
    figure: Segment | None,
    *,
    by_figure: bool,
) -> Hit:
    place = figure if figure is not None and (by_figure or passage is None) else passage
    if isinstance(place, Passage) and place.table is not None and place.table < len(unit.tables):
        figure = _shown(unit.tables[place.table], figure)
    picture = figure.picture if figure else None
    return Hit(
        rank=1,
        score=0.0,
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
        time=place.time if place else None,
    )


def _shown(table: Segment, figure: Segment | None) -> Segment | None:
    """Return the table that a passage is of, where it is drawn; else the figure."""
    return table if table.picture is not None else figure
