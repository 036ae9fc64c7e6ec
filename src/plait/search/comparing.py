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
from plait.search.levelling import Levelling, levelled
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
        self,
        wanted: Asked,
        unwanted: Sequence[Unwanted],
        fusing: Fusing,
        *,
        allowed: Mask | None = None,
        levelling: Levelling | None = None,
    ) -> None:
        """Ask every lane.

        Args:
            fusing: how lanes are combined.
            allowed: (N,) the units that may be found, of those that the filters let through; None means all.
            levelling: what is done to the wanted parts' lanes before they are combined; None means nothing.

        Raises:
            QueryError: a filter that cannot be meant.
        """
        self.wanted = wanted
        self.unwanted = unwanted
        self._fusing = fusing
        self._asked: dict[str, tuple[Asked, str]] = {}
        self._scores: dict[str, Scores] = {}
        self._rough: list[str] = []
        self._pooled: list[str] = []
        self._named = [self._ask(wanted, "")]
        self._named += [self._ask(part.asked, f"less {n} ") for n, part in enumerate(unwanted)]
        self._moves: Lanes = {} if levelling is None else levelling.moves(wanted)
        if allowed is not None:
            for there in self._scores.values():
                there[~allowed] = np.nan

    @property
    def lanes(self) -> Mapping[str, Scores]:
        """Lane -> (N,) raw scores of the wanted parts."""
        return _lanes(self._named[0], self._scores)

    @property
    def against(self) -> Sequence[Mapping[str, Scores]]:
        """For each unwanted part, lane -> (N,) scores."""
        return [_lanes(names, self._scores) for names in self._named[1:]]

    def compared(self, k: int, recall: float, *, whole: bool = True) -> tuple[Fused, SearchPlan]:
        """Return (N,) scores, NaN for units that were not compared exactly, and how many were.

        Args:
            k: how many of the best are to be right, to the recall.
            whole: whether units are to be found; of their parts, some may be free of what is unwanted.

        Raises:
            InputError: a recall outside (0, 1].
        """
        fuse, some = (self._fused, self._fused_some) if whole else (self._wanted, self._wanted_some)
        fused, plan = ranked(
            self._scores,
            self._rough,
            self._exact,
            fuse,
            k=k,
            recall=recall,
            fuse_some=some,
            keeps_order=not self._moves,
            pooled=self._pooled,
        )
        how = {lane: plan.lanes[lane] for lane in self.lanes}
        return fused, SearchPlan(plan.units, plan.rescored, plan.recall, plan.expected_recall, how)

    def compared_at(self, rows: Rows, recall: float, *, whole: bool = True) -> tuple[Fused, SearchPlan]:
        """Return (N,) scores, NaN for all units but some, which are compared exactly.

        Args:
            rows: those units; one that a filter leaves out, or of which no lane speaks, gets NaN too.
            recall, whole: as of `compared`, by which the scale of scores is found.
        """
        _, plan = self.compared(1, recall, whole=whole)
        for name in self._rough:
            known = rows[~np.isnan(self._scores[name][rows])]
            self._scores[name][known] = self._exact(name, known)
        fused = np.full(len(self.wanted.snapshot), np.nan, np.float32)
        fused[rows] = (self._fused_some if whole else self._wanted_some)(self._scores, rows)
        return fused, plan

    def on_scale(self, wanted: Lanes, against: Sequence[Lanes], *, units: Rows) -> Fused:
        """Return (R,) what parts of units score among the units.

        Args:
            wanted: lane -> (R,) scores of the wanted parts of the query.
            against: for each unwanted part, lane -> (R,) scores.
            units: (R,) the unit of each.
        """
        fused = self._fusing.on_scale(levelled(wanted, self._moves, units), levelled(self.lanes, self._moves))
        for part, rows, every in zip(self.unwanted, against, self.against, strict=True):
            fused -= part.penalties(rows, wanted, among=(every, self.lanes))
        fused[~evident(wanted)] = np.nan
        return fused

    def _ask(self, asked: Asked, prefix: str) -> dict[str, str]:
        """Ask every lane of a query; return lane -> the name under which its scores are kept."""
        scores, rough = asked.rough_scores()
        self._rough += [prefix + lane for lane in rough]
        self._pooled += [prefix + lane for lane in rough if asked.snapshot.pools(lane)]
        for lane, there in scores.items():
            self._scores[prefix + lane] = there
            self._asked[prefix + lane] = asked, lane
        return {lane: prefix + lane for lane in scores}

    def _fused(self, scores: dict[str, Scores]) -> Fused:
        fused, lanes = self._wanted(scores), _lanes(self._named[0], scores)
        for part, names in zip(self.unwanted, self._named[1:], strict=True):
            fused -= part.penalties(_lanes(names, scores), lanes)
        return fused

    def _fused_some(self, scores: dict[str, Scores], rows: Rows) -> Fused:
        """Return (rows,) what `_fused` gives for some units."""
        fused, every = self._wanted_some(scores, rows), _lanes(self._named[0], scores)
        some = _of_rows(every, rows)
        for part, names in zip(self.unwanted, self._named[1:], strict=True):
            units = _lanes(names, scores)
            fused -= part.penalties(_of_rows(units, rows), some, among=(units, every))
        return fused

    def _wanted(self, scores: dict[str, Scores]) -> Fused:
        lanes = _lanes(self._named[0], scores)
        fused = self._fusing.fused(levelled(lanes, self._moves))
        fused[~evident(lanes)] = np.nan
        return fused

    def _wanted_some(self, scores: dict[str, Scores], rows: Rows) -> Fused:
        units = _lanes(self._named[0], scores)
        lanes = _of_rows(units, rows)
        fused = self._fusing.on_scale(levelled(lanes, self._moves, rows), levelled(units, self._moves))
        fused[~evident(lanes)] = np.nan
        return fused

    def _exact(self, name: str, rows: Rows) -> Scores:
        asked, lane = self._asked[name]
        return asked.exact_scores(lane, rows)


def evident(scores: Mapping[str, Scores]) -> NDArray[np.bool_]:
    """Return (N,) True where some lane speaks for the unit: a vector to compare, or a shared word."""
    evident = np.zeros(len(next(iter(scores.values()))), np.bool_)
    for lane, there in scores.items():
        evident |= there > 0 if lane == BM25 else there == there  # not NaN
    return evident


def _lanes(names: Mapping[str, str], scores: Mapping[str, Scores]) -> dict[str, Scores]:
    return {lane: scores[name] for lane, name in names.items()}


def _of_rows(lanes: Lanes, rows: Rows) -> dict[str, Scores]:
    return {lane: there[rows] for lane, there in lanes.items()}
