"""The learned numbers that turn the lanes' scores into chances: is anything good there, and is this hit?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from plait.errors import InputError

Side = Literal["text", "image", "both"]  # what a query asks with
SIDES: tuple[Side, ...] = ("text", "image", "both")


@dataclass(frozen=True, slots=True)
class Logistic:
    """A chance from some numbers: 1 / (1 + exp(-(bias + sum of weight x number))).

    Attributes:
        weights: number's name -> weight; 0 or more where more of it means a better match.
    """

    bias: float
    weights: Mapping[str, float]

    def chance(self, values: Mapping[str, float]) -> float:
        """Return a number in [0, 1].

        Raises:
            KeyError: a number that has a weight is not there.
        """
        logit = self.bias + sum(weight * values[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, logit))))


@dataclass(frozen=True, slots=True)
class SideCalibration:
    """What is known of the queries of one side.

    Attributes:
        answerable: how likely the library holds an answer, were half of all queries answerable.
        right: how likely a hit is good where the library holds one.
        least: below which `answerable` says that nothing good was found.
    """

    answerable: Logistic
    right: Logistic
    least: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that was fitted, see `search.calibration`.

    Attributes:
        text, image, both: by what a query asks with.
        shown: how likely a picture that nothing is written about is what words asked for.
        distant: hits that are less likely than so and that no likelier one follows are left out.
    """

    text: SideCalibration
    image: SideCalibration
    both: SideCalibration
    shown: Logistic
    distant: float

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
            if unknown := set(values) - {*SIDES, "shown", "distant"}:
                raise InputError(f"unknown calibration parameter: {', '.join(sorted(unknown))}")
            return cls(**sides, shown=_logistic(values["shown"]), distant=_number(values["distant"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the calibration cannot be read: {error}") from error


def _side(values: Mapping[str, Any]) -> SideCalibration:
    return SideCalibration(
        _logistic(values["answerable"]), _logistic(values["right"]), _number(values["least"])
    )


def _logistic(values: Mapping[str, Any]) -> Logistic:
    weights = {name: _number(weight) for name, weight in values["weights"].items()}
    return Logistic(_number(values["bias"]), weights)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise InputError(f"calibration parameters must be finite numbers, got {value!r}")
    return number
