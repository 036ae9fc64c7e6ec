"""Scores of units of text, of figures and of both, moved to one centre: their kind alone decides nothing.

What an encoder makes of words and of pictures lies in two places of its space, so a lane may score all units
of one kind higher than those of another whatever is asked. For each lane, the units are grouped by which
lanes have something of them, and each group's scores are moved by what its mean is off from that of all:

    s'(u) = s(u) - mean over the group of u + mean over all units.

Means are those of up to 1,024 units of a group, spread over the library. A group of fewer than eight units
stays where it is, as its mean says little.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Scores

_SAMPLE = 1024
_FEWEST = 8


def recentred(lanes: Mapping[str, Scores]) -> dict[str, Scores]:
    """Return the lanes with each group of units moved to the mean of all.

    "bm25" stays as it is: its 0 means that no word matches.

    Args:
        lanes: lane -> (N,) scores, NaN where a unit has nothing.
    """
    groups = _groups(lanes)
    return {lane: there if lane == "bm25" else _moved(there, groups) for lane, there in lanes.items()}


def _groups(lanes: Mapping[str, Scores]) -> NDArray[np.int64]:
    """Return (N,) a number for each unit: which lanes have something of it."""
    has = (~np.isnan(there) for lane, there in lanes.items() if lane != "bm25")
    size = len(next(iter(lanes.values())))
    return sum((one.astype(np.int64) << place for place, one in enumerate(has)), np.zeros(size, np.int64))


def _moved(lane: Scores, groups: NDArray[np.int64]) -> Scores:
    there = ~np.isnan(lane)
    if not there.any():
        return lane
    moved = lane.copy()
    centre = _mean(lane, np.flatnonzero(there))
    for group in np.unique(groups[there]):
        rows = np.flatnonzero(there & (groups == group))
        if len(rows) >= _FEWEST:
            moved[rows] += np.float32(centre - _mean(lane, rows))
    return moved


def _mean(lane: Scores, rows: NDArray[np.intp]) -> float:
    some = rows[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(np.intp)]
    return float(lane[some].mean(dtype=np.float64))
