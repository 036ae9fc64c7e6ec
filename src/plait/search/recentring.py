"""Scores of units of text, of figures and of both, moved to one centre: their kind alone decides nothing.

What an encoder makes of words and of pictures lies in two places of its space, so a lane may score all units
of one kind higher than those of another whatever is asked. For each lane, each group's scores are moved by
what its mean is off from that of all:

    s'(u) = s(u) - mean over the group of u + mean over all units.

Means are those of up to 1,024 units of a group, spread over the library; that of all weighs the groups by
their sizes. A group of which fewer than eight units are seen stays where it is, as its mean says little.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Scores, Snapshot

_SAMPLE = 1024
_FEWEST = 8
Rows = NDArray[np.intp]
Groups = NDArray[np.int8]


def kinds_of_units(snapshot: Snapshot) -> Groups:
    """Return (N,) a number for each unit: whether it holds passages, figures, both or neither."""
    kinds: Groups = snapshot.holding("passage") + 2 * snapshot.holding("figure").astype(np.int8)
    return kinds


def centring(groups: Groups, scores: Callable[[Rows], Scores]) -> Scores:
    """Return (N,) what is to be added to the units' scores in a lane.

    Args:
        groups: (N,) the group of each unit.
        scores: gives what the lane says of some units, in ascending order; NaN for nothing.
    """
    moves = np.zeros(len(groups), np.float32)
    means, sizes = {}, {}
    for group in np.unique(groups).tolist():
        rows = np.flatnonzero(groups == group)
        some = rows[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(np.intp)]
        said = scores(some)
        there = said[~np.isnan(said)]
        if len(there):
            means[group] = float(there.mean(dtype=np.float64))
            sizes[group] = len(there), len(rows) * len(there) / len(some)
    centre = sum(means[group] * size for group, (_, size) in sizes.items())
    centre /= max(1.0, sum(size for _, size in sizes.values()))
    for group, (seen, _) in sizes.items():
        if seen >= _FEWEST:
            moves[groups == group] = centre - means[group]
    return moves
