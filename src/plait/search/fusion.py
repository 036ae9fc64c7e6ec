"""The one seam where the lanes' scores become one score a unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from plait.errors import InputError, ShapeError
from plait.scoring.mixture import MixtureParameters, mixture

Method = Literal["gated", "zsum", "rrf"]
Lanes = Mapping[str, NDArray[np.float32]]
Fused = NDArray[np.float32]


def fuse(lanes: Lanes, *, method: Method = "gated", parameters: MixtureParameters | None = None) -> Fused:
    """Combine the lanes of one query.

    Args:
        lanes: lane name -> (N,) raw scores, higher is better; NaN where a unit has nothing to compare.
        method: "gated", the learned mixture that leaves out an uninformative side; "zsum", the sum of
            normalised scores; "rrf", the sum of reciprocal ranks.
        parameters: of the mixture; None (never fitted) makes "gated" fall back to "zsum".

    Returns:
        (N,) scores, comparable within this query only; NaN for a unit that no lane has.

    Raises:
        InputError: no lane, or an unknown method.
        ShapeError: lanes of different lengths.
    """
    if not lanes:
        raise InputError("nothing to fuse: expected the scores of at least one lane")
    if len({len(scores) for scores in lanes.values()}) > 1:
        sizes = ", ".join(f"{name} {len(scores)}" for name, scores in lanes.items())
        raise ShapeError(f"the lanes score different numbers of units: {sizes}")
    if method not in get_args(Method):
        raise InputError(f"unknown fusion method {method!r}: use one of {', '.join(get_args(Method))}")
    if method == "rrf":
        fused = reciprocal_ranks(lanes)
    elif method == "gated" and parameters is not None:
        fused = mixture(lanes, parameters).astype(np.float32)
    else:
        fused = z_sum(lanes)
    nowhere = np.all([np.isnan(scores) for scores in lanes.values()], axis=0)
    fused[nowhere] = np.nan
    return fused


def z_sum(lanes: Lanes) -> Fused:
    """Return (N,) the sum of each lane's scores, shifted and scaled to mean 0 and deviation 1.

    A unit that lacks a lane gets that lane's mean, 0: having no figure speaks neither for nor against
    a unit, whereas the lane's minimum would push every unit without figures below all others.
    """
    return sum((_normalised(scores) for scores in lanes.values()), np.zeros(1)).astype(np.float32)


def reciprocal_ranks(lanes: Lanes, *, k: int = 60) -> Fused:
    """Return (N,) the sum over lanes of 1 / (k + rank), ranks from 1; equal scores share the best rank.

    A unit that lacks a lane gets nothing from it, nor does one that shares no word with the query.

    Source: Cormack, Clarke & Büttcher, Reciprocal Rank Fusion (SIGIR 2009).
    """
    fused = np.zeros(len(next(iter(lanes.values()))), np.float32)
    for name, scores in lanes.items():
        ranked = np.flatnonzero(~np.isnan(scores) if name != "bm25" else scores > 0)
        descending = np.sort(-scores[ranked])
        fused[ranked] += 1 / (k + 1 + np.searchsorted(descending, -scores[ranked]))
    return fused


def _normalised(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    there = scores[~np.isnan(scores)].astype(np.float64)
    spread = there.std() if len(there) else 0.0
    if spread < 1e-9:  # all equal: nothing to tell units apart by
        return np.zeros(len(scores))
    normalised = (scores - there.mean()) / spread
    return np.where(np.isnan(scores), 0.0, normalised)
