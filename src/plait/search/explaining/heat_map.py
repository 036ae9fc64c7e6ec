"""The heat map over the figure of a hit that a query's pictures matched best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plait.schema import Box, HeatMap, Unit
from plait.scoring.vectors import Vectors
from plait.search.explaining.abilities import KnowsPlaces
from plait.search.explaining.heat import MOST_USUAL, Grid, Heat, cell_box, heat, usual_best
from plait.search.kinds import named_part
from plait.search.ranking import Place, Ranking
from plait.search.searcher import Searcher


def heat_map(searcher: Searcher, ranking: Ranking, place: Place, unit: Callable[[], Unit]) -> HeatMap | None:
    """Return the heat map of a place of a ranking, its picture by its stored path.

    None where the query or the hit has no picture, where token vectors stand for no places, and where the
    library keeps fewer of them than there are places.

    Args:
        unit: gives the place's unit.
    """
    field, grid = _placed(searcher, place)
    if field is None or grid is None:
        return None
    snapshot = searcher.snapshot
    vectors, weights = ranking.vectors.fields[field], ranking.vectors.weights[field]
    number = named_part(unit(), place.part).figure if place.part else None
    if not place.part:
        (number,) = snapshot.best_items(field, vectors, weights, [place.row])
    (figures,) = snapshot.item_vectors(field, [place.row])
    if number is None or number >= len(figures) or figures.shape[1] != grid[0] * grid[1]:
        return None
    usual = usual_best(vectors, _other_figures(searcher, ranking, place, field))
    found = heat(vectors, weights, figures[number], usual)
    figure = unit().figures[number]
    if figure.picture is None or not found.values.any():
        return None
    return HeatMap(
        picture=figure.picture.path,
        rows=grid[0],
        columns=grid[1],
        values=tuple(round(float(value), 4) for value in found.values),
        box=figure.box,
        query_image=_query_image(ranking, found),
        query_box=_query_box(ranking, found, grid),
    )


def _placed(searcher: Searcher, place: Place) -> tuple[str | None, Grid | None]:
    """Return a field of tokens that stand for places and that speaks of the hit, and its grid."""
    encoder = searcher.encoder
    if isinstance(encoder, KnowsPlaces):
        for field in encoder.fields:
            grid = encoder.token_grid(field.name)
            if grid is not None and field.name in place.lanes:
                return field.name, grid
    return None, None


def _other_figures(searcher: Searcher, ranking: Ranking, place: Place, field: str) -> list[Vectors]:
    """Return the tokens of one figure each of some other units, from all over the library."""
    there = np.flatnonzero(~np.isnan(ranking.lanes[field]))
    there = there[there != place.row]
    some = there[np.linspace(0, len(there) - 1, min(MOST_USUAL, len(there))).astype(np.intp)]
    return [figures[0] for figures in searcher.snapshot.item_vectors(field, some.tolist()) if len(figures)]


def _query_image(ranking: Ranking, found: Heat) -> str:
    """Return the part of the query that the strongest place answers."""
    weights = ranking.query.image_weights
    wanted = [name for name, weight in zip(ranking.image_origins, weights, strict=True) if weight > 0]
    return wanted[found.part]


def _query_box(ranking: Ranking, found: Heat, grid: Grid) -> Box:
    """Return the region of a wanted image that the token stands for which the strongest place answers."""
    return cell_box(found.token, grid, ranking.comparison.wanted.query.image_boxes[found.part])
