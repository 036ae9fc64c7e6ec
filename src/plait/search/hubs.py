"""Units that are near to every query, held back by how near they are to a bank of queries.

In many dimensions some units are among the nearest of far more queries than others are, whatever is asked.
A bank of queries tells which: with r(u) the mean of the highest `NEAREST` scores of u over the bank,

    s'(u) = s(u) - strength * (r(u) - mean of r).

A strength of 0.5 ranks as cross-domain similarity local scaling does, whose other term is a constant of the
query.

Source: Conneau et al., Word Translation Without Parallel Data (ICLR 2018), section 2.3; Bogolin et al.,
Cross Modal Retrieval with Querybank Normalisation (CVPR 2022), for the bank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from plait.errors import InputError
from plait.index.base import Scores

NEAREST = 10  # of the bank's queries


@dataclass(frozen=True, slots=True)
class Hubs:
    """How near each of N units is to any query.

    Memory: 4 bytes a unit for each lane.

    Attributes:
        excess: lane -> (N,) r(u) less its mean; 0 for a unit that has nothing in the lane.
    """

    excess: Mapping[str, Scores]

    @classmethod
    def of(cls, bank: Iterable[tuple[str, Scores]], *, nearest: int = NEAREST) -> Hubs:
        """Return what a bank tells.

        Args:
            bank: lanes and (B, N) scores of the bank's queries; NaN where a unit has nothing, and where a
                query was made of the unit itself.

        Raises:
            InputError: a bank without queries.
        """
        return cls({lane: _excess(scores, nearest) for lane, scores in bank})

    def moves(self, lanes: Iterable[str], *, strength: float) -> dict[str, Scores]:
        """Return lane -> (N,) what is to be added to its scores, of those lanes that the bank knows."""
        known = (lane for lane in lanes if lane in self.excess)
        return {lane: -np.float32(strength) * self.excess[lane] for lane in known}


def _excess(scores: Scores, nearest: int) -> Scores:
    """Return (N,) the mean of each unit's highest scores, less the mean of that."""
    if not len(scores):
        raise InputError("a bank needs a query at least")
    there = ~np.isnan(scores)
    highest = -np.sort(-np.where(there, scores, -np.inf), axis=0)[:nearest]
    counted = np.isfinite(highest)
    mean = np.where(counted, highest, 0).sum(0) / np.maximum(counted.sum(0), 1)
    known = counted.any(0)
    centre = mean[known].mean() if known.any() else 0.0
    return np.where(known, mean - centre, 0).astype(np.float32)
