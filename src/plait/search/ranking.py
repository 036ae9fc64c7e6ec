"""What a query found before it becomes an answer: places in order, and what every lane said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Scores
from plait.schema import Query, SearchPlan, TargetKind
from plait.scoring.vectors import QueryVectors


@dataclass(frozen=True, slots=True)
class Place:
    """A unit that was ranked, or a part of one.

    Attributes:
        row: the unit, as a row of the snapshot.
        score: higher is better; comparable within one ranking.
        lanes: what each lane says of it, as raw scores; lanes that have nothing to say are not there.
        part: which part of the unit: "p2", "f0", "t1" of its passages, figures and tables; "" for all of it.
    """

    row: int
    score: float
    lanes: Mapping[str, float] = field(default_factory=dict)
    part: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best places for a query, and what was compared to find them.

    Attributes:
        query: what was asked, of texts and images alone: what was liked is among them.
        vectors: of the wanted parts, as the encoder made them.
        places: best first; as many as were asked for, where there are, and more where more were compared.
        lanes: lane -> (N,) raw scores of the wanted parts, NaN where a unit was not asked or has nothing.
        fused: (N,) the units' scores; NaN for those that were not compared exactly.
        plan: how they were found.
        kind: of what the places are; None for units.
    """

    query: Query
    vectors: QueryVectors
    places: Sequence[Place]
    lanes: Mapping[str, Scores]
    fused: Scores
    plan: SearchPlan
    kind: TargetKind | None = None


def places_of(
    rows: Sequence[int] | NDArray[np.intp], fused: Scores, lanes: Mapping[str, Scores]
) -> list[Place]:
    """Return the places of some units, in their order."""
    return [
        Place(
            int(row),
            float(fused[row]),
            {lane: float(there[row]) for lane, there in lanes.items() if not np.isnan(there[row])},
        )
        for row in rows
    ]
