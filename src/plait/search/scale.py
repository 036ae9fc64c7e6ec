"""The fused scores of N units as a scale, on which parts of units and made-up ones can be scored alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Scores
from plait.scoring.mixture import MixtureParameters, mixture, nowhere
from plait.search.fusion import RANK_OFFSET, SMALLEST_SPREAD, Fused, Lanes, Method, Weights, fuse, weighted


@dataclass(frozen=True, slots=True)
class Fusing:
    """How lanes are combined; see `fuse`.

    Attributes:
        method, parameters, weights: as of `fuse`; no lane of weight 0 is given.
    """

    method: Method
    parameters: MixtureParameters | None
    weights: Weights | None

    def fused(self, lanes: Lanes) -> Fused:
        """Return (N,) the units' scores."""
        return fuse(lanes, method=self.method, parameters=self.parameters, weights=self.weights)

    def on_scale(self, rows: Lanes, units: Lanes) -> Fused:
        """Return (R,) what units with such scores would get among N units, without being counted there.

        Args:
            rows: lane -> (R,) scores, NaN for none; the lanes of `units`.
            units: lane -> (N,) scores.
        """
        if self.method == "gated" and self.parameters is not None:
            fused = self._mixed(rows, units, self.parameters)
        else:
            fused = self._summed(rows, units)
        silent = nowhere(list(rows.values()))
        if silent is not None:
            fused[silent] = np.nan
        return fused

    def _summed(self, rows: Lanes, units: Lanes) -> Fused:
        """Return the sum of what each lane gives, in deviations or by ranks."""
        share = _rank_share if self.method == "rrf" else _z_share
        shares = (self._weight(lane) * share(lane, rows[lane], units[lane]) for lane in rows)
        return sum(shares, np.zeros(1)).astype(np.float32)

    def _weight(self, lane: str) -> float:
        return (self.weights or {}).get(lane, 1.0)

    def _mixed(self, rows: Lanes, units: Lanes, parameters: MixtureParameters) -> Fused:
        """Return the mixture, which takes a lane that a unit lacks to be as the others' mean, or lowest."""
        if self.weights is not None:
            parameters = weighted(parameters, self.weights, units)
        written = any(lane in rows for lane in ("text", "bm25"))
        filled = dict(rows)
        for lane in rows:
            if lane in ("text", "bm25", "ret"):
                filled[lane] = _or(rows[lane], units[lane], np.mean)
            elif lane == "figure_words" and not written:
                filled[lane] = _or(rows[lane], units[lane], np.min)
        return mixture(filled, parameters).astype(np.float32)


def _or(rows: Scores, units: Scores, of: Callable[[Scores], Any]) -> Scores:
    if not np.isnan(rows).any():
        return rows
    there = units[~np.isnan(units)]
    filled: Scores = np.where(np.isnan(rows), of(there) if len(there) else 0.0, rows).astype(np.float32)
    return filled


def _z_share(lane: str, rows: Scores, units: Scores) -> NDArray[np.float64]:
    there = units[~np.isnan(units)].astype(np.float64)
    spread = there.std() if len(there) else 0.0
    if spread < SMALLEST_SPREAD:
        return np.zeros(len(rows))
    return np.where(np.isnan(rows), 0.0, (rows - there.mean()) / spread)


def _rank_share(lane: str, rows: Scores, units: Scores) -> NDArray[np.float64]:
    ranked = np.sort(-units[units > 0 if lane == "bm25" else ~np.isnan(units)])
    speaks = rows > 0 if lane == "bm25" else ~np.isnan(rows)
    share = 1 / (RANK_OFFSET + 1 + np.searchsorted(ranked, -rows))
    return np.where(speaks, share, 0.0)
