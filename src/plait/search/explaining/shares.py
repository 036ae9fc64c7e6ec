"""Shares: what each part of a query, each lane and each side of a unit does for a hit."""

from __future__ import annotations

from collections.abc import Mapping

_NOTHING = 1e-6  # of the largest: differences so small are those of rounding


def shares(falls: Mapping[str, float]) -> dict[str, float]:
    """Return falls of a score as shares of what speaks for the hit.

    Those above 0 sum to 1, and those below 0 are on the same scale. If nothing speaks for the hit, what is
    there counts alike where it is but one thing or says nothing at all, and else the shares are below 0 and
    sum to -1.

    Args:
        falls: name -> how much the hit's score falls without it.
    """
    largest = max(map(abs, falls.values()), default=0.0)
    told = {name: fall if abs(fall) > _NOTHING * largest else 0.0 for name, fall in falls.items()}
    total = sum(fall for fall in told.values() if fall > 0) or -sum(told.values())
    if len(told) == 1 or not total:
        return {name: 1 / len(told) for name in told}
    return {name: fall / total for name, fall in told.items()}
