"""What is unwanted: each such part is a query of its own, and what is like it ranks lower.

For an unwanted part j of weight -w_j, the best of whose wanted fellows has weight w, unit d loses

    w_j / w * (fused_j(d) - fused_j(b)),

where fused_j combines what the lanes say of d for part j, as they are combined for what is wanted, but no
lane says less than its background b: a unit that no lane finds more like the part than units in general
keeps its score, to the last digit. The background of a vector field is the mean of some units all over the
library, and a few of their deviations more; that of BM25 is 0, which is no word shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Scores
from plait.search.asking import BM25, Asked
from plait.search.fusion import Lanes
from plait.search.scale import Fusing

_SAMPLE = 256  # units that tell a field's background
_ONE_BELOW = 0.1587  # share of a normal distribution that lies more than a deviation below its mean
_ROUNDING = 1e-4  # by which scores of equal vectors may differ, by how they were computed
_DEVIATIONS = 2.0  # above their usual score, from which on a unit is like the part


@dataclass(frozen=True)
class Unwanted:
    """One unwanted part.

    Attributes:
        asked: the part as a query.
        strength: how much it counts, of the most wanted part, above 0.
        fusing: how lanes are combined.
    """

    asked: Asked
    strength: float
    fusing: Fusing

    def penalties(self, lanes: Lanes, *, among: Lanes | None = None) -> Scores:
        """Return (N,) what each unit loses, 0 or more.

        Args:
            lanes: lane -> (N,) scores of the part, NaN where a unit has none.
            among: the scores of all units, where `lanes` are those of others, such as parts of units.
        """
        like = [there > self.backgrounds[lane] for lane, there in lanes.items()]
        places = np.flatnonzero(np.any(like, axis=0))
        penalties = np.zeros(len(like[0]), np.float32)
        if len(places):
            raised = {lane: self._raised(lane, there[places]) for lane, there in lanes.items()}
            fused = self.fusing.on_scale(raised, lanes if among is None else among)
            penalties[places] = self.strength * (fused[:-1] - fused[-1])
        return penalties

    @cached_property
    def backgrounds(self) -> Mapping[str, float]:
        """Lane -> the score up to which a unit is no more like the part than others are."""
        return {lane: 0.0 if lane == BM25 else self._background(lane) for lane in self.asked.lanes}

    def _background(self, lane: str) -> float:
        """Return a vector field's; it does not depend on filters, nor on how the field is kept."""
        rows = np.arange(len(self.asked.snapshot))
        some = rows[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(np.intp)]
        scores = self.asked.exact_scores(lane, some)
        return usual(scores[~np.isnan(scores)].astype(np.float64)) + _ROUNDING

    def _raised(self, lane: str, scores: Scores) -> Scores:
        """Return scores raised to the background, and after them the background itself."""
        background = np.float32(self.backgrounds[lane])
        return np.append(np.fmax(scores, background), background)


def usual(scores: NDArray[np.float64]) -> float:
    """Return a few deviations above the median; they are taken below it, where what is alike is not."""
    if not len(scores):
        return 0.0
    low, middle = np.quantile(scores, [_ONE_BELOW, 0.5])
    return float(middle + _DEVIATIONS * (middle - low))
