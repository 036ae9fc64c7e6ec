"""Printed lines: what a text layer gives of a page, and what recognition gives of its picture."""

from __future__ import annotations

from dataclasses import dataclass

from plait.data.readers.geometry import Rect


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line, or a part of one.

    Attributes:
        size: of its type, in points.
        bold: whether it is set in bold type from its first letter to its last.
        fixed: whether all letters of its type are of one width, as those of code are.
        turn: quarter turns clockwise from left to right to the way it runs: 1 runs downwards.
    """

    text: str
    box: Rect
    size: float
    bold: bool = False
    turn: int = 0
    fixed: bool = False
