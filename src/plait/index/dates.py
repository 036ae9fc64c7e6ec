"""ISO dates as numbers that compare as far as both of two dates go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# bits to the right of each part in the packed number: 4 of month, 5 of day, 5 of hour, 6 of minute and second
_SHIFTS = {"year": 26, "month": 22, "day": 17, "hour": 12, "minute": 6, "second": 0}
_LONGEST = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_ISO = (
    r"\A(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]+)?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?)?)?\z"
)


@dataclass(frozen=True, eq=False)
class Dates:
    """D dates: years, months, days, or days with a time.

    Attributes:
        packed: (D,) the parts of each, side by side; -1 for what is no date.
        shifts: (D,) how many bits of it lie below its last part.
    """

    packed: NDArray[np.int64]
    shifts: NDArray[np.int64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """(D,) True where there is a date."""
        return self.packed >= 0

    def holds(self, compare: Callable[..., NDArray[np.bool_]], other: Dates) -> NDArray[np.bool_]:
        """Return (D,) the comparison with one other date, as far as both go.

        2024-05-01 is not before, not after, and so both <= and >= 2024. Meaningless where either is unknown.
        """
        shifts = np.maximum(self.shifts, other.shifts)
        return compare(self.packed >> shifts, other.packed >> shifts)


def dates(texts: pa.StringArray) -> Dates:
    """Return the dates that D texts are: "2024", "2024-05", "2024-05-01", "2024-05-01T10:00" and with ":30".

    Days must exist. Fractions of a second and time zones are not looked at.
    """
    parts = pc.extract_regex(texts, _ISO)
    packed = np.zeros(len(texts), np.int64)
    shifts = np.full(len(texts), _SHIFTS["year"], np.int64)
    numbers = {}
    for name, shift in _SHIFTS.items():
        digits = pc.struct_field(parts, name)
        given = pc.fill_null(pc.not_equal(digits, ""), False)
        number = pc.fill_null(pc.cast(pc.if_else(given, digits, None), pa.int64()), _ABSENT[name])
        numbers[name] = number.to_numpy(zero_copy_only=False)
        packed |= numbers[name] << shift
        shifts[given.to_numpy(zero_copy_only=False)] = shift
    packed[~_exists(**numbers)] = -1
    return Dates(packed, shifts)


_ABSENT = {"year": -1, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}


def _exists(
    year: NDArray[np.int64],
    month: NDArray[np.int64],
    day: NDArray[np.int64],
    hour: NDArray[np.int64],
    minute: NDArray[np.int64],
    second: NDArray[np.int64],
) -> NDArray[np.bool_]:
    in_year = (month >= 1) & (month <= 12)
    longest = _LONGEST[np.where(in_year, month, 0)]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = np.where((month == 2) & ~leap, 28, longest)
    in_day = (hour <= 23) & (minute <= 59) & (second <= 59)
    exists: NDArray[np.bool_] = (year >= 0) & in_year & (day >= 1) & (day <= longest) & in_day
    return exists
