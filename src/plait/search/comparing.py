"""A query compared with the units: wanted lanes fused, less what is unwanted, exact for the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Mask, Scores
from plait.schema import SearchPlan
from plait.search.asking import BM25, Asked
from plait.search.candidates import ranked
from plait.search.fusion import Fused, Lanes
from plait.search.scale import Fusing
from plait.search.unwanted import Unwanted

Rows = NDArray[np.intp]


class Comparison:
    """What every lane says of N units for a query; rough scores become exact as `compared` asks for them.

    Attributes:
        wanted: the wanted parts.
        unwanted: each unwanted part.
    """

    def __init__(
        self, wanted: Asked, unwanted: Sequence[Unwanted], fusing: Fusing, *, allowed: Mask | None = None
    ) -> None:
        """Ask every lane.

        Args:
            fusing: how lanes are combined.
            allowed: (N,) the units that may be found, of those that the filters let through; None means all.

        Raises:
            QueryError: a filter that cannot be meant.
        """
        self.wanted = wanted
        self.unwanted = unwanted
        self._fusing = fusing
        self._asked = {"": wanted} | {f"less {n} ": part.asked for n, part in enumerate(unwanted)}
        self._scores: dict[str, Scores] = {}
        self._rough: list[str] = []
        for whose, asked in self._asked.items():
            scores, rough = asked.rough_scores()
            self._scores |= {whose + lane: there for lane, there in scores.items()}
            self._rough += [whose + lane for lane in rough]
        if allowed is not None:
            for there in self._scores.values():
                there[~allowed] = np.nan

    @property
    def lanes(self) -> Mapping[str, Scores]:
        """Lane -> (N,) scores of the wanted parts."""
        return self._of("", self._scores)

    @property
    def against(self) -> Sequence[Mapping[str, Scores]]:
        """For each unwanted part, lane -> (N,) scores."""
        return [self._of(whose, self._scores) for whose in self._asked if whose]

    def compared(self, k: int, recall: float) -> tuple[Fused, SearchPlan]:
        """Return (N,) scores, NaN for units that were not compared exactly, and how many were.

        Args:
            k: how many of the best are to be right, to the recall.

        Raises:
            InputError: a recall outside (0, 1].
        """
        fused, plan = ranked(self._scores, self._rough, self._exact, self._fused, k=k, recall=recall)
        how = {lane: plan.lanes[lane] for lane in self.lanes}
        return fused, SearchPlan(plan.units, plan.rescored, plan.recall, plan.expected_recall, how)

    def on_scale(self, wanted: Lanes, against: Sequence[Lanes]) -> Fused:
        """Return (R,) what parts of units score among the units.

        Args:
            wanted: lane -> (R,) scores of the wanted parts of the query.
            against: for each unwanted part, lane -> (R,) scores.
        """
        fused = self._fusing.on_scale(wanted, self.lanes)
        for part, rows, units in zip(self.unwanted, against, self.against, strict=True):
            fused -= part.penalties(rows, among=units)
        fused[~evident(wanted)] = np.nan
        return fused

    def _fused(self, scores: dict[str, Scores]) -> Fused:
        lanes = self._of("", scores)
        fused = self._fusing.fused(lanes)
        for whose, part in zip(list(self._asked)[1:], self.unwanted, strict=True):
            fused -= part.penalties(self._of(whose, scores))
        fused[~evident(lanes)] = np.nan
        return fused

    def _exact(self, name: str, rows: Rows) -> Scores:
        whose = next(one for one in reversed(self._asked) if name.startswith(one))
        return self._asked[whose].exact_scores(name.removeprefix(whose), rows)

    def _of(self, whose: str, scores: Mapping[str, Scores]) -> dict[str, Scores]:
        named = {lane: whose + lane for lane in self._asked[whose].lanes}
        return {lane: scores[name] for lane, name in named.items() if name in scores}


def evident(scores: Mapping[str, Scores]) -> NDArray[np.bool_]:
    """Return (N,) True where some lane speaks for the unit: a vector to compare, or a shared word."""
    speaks = [there > 0 if lane == BM25 else ~np.isnan(there) for lane, there in scores.items()]
    evident: NDArray[np.bool_] = np.logical_or.reduce(speaks)
    return evident
