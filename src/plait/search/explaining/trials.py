"""What a hit would score if something had not been asked: all such trials at once, on its ranking's scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plait.index.base import Scores
from plait.search.comparing import Comparison

Said = Mapping[str, float]  # lane -> raw score; a lane that has nothing to compare is not there


@dataclass(frozen=True, slots=True)
class Trial:
    """What is otherwise.

    Attributes:
        said: lane -> what it says of the hit then. A lane that says nothing of the hit still says nothing:
            what a unit does not have speaks neither for nor against it.
        ignored: which of the unwanted parts is not asked; None for none.
    """

    said: Said = field(default_factory=dict)
    ignored: int | None = None


@dataclass(frozen=True, slots=True)
class Trials:
    """One hit in its ranking.

    Attributes:
        comparison: the query compared with all units.
        row: the unit that the hit is, or is a part of.
        said: of the hit, by the wanted parts.
        against: of the hit, by each unwanted part.
    """

    comparison: Comparison
    row: int
    said: Said
    against: Sequence[Said] = ()

    def falls(self, trials: Mapping[str, Trial]) -> dict[str, float]:
        """Return how much the hit's score falls in each trial, by name; below 0 where it rises."""
        every = [Trial(), *trials.values()]
        wanted = {
            lane: _row(_changed(self.said, trial.said, lane) for trial in every)
            for lane in self.comparison.lanes
        }
        against = [
            {
                lane: _row(np.nan if trial.ignored == place else said.get(lane, np.nan) for trial in every)
                for lane in lanes
            }
            for place, (said, lanes) in enumerate(zip(self.against, self.comparison.against, strict=True))
        ]
        units = np.full(len(every), self.row, np.intp)
        scores = self.comparison.on_scale(wanted, against, units=units).astype(np.float64)
        return {name: float(scores[0] - score) for name, score in zip(trials, scores[1:], strict=True)}


def mean(scores: Scores) -> float:
    """Return the mean of the scores there are; 0 for none."""
    told = scores[~np.isnan(scores)]
    return float(told.mean(dtype=np.float64)) if len(told) else 0.0


def _changed(said: Said, changed: Said, lane: str) -> float:
    return changed.get(lane, said[lane]) if lane in said else np.nan


def _row(scores: Iterable[float]) -> Scores:
    return np.fromiter(scores, np.float32)
