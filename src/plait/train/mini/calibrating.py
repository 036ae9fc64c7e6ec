"""Fitting the calibration: which queries a library answers, and which hits are good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.errors import TrainError
from plait.scoring.calibration import SIDES, Calibration, Logistic, Side, SideCalibration

Values = Mapping[str, float]
Numbers = NDArray[np.float64]

_WORDS = ("text", "bm25", "known", "words", "units")
_PICTURE = ("image_tokens", "image")
_ANSWERABLE: dict[Side, tuple[str, ...]] = {"text": _WORDS, "image": _PICTURE, "both": _WORDS + _PICTURE}
_RIGHT: dict[Side, tuple[str, ...]] = {
    "text": ("posterior", "behind", "bm25"),
    "image": ("posterior", "behind", "image_tokens"),
    "both": ("posterior", "behind", "bm25", "image_tokens"),
}
_SHOWN = ("figure_words", "units")
_EITHER_WAY = ("words", "units")  # more of these may mean more or less; more of the others, a better match
_RIDGE = 1.0  # on squared weights of numbers of deviation 1
_MOST_LOST = 0.05  # of the answerable queries, with 95 % confidence
_CONFIDENCE = 1.645
_MOST_LEFT_OUT = 0.02  # of the good hits to answerable queries


@dataclass(frozen=True, slots=True)
class Example:
    """A query that was put to a library.

    Attributes:
        manual: of whose words and pictures the library is made; held out together.
        side: what was asked with.
        values: as of `search.calibration.Found`.
        good: whether the library answers it.
        places: of the first hits, as of `Found.of_place`.
        right: which of them are good.
    """

    manual: str
    side: Side
    values: Values
    good: bool
    places: tuple[Values, ...] = ()
    right: tuple[bool, ...] = ()


def fit_calibration(examples: Sequence[Example], shown: Sequence[tuple[Values, bool]]) -> Calibration:
    """Return what explains the examples best.

    Args:
        examples: of two manuals at least.
        shown: what `Found.shown` says of pictures without words, and whether they are what was asked for.

    Raises:
        TrainError: a side without both good and bad queries from two manuals.
    """
    sides = {side: _side(side, [one for one in examples if one.side == side]) for side in SIDES}
    fitted = Calibration(
        **sides, shown=fit_logistic([v for v, _ in shown], [y for _, y in shown], _SHOWN), distant=0.0
    )
    return Calibration(**sides, shown=fitted.shown, distant=_distant(examples, fitted))


def fit_logistic(
    values: Sequence[Values], labels: Sequence[bool], names: Sequence[str], *, balanced: bool = False
) -> Logistic:
    """Return the ridge logistic regression of labels on some numbers.

    A number whose weight would be below 0 is left out, if only more of it can mean a better match.

    Args:
        balanced: whether both labels count the same in all.
    """
    names = list(names)
    while True:
        bias, weights = _newton(np.array([[one[name] for name in names] for one in values]), labels, balanced)
        wrong = [n for n, w in zip(names, weights, strict=True) if w < 0 and n not in _EITHER_WAY]
        if not wrong:
            rounded = {name: round(float(w), 4) for name, w in zip(names, weights, strict=True)}
            return Logistic(round(bias, 4), rounded)
        names.remove(min(wrong, key=lambda name: weights[names.index(name)]))


def _newton(matrix: Numbers, labels: Sequence[bool], balanced: bool) -> tuple[float, Numbers]:
    """Return bias and (n,) weights for a (rows, n) matrix, by 30 steps of Newton's."""
    truth = np.array(labels, np.float64)
    counts = np.where(truth > 0, 0.5 / truth.mean(), 0.5 / (1 - truth.mean())) if balanced else np.ones(len(truth))
    mean, spread = matrix.mean(0), np.maximum(matrix.std(0), 1e-9)
    rows = np.column_stack([np.ones(len(truth)), (matrix - mean) / spread])
    ridge = np.diag([0.0, *[_RIDGE] * matrix.shape[1]])
    weights = np.zeros(rows.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        curvature = rows.T @ (rows * (counts * chance * (1 - chance) + 1e-9)[:, None]) + ridge
        weights = weights - np.linalg.solve(curvature, rows.T @ (counts * (chance - truth)) + ridge @ weights)
    scaled = weights[1:] / spread
    return float(weights[0] - scaled @ mean), scaled


def _side(side: Side, examples: Sequence[Example]) -> SideCalibration:
    manuals = sorted({one.manual for one in examples})
    if len(manuals) < 2 or len({one.good for one in examples}) < 2:
        raise TrainError(
            f"{len(examples)} queries of the side {side!r} from {len(manuals)} manuals: "
            "good and bad ones from two manuals are needed"
        )
    hits = [hit for one in examples if one.good for hit in zip(one.places, one.right, strict=True)]
    right = fit_logistic([values for values, _ in hits], [good for _, good in hits], _RIGHT[side])
    return SideCalibration(_answerable(side, examples), right, _least(side, examples, manuals))


def _answerable(side: Side, examples: Sequence[Example]) -> Logistic:
    return fit_logistic(
        [one.values for one in examples], [one.good for one in examples], _ANSWERABLE[side], balanced=True
    )


def _least(side: Side, examples: Sequence[Example], manuals: Sequence[str]) -> float:
    """Return the largest bound below which so few good queries of a manual that was left out fall."""
    chances = []
    for manual in manuals:
        model = _answerable(side, [one for one in examples if one.manual != manual])
        chances += [model.chance(one.values) for one in examples if one.manual == manual and one.good]
    ordered = np.sort(chances)
    bounds = [value for lost, value in enumerate(ordered) if _upper(lost, len(ordered)) <= _MOST_LOST]
    return round(float(bounds[-1]), 4) if bounds else 0.0


def _upper(lost: int, count: int) -> float:
    """Return the upper bound of a share; Wilson's score interval."""
    z, share = _CONFIDENCE, lost / count
    centre = share + z * z / (2 * count)
    spread = z * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    return (centre + spread) / (1 + z * z / count)


def _distant(examples: Sequence[Example], fitted: Calibration) -> float:
    """Return the largest bound that leaves out so few good hits."""
    sure = []
    for one in examples:
        side = fitted.of(one.side)
        answerable = side.answerable.chance(one.values)
        if one.good and answerable >= side.least:
            sure += [
                answerable * side.right.chance(hit)
                for hit, right in zip(one.places, one.right, strict=True)
                if right
            ]
    return round(float(np.quantile(sure, _MOST_LEFT_OUT)), 4)
