"""The learned numbers that turn the lanes' scores into chances: is anything good there, and is this hit?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from plait.errors import InputError

Array = Any  # a number, or numpy.ndarray
Side = Literal["text", "image", "both"]  # what a query asks with
SIDES: tuple[Side, ...] = ("text", "image", "both")
_SURE = 80.0  # odds beyond which exp has no number of single precision


@dataclass(frozen=True, slots=True)
class Logistic:
    """A chance from some numbers: 1 / (1 + exp(-(bias + sum of weight x number))).

    Attributes:
        weights: number's name -> weight; 0 or more where more of it means a better match.
    """

    bias: float
    weights: Mapping[str, float]

    def odds(self, values: Mapping[str, Array]) -> Array:
        """Return the logarithm of the odds, 0 for even ones: a number, or (n,) of (n,) numbers.

        Raises:
            KeyError: a number that has a weight is not there.
        """
        return self.bias + sum(weight * values[name] for name, weight in self.weights.items())

    def chance(self, values: Mapping[str, Array]) -> Array:
        """Return a number in [0, 1], or (n,) of (n,) numbers.

        Raises:
            KeyError: as `odds`.
        """
        return 1 / (1 + np.exp(-np.clip(self.odds(values), -_SURE, _SURE)))


@dataclass(frozen=True, slots=True)
class SideCalibration:
    """What is known of the queries of one side.

    Attributes:
        answerable: how likely the library holds an answer, were half of all queries answerable.
        right: how likely a hit is good where the library holds one.
        hit: how likely a hit is good, were half of all queries answerable; of the logarithms of those odds.
        least: below which `answerable` says that nothing good was found.
        distant: hits that are less than so many times as likely as the best, and that no likelier one
            follows, are left out.
    """

    answerable: Logistic
    right: Logistic
    hit: Logistic
    least: float
    distant: float

    def confidence(self, query: Mapping[str, float], place: Mapping[str, Array]) -> Array:
        """Return how likely a hit is good, in [0, 1]; (n,) of (n,) numbers.

        Args:
            query, place: the numbers that `answerable` and `right` read.
        """
        return self.hit.chance({"answerable": self.answerable.odds(query), "right": self.right.odds(place)})


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that was fitted, see `search.calibration`.

    Attributes:
        text, image, both: by what a query asks with.
        shown: how likely a picture that nothing is written about is what words asked for.
    """

    text: SideCalibration
    image: SideCalibration
    both: SideCalibration
    shown: Logistic

    def of(self, side: Side) -> SideCalibration:
        """Return the numbers of one side."""
        found: SideCalibration = getattr(self, side)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Return the calibration that `to_dict` wrote.

        Raises:
            InputError: a name that is missing or unknown, or a value that is not a finite number.
        """
        try:
            sides = {side: _side(values[side]) for side in SIDES}
            if unknown := set(values) - {*SIDES, "shown"}:
                raise InputError(f"unknown calibration parameter: {', '.join(sorted(unknown))}")
            return cls(**sides, shown=_logistic(values["shown"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the calibration cannot be read: {error}") from error


def _side(values: Mapping[str, Any]) -> SideCalibration:
    models = {name: _logistic(values[name]) for name in ("answerable", "right", "hit")}
    return SideCalibration(**models, least=_number(values["least"]), distant=_number(values["distant"]))


def _logistic(values: Mapping[str, Any]) -> Logistic:
    weights = {name: _number(weight) for name, weight in values["weights"].items()}
    return Logistic(_number(values["bias"]), weights)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise InputError(f"calibration parameters must be finite numbers, got {value!r}")
    return number
