"""What a query found before it becomes an answer: places in order, and what every lane said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Scores
from plait.schema import Query, SearchPlan, TargetKind
from plait.scoring.vectors import QueryVectors
from plait.search.comparing import Comparison


@dataclass(frozen=True, slots=True)
class Place:
    """A unit that was ranked, or a part of one.

    Attributes:
        row: the unit, as a row of the snapshot.
        score: higher is better; comparable within one ranking.
        lanes: what each lane says of it, as raw scores; lanes that have nothing to say are not there.
        part: which part of the unit: "p2", "f0", "t1" of its passages, figures and tables; "" for all of it.
        against: for each unwanted part of the query, what each lane says of it.
    """

    row: int
    score: float
    lanes: Mapping[str, float] = field(default_factory=dict)
    part: str = ""
    against: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best places for a query, and what was compared to find them.

    Attributes:
        query: what was asked, of texts and images alone: what was liked is among them.
        text_origins, image_origins: what each of its texts and images is of the query as it was asked:
            "text 2", "image 1", "like 1", counted from 1.
        comparison: of its parts with the units.
        vectors: of the wanted parts, as the encoder made them.
        places: best first; as many as were asked for, where there are, and more where more were compared.
        lanes: lane -> (N,) raw scores of the wanted parts, NaN where a unit was not asked or has nothing.
        fused: (N,) the units' scores, those of units of parts without what is unwanted; NaN for units that
            were not compared exactly.
        plan: how they were found.
        kind: of what the places are; None for units.
    """

    query: Query
    text_origins: tuple[str, ...]
    image_origins: tuple[str, ...]
    comparison: Comparison
    vectors: QueryVectors
    places: Sequence[Place]
    lanes: Mapping[str, Scores]
    fused: Scores
    plan: SearchPlan
    kind: TargetKind | None = None


def places_of(rows: Sequence[int] | NDArray[np.intp], fused: Scores, comparison: Comparison) -> list[Place]:
    """Return the places of some units, in their order."""
    at = np.asarray(rows, np.intp)
    lanes = _said_of(comparison.lanes, at)
    parts = [_said_of(part, at) for part in comparison.against]
    against = zip(*parts, strict=True) if parts else repeat((), len(at))
    return [
        Place(row, score, of_lanes, "", of_parts)
        for row, score, of_lanes, of_parts in zip(
            at.tolist(), fused[at].tolist(), lanes, against, strict=True
        )
    ]


def _said_of(lanes: Mapping[str, Scores], rows: NDArray[np.intp]) -> list[dict[str, float]]:
    """Return `said` of each of some rows."""
    every = zip(*(there[rows].tolist() for there in lanes.values()), strict=True)
    return [
        {lane: number for lane, number in zip(lanes, numbers, strict=True) if number == number}  # not NaN
        for numbers in every
    ]


def said(lanes: Mapping[str, Scores], at: int) -> dict[str, float]:
    """Return what each lane says at one place; lanes that have nothing to say are not there."""
    return {lane: float(there[at]) for lane, there in lanes.items() if not np.isnan(there[at])}
