"""What is unwanted: each such part is a query of its own, and what is like it ranks lower.

For an unwanted part j of weight -w_j, the best of whose wanted fellows has weight w, unit d loses

    w_j / w * (fused_j(d) - fused_j(b)),

where fused_j combines what the lanes say of d for part j, as they are combined for what is wanted, but no
lane says less than its background b: a unit that no lane finds more like the part than units in general
keeps its score, to the last digit. The background of a vector field is the median of some units all over
the library, and two of their deviations more; that of BM25 is 0, which is no word shared.

A stored part that is unwanted was mostly found by the very query, so what is wanted is in it too. What it
shares with the wanted parts is then not held against others: of what a lane says for it, the multiple of what
the lane says for the wanted parts is taken off that explains it best.
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
        beside: the wanted parts, where what it shares with them is not held against units; else None.
    """

    asked: Asked
    strength: float
    fusing: Fusing
    beside: Asked | None = None

    def penalties(self, lanes: Lanes, wanted: Lanes, *, among: tuple[Lanes, Lanes] | None = None) -> Scores:
        """Return (N,) what each unit loses, 0 or more.

        Args:
            lanes: lane -> (N,) scores of the part, NaN where a unit has none.
            wanted: those of the wanted parts.
            among: both for all units, where the others are of some or of parts of units.
        """
        lanes = self._apart(lanes, wanted)
        units = lanes if among is None else self._apart(*among)
        like = [there > self.backgrounds[lane] for lane, there in lanes.items()]
        places = np.flatnonzero(np.any(like, axis=0))
        penalties = np.zeros(len(like[0]), np.float32)
        if len(places):
            raised = {lane: self._raised(lane, there[places]) for lane, there in lanes.items()}
            fused = self.fusing.on_scale(raised, units)
            penalties[places] = self.strength * (fused[:-1] - fused[-1])
        return penalties

    @cached_property
    def backgrounds(self) -> Mapping[str, float]:
        """Lane -> the score up to which a unit is no more like the part than others are."""
        return {lane: 0.0 if lane == BM25 else self._background(lane) for lane in self.asked.lanes}

    @cached_property
    def _shared(self) -> Mapping[str, float]:
        """Lane -> the multiple of what it says for the wanted parts that explains best what it says here."""
        if self.beside is None:
            return {}
        both = (lane for lane in self.asked.lanes if lane in self.beside.lanes)
        return {lane: self._shared_in(lane, self.beside) for lane in both}

    def _shared_in(self, lane: str, beside: Asked) -> float:
        if lane == BM25:
            words = beside.word_weights()
            common = sum(weight for word, weight in self.asked.word_weights().items() if word in words)
            return common / sum(words.values()) if common else 0.0
        some = self._some
        ours, theirs = self.asked.exact_scores(lane, some), beside.exact_scores(lane, some)
        there = ~np.isnan(ours) & ~np.isnan(theirs)
        if np.count_nonzero(there) < 2 or not (variance := theirs[there].var()):
            return 0.0
        covariance = np.mean((ours[there] - ours[there].mean()) * (theirs[there] - theirs[there].mean()))
        return max(0.0, float(covariance / variance))

    def _apart(self, lanes: Lanes, wanted: Lanes) -> Lanes:
        """Return the scores of the part without what it shares with the wanted ones."""
        return {
            lane: there - np.float32(self._shared[lane]) * wanted[lane] if self._shared.get(lane) else there
            for lane, there in lanes.items()
        }

    def _background(self, lane: str) -> float:
        """Return a vector field's; it does not depend on filters, nor on how the field is kept."""
        scores = self.asked.exact_scores(lane, self._some)
        if self.beside is not None and self._shared.get(lane):
            scores = self._apart({lane: scores}, {lane: self.beside.exact_scores(lane, self._some)})[lane]
        return usual(scores[~np.isnan(scores)].astype(np.float64)) + _ROUNDING

    @property
    def _some(self) -> NDArray[np.intp]:
        """Rows of units all over the library."""
        units = len(self.asked.snapshot)
        return np.linspace(0, max(0, units - 1), min(_SAMPLE, units)).astype(np.intp)

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
