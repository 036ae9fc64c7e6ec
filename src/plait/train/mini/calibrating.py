"""Fitting the calibration: which queries a library answers, and which hits are good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
_MOST_LOST = 0.05  # of the answerable queries
_LOSS = 1.5  # what a share of these lost counts, against an equal share of the others answered
_MOST_LEFT_OUT = 0.01  # of the answers that were found
# The label of a picture is its copy alone; people who ask with one also want what looks like it.
_MOST_DISTANT = 0.1
_HIT = ("answerable", "right")


@dataclass(frozen=True, slots=True)
class Example:
    """A query that was put to a library.

    Attributes:
        manual: of whose words and pictures the library is made; held out together.
        side: what was asked with.
        values: as of `search.calibration.Found`.
        good: whether the library answers it.
        places: of the first hits, as of `Found.of_places`.
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
    return Calibration(**sides, shown=fit_logistic([v for v, _ in shown], [y for _, y in shown], _SHOWN))


def fit_logistic(
    values: Sequence[Values], labels: Sequence[bool], names: Sequence[str], *, counts: Numbers | None = None
) -> Logistic:
    """Return the ridge logistic regression of labels on some numbers.

    A number whose weight would be below 0 is left out, if only more of it can mean a better match.

    Args:
        counts: (values,) how much each counts; None means 1 each.
    """
    names = list(names)
    counted = np.ones(len(values)) if counts is None else counts
    while True:
        matrix = np.array([[one[name] for name in names] for one in values])
        bias, weights = _newton(matrix, np.array(labels, np.float64), counted)
        wrong = [n for n, w in zip(names, weights, strict=True) if w < 0 and n not in _EITHER_WAY]
        if not wrong:
            rounded = {name: round(float(w), 4) for name, w in zip(names, weights, strict=True)}
            return Logistic(round(bias, 4), rounded)
        names.remove(min(wrong, key=lambda name: weights[names.index(name)]))


def balanced(labels: Sequence[bool]) -> Numbers:
    """Return (labels,) counts with which both labels count the same in all."""
    truth = np.array(labels, np.bool_)
    counts: Numbers = np.where(truth, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    return counts


def _newton(matrix: Numbers, truth: Numbers, counts: Numbers) -> tuple[float, Numbers]:
    """Return bias and (n,) weights for a (rows, n) matrix, by 30 steps of Newton's."""
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
    answerable = _answerable(side, examples)
    hits = [hit for one in examples if one.good for hit in zip(one.places, one.right, strict=True)]
    right = fit_logistic([values for values, _ in hits], [good for _, good in hits], _RIGHT[side])
    hit, least = _hit(examples, answerable, right), _least(side, examples, manuals)
    fitted = SideCalibration(answerable, right, hit, least, distant=0.0)
    return replace(fitted, distant=_distant(examples, fitted))


def _answerable(side: Side, examples: Sequence[Example]) -> Logistic:
    labels = [one.good for one in examples]
    return fit_logistic([one.values for one in examples], labels, _ANSWERABLE[side], counts=balanced(labels))


def _hit(examples: Sequence[Example], answerable: Logistic, right: Logistic) -> Logistic:
    """Return the model of first hits; good and bad queries count the same in all."""
    first = [one for one in examples if one.places]
    values = [
        {"answerable": answerable.odds(one.values), "right": right.odds(one.places[0])} for one in first
    ]
    counts = balanced([one.good for one in first])
    return fit_logistic(values, [one.right[0] for one in first], _HIT, counts=counts)


def _least(side: Side, examples: Sequence[Example], manuals: Sequence[str]) -> float:
    """Return the bound at which least is lost, of queries about manuals that were left out."""
    good: list[float] = []
    bad: list[float] = []
    for manual in manuals:
        model = _answerable(side, [one for one in examples if one.manual != manual])
        for one in examples:
            if one.manual == manual:
                (good if one.good else bad).append(model.chance(one.values))
    bounds, below = np.sort(good), np.sort(bad)
    lost = np.arange(len(bounds)) / len(bounds)
    gained = np.searchsorted(below, bounds) / len(below) - _LOSS * lost
    return round(float(bounds[np.argmax(np.where(lost <= _MOST_LOST, gained, -np.inf))]), 4)


def _distant(examples: Sequence[Example], fitted: SideCalibration) -> float:
    """Return the largest share of the best confidence that leaves out so few answers."""
    ratios = []
    for one in examples:
        if one.good and any(one.right):
            sure = [fitted.confidence(one.values, place) for place in one.places]
            ratios.append(max(sure[one.right.index(True) :]) / max(sure))
    return round(min(_MOST_DISTANT, float(np.quantile(ratios, _MOST_LEFT_OUT))), 4)
