"""Rectangles on a page, in points from its top left corner, y downwards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Rect(NamedTuple):
    """A rectangle; left <= right and top <= bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return self.width * self.height

    def grown(self, by: float) -> Rect:
        return Rect(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def meets(self, other: Rect) -> bool:
        """Tell whether the two share any point."""
        return (
            self.left <= other.right
            and other.left <= self.right
            and self.top <= other.bottom
            and other.top <= self.bottom
        )

    def holds_centre_of(self, other: Rect) -> bool:
        x, y = (other.left + other.right) / 2, (other.top + other.bottom) / 2
        return self.left <= x <= self.right and self.top <= y <= self.bottom

    def common(self, other: Rect) -> Rect:
        """Return what both cover; of no area if they are apart."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Rect(
            left, top, max(left, min(self.right, other.right)), max(top, min(self.bottom, other.bottom))
        )


def union(rects: Iterable[Rect]) -> Rect:
    """Return the smallest rectangle around some."""
    lefts, tops, rights, bottoms = zip(*rects, strict=True)
    return Rect(min(lefts), min(tops), max(rights), max(bottoms))


def overlap(low: float, high: float, other_low: float, other_high: float) -> float:
    """Return how much of two intervals is common; negative is the gap between them."""
    return min(high, other_high) - max(low, other_low)


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Return the length that some intervals cover together."""
    total, reach = 0.0, float("-inf")
    for low, high in sorted(intervals):
        total += max(0.0, high - max(low, reach))
        reach = max(reach, high)
    return total
