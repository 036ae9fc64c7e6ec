"""The one seam where the lanes' scores become one score a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from numbers import Real
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from plait.errors import InputError, ShapeError
from plait.scoring.mixture import MixtureParameters, mixture, nowhere

Method = Literal["gated", "zsum", "rrf"]
Lanes = Mapping[str, NDArray[np.float32]]
Weights = Mapping[str, float]  # lane name -> how much it counts; 1 where it is not named, 0 leaves it out
Fused = NDArray[np.float32]

SMALLEST_SPREAD = 1e-9  # a lane whose scores deviate less tells no units apart
RANK_OFFSET = 60  # of reciprocal ranks


def fuse(
    lanes: Lanes,
    *,
    method: Method = "gated",
    parameters: MixtureParameters | None = None,
    weights: Weights | None = None,
) -> Fused:
    """Combine the lanes of one query.

    Args:
        lanes: lane name -> (N,) raw scores, higher is better; NaN where a unit has nothing to compare.
        method: "gated", the learned mixture that leaves out an uninformative side; "zsum", the sum of
            normalised scores; "rrf", the sum of reciprocal ranks.
        parameters: of the mixture; None (never fitted) makes "gated" fall back to "zsum".
        weights: what each lane counts, 0 or more: its share of the sum in "zsum" and "rrf", its evidence in
            "gated", see `weighted`. Lanes that are not there may be named. None means 1 each.

    Returns:
        (N,) scores, comparable within this query only; NaN for a unit that no lane has.

    Raises:
        InputError: no lane, an unknown method, or a weight below 0.
        ShapeError: lanes of different lengths.
    """
    if not lanes:
        raise InputError("nothing to fuse: expected the scores of at least one lane")
    if len({len(scores) for scores in lanes.values()}) > 1:
        sizes = ", ".join(f"{name} {len(scores)}" for name, scores in lanes.items())
        raise ShapeError(f"the lanes score different numbers of units: {sizes}")
    check_method(method)
    if weights is not None:
        check_weights(weights)
        lanes = _counting(lanes, weights)
        parameters = None if parameters is None else weighted(parameters, weights, lanes)
    if method == "gated" and parameters is not None:
        return mixture(lanes, parameters)
    fused = reciprocal_ranks(lanes, weights=weights) if method == "rrf" else z_sum(lanes, weights=weights)
    silent = nowhere(list(lanes.values()))
    if silent is not None:
        fused[silent] = np.nan
    return fused


def check_method(method: str) -> None:
    """Refuse a method that there is not.

    Raises:
        InputError: naming those there are.
    """
    if method not in get_args(Method):
        raise InputError(f"unknown fusion method {method!r}: use one of {', '.join(get_args(Method))}")


def check_weights(weights: Weights) -> None:
    """Refuse weights that are not numbers of 0 or more.

    Raises:
        InputError: naming the first such.
    """
    given: Mapping[str, object] = weights
    for lane, weight in given.items():
        if not (isinstance(weight, Real) and isfinite(weight) and float(weight) >= 0):
            raise InputError(f"the weight of lane {lane} must be a number of 0 or more, got {weight!r}")


def weighted(parameters: MixtureParameters, weights: Weights, lanes: Lanes) -> MixtureParameters:
    """Return the mixture in which each lane's evidence counts so many times.

    The two biases are parts of what a figure says, so they are multiplied too: with both image lanes at
    weight w, v(d) becomes w v(d), and the similarity from which on a figure counts stays where it was. An
    image lane that is not there counts as the one that stands in for it.

    Args:
        lanes: those that speak.
    """
    times = {name: weights.get(name, 1.0) for name in _EVIDENCE}
    for lane, other in (_IMAGE, _IMAGE[::-1]):
        if lane not in lanes and other in lanes:
            times[lane] = times[other]
    scaled = {name: times[name] * getattr(parameters, name) for name in _EVIDENCE}
    of_image = sum(getattr(parameters, name) for name in _IMAGE)
    image = sum(scaled[name] for name in _IMAGE) / of_image if of_image else 1.0
    return replace(
        parameters,
        **scaled,
        image_bias=image * parameters.image_bias,
        figure_bias=times["figure_words"] * parameters.figure_bias,
    )


def z_sum(lanes: Lanes, *, weights: Weights | None = None) -> Fused:
    """Return (N,) the sum of each lane's scores, shifted and scaled to mean 0 and deviation 1.

    A unit that lacks a lane gets that lane's mean, 0: having no figure speaks neither for nor against
    a unit, whereas the lane's minimum would push every unit without figures below all others.
    """
    times = weights or {}
    shares = (times.get(name, 1.0) * _normalised(scores) for name, scores in lanes.items())
    return sum(shares, np.zeros(1)).astype(np.float32)


def reciprocal_ranks(lanes: Lanes, *, k: int = RANK_OFFSET, weights: Weights | None = None) -> Fused:
    """Return (N,) the sum over lanes of 1 / (k + rank), ranks from 1; equal scores share the best rank.

    A unit that lacks a lane gets nothing from it, nor does one that shares no word with the query.

    Source: Cormack, Clarke & Büttcher, Reciprocal Rank Fusion (SIGIR 2009).
    """
    fused = np.zeros(len(next(iter(lanes.values()))), np.float32)
    for name, scores in lanes.items():
        ranked = np.flatnonzero(~np.isnan(scores) if name != "bm25" else scores > 0)
        descending = np.sort(-scores[ranked])
        share = 1 / (k + 1 + np.searchsorted(descending, -scores[ranked]))
        fused[ranked] += (weights or {}).get(name, 1.0) * share
    return fused


def _counting(lanes: Lanes, weights: Weights) -> Lanes:
    """Return the lanes without those of weight 0."""
    counting = {name: scores for name, scores in lanes.items() if weights.get(name, 1.0)}
    if not counting:
        raise InputError(f"every lane of {', '.join(lanes)} has weight 0: give one of them more")
    return counting


def _normalised(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    there = scores[~np.isnan(scores)].astype(np.float64)
    spread = there.std() if len(there) else 0.0
    if spread < SMALLEST_SPREAD:  # all equal: nothing to tell units apart by
        return np.zeros(len(scores))
    normalised = (scores - there.mean()) / spread
    return np.where(np.isnan(scores), 0.0, normalised)


_IMAGE = ("image_tokens", "image")
_EVIDENCE = ("text", "bm25", *_IMAGE, "figure_words", "ret")
