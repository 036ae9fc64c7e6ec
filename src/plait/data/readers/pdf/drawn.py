"""What is drawn on a page besides its text, and which of it stands together."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from plait.data.readers.geometry import Rect, union

THIN = 2.5  # points: a rule, not a shape
_CELL = 4.0  # points; objects closer than about two cells stand together
_RULE = 25  # times as long as thick
_BACKGROUND = 0.85  # of the page
_HEAD = 0.12  # of the page height: a wide rule in it parts the running head from the page
_BAND = 0.2  # of the page height: bands across a slide are above, or below
_FEW = 3000  # objects of a region that are remembered one by one
_WIDE = 0.4  # of the page width
_HIGH = 0.4  # of the page height: an upright rule stands between columns
_MOST_OBJECTS = 100_000
_MOST_CELLS = 4_000_000

_Span = tuple[int, int, int]  # first cell, last cell, number


@dataclass(frozen=True, slots=True)
class Drawn:
    """One drawn object of a page: a path, a picture, a shading, or a form that holds such."""

    box: Rect
    is_picture: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """Drawn objects that touch or nearly do.

    Attributes:
        solid: how many of them are more than rules.
        pictures: how many of them are pictures.
        parts: the boxes of the objects, if they are few.
    """

    box: Rect
    solid: int
    pictures: int
    parts: tuple[Rect, ...] = field(default=(), compare=False)

    @property
    def is_shape(self) -> bool:
        """Whether it is more than rules; frames and grids of rules are."""
        low, high = sorted((self.box.width, self.box.height))
        return low > (5 if self.solid else 8) and high < _RULE * low


def regions(drawn: Sequence[Drawn], page: Rect) -> list[Region]:
    """Cluster the objects of a page, by painting them on a coarse grid; backgrounds are left out.

    The work is proportional to the objects plus the cells of the grid, whatever they cover.
    """
    objects = [
        Drawn(clipped, item.is_picture)
        for item in drawn[:_MOST_OBJECTS]
        if (clipped := item.box.common(page)).area < _BACKGROUND * page.area
        and _is_visible(item.box, page)
        and not _is_furniture(item, page)
    ]
    width, height = int(page.width / _CELL) + 3, int(page.height / _CELL) + 3
    if not objects or width * height > _MOST_CELLS:
        return []
    cells = [_cells(item.box, width, height) for item in objects]
    rows = _numbered(_painted(set(cells), height))
    members: dict[int, list[Drawn]] = {}
    for item, (left, top, _, _) in zip(objects, cells, strict=True):
        row = rows[top]
        number = row[bisect_right(row, (left, width, 0)) - 1][2]
        members.setdefault(number, []).append(item)
    return [_region(group) for group in members.values()]


def _region(group: Sequence[Drawn]) -> Region:
    boxes = tuple(item.box for item in group)
    return Region(
        union(boxes),
        sum(min(box.width, box.height) > THIN for box in boxes),
        sum(item.is_picture for item in group),
        boxes if len(boxes) <= _FEW else (),
    )


def _is_visible(box: Rect, page: Rect) -> bool:
    return box.meets(page) and (box.width > 0.2 or box.height > 0.2)


def _is_furniture(item: Drawn, page: Rect) -> bool:
    """Tell whether an object is of the page: a rule of its head or between columns, a band on a slide."""
    box = item.box
    at_edge = box.bottom < _HEAD * page.height or box.top > (1 - _HEAD) * page.height
    if box.width <= 2 * THIN and box.height > _HIGH * page.height:
        return True
    if box.height <= 2 * THIN:
        return at_edge and box.width > _WIDE * page.width
    across = box.left <= page.left + 1 and box.right >= page.right - 1
    return across and (box.bottom < _BAND * page.height or box.top > (1 - _BAND) * page.height)


def _cells(box: Rect, width: int, height: int) -> tuple[int, int, int, int]:
    left, top = int(box.left / _CELL), int(box.top / _CELL)
    right, bottom = int(box.right / _CELL) + 1, int(box.bottom / _CELL) + 1
    return max(0, left), max(0, top), min(width - 1, right), min(height - 1, bottom)


def _painted(cells: set[tuple[int, int, int, int]], height: int) -> list[int]:
    """Return the rows of the grid as bit sets: those of each box, painted as two spans of 2^k rows."""
    levels = [[0] * height for _ in range(height.bit_length())]
    for left, top, right, bottom in cells:
        level = (bottom - top + 1).bit_length() - 1
        bits = ((1 << (right - left + 1)) - 1) << left
        levels[level][top] |= bits
        levels[level][bottom + 1 - (1 << level)] |= bits
    for level in range(len(levels) - 1, 0, -1):
        half = 1 << (level - 1)
        below = levels[level - 1]
        for row, bits in enumerate(levels[level]):
            if bits:
                below[row] |= bits
                below[row + half] |= bits
    return levels[0]


def _numbered(rows: Sequence[int]) -> list[list[_Span]]:
    """Number the connected areas of painted cells: spans of neighbouring rows that touch share a number."""
    parents: list[int] = []

    def root(name: int) -> int:
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    found: list[list[_Span]] = []
    above: list[_Span] = []
    for row in rows:
        spans: list[_Span] = []
        first = 0
        for match in re.finditer("1+", f"{row:b}"[::-1]) if row else ():
            low, high = match.start(), match.end() - 1
            name = -1
            while first < len(above) and above[first][1] < low:
                first += 1
            for other in above[first:]:
                if other[0] > high:
                    break
                if name < 0:
                    name = root(other[2])
                else:
                    parents[root(other[2])] = name
            if name < 0:
                name = len(parents)
                parents.append(name)
            spans.append((low, high, name))
        found.append(spans)
        above = spans
    return [[(low, high, root(name)) for low, high, name in spans] for spans in found]
