"""Which lines of a page are running text or in its margins, and the columns that text is set in."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence

from plait.data.readers.geometry import Rect, overlap
from plait.data.readers.lines import Line
from plait.data.readers.pdf.drawn import Region

_FEWEST_WORDS = 5
_SHORTEST_WORDS = 2.4  # letters, on average; less are letters of a listing set apart
_CODE = "\\{}<>=;|_#$&"
_MOST_CODE = 0.04  # of the letters of a line
_EQUATION = re.compile(r"\(\d{1,3}(?:\.\d{1,3})*[a-z]?\)$")
_ALIKE_EDGES = 3  # lines that end at one x are justified
_MARGIN = (0.11, 0.93)  # of the page height: running heads are above, page numbers below
_LABEL_REACH = 9.0  # points: words this close to what is drawn are no running head
_MOST_OF_PAGE = 0.6
_NEIGHBOURS = 60  # lines looked at around one
_STEP = 1.6  # of the type size, from one line of a paragraph to the next


class Columns:
    """The columns of running text, left to right.

    Args:
        running: boxes of lines of running text.
    """

    def __init__(self, running: Sequence[Rect]) -> None:
        self._ranges: list[tuple[float, float]] = []
        if len(running) < 6:
            return
        low, high = min(box.left for box in running), max(box.right for box in running)
        widths = sorted(box.width for box in running)
        usual = widths[int(0.8 * len(widths))]
        if usual > 0.62 * (high - low):
            usual = widths[len(widths) // 2]
        if usual > 0.62 * (high - low):
            return
        for box in sorted(box for box in running if box.width < 1.1 * usual):
            if self._ranges and box.left < self._ranges[-1][1] - 0.3 * usual:
                left, right = self._ranges[-1]
                self._ranges[-1] = (left, max(right, box.right))
            else:
                self._ranges.append((box.left, box.right))

    def around(self, box: Rect, page: Rect) -> tuple[float, float]:
        """Return the left and right of the column that holds a box; of the page if none does."""
        if len(self._ranges) > 1:
            for left, right in self._ranges:
                if left - 6 <= box.left and box.right <= right + 6:
                    return left - 6, right + 6
        return page.left, page.right


def running_text(
    lines: Sequence[Line], page: Rect, regions: Sequence[Region], *, leave: Collection[int]
) -> frozenset[int]:
    """Return the indices of lines that are of paragraphs, or of the margins above and below them.

    Args:
        lines: of a page.
        regions: what is drawn on it; text in a frame is not running.
        leave: lines known to be something else.
    """
    shapes = [region.box for region in regions if region.is_shape]
    frames = [box for box in shapes if box.height > 20 and box.area < _MOST_OF_PAGE * page.area]
    open_ = [
        i
        for i, line in enumerate(lines)
        if i not in leave and not any(frame.grown(2).holds_centre_of(line.box) for frame in frames)
    ]
    prose = _paragraphs(lines, open_)
    margins = {
        i
        for i in open_
        if (lines[i].box.bottom < _MARGIN[0] * page.height or lines[i].box.top > _MARGIN[1] * page.height)
        and not any(_reach(box).meets(lines[i].box) for box in shapes)
    }
    return frozenset(prose | margins | _equations(lines, open_))


def _reach(shape: Rect) -> Rect:
    """Return where the labels of what is drawn may stand."""
    return shape.grown(_LABEL_REACH)._replace(left=shape.left - 40, right=shape.right + 40)


def _equations(lines: Sequence[Line], candidates: Sequence[int]) -> set[int]:
    """Return the lines that stand beside the number of a displayed equation, and the numbers."""
    numbers = [lines[i].box for i in candidates if _EQUATION.match(lines[i].text)][:_NEIGHBOURS]
    return {
        i
        for i in candidates
        if any(
            overlap(lines[i].box.top, lines[i].box.bottom, number.top, number.bottom) > 0.3 * number.height
            and lines[i].box.left <= number.left
            for number in numbers
        )
    }


def _paragraphs(lines: Sequence[Line], candidates: Sequence[int]) -> set[int]:
    """Return the lines that end where others end, or stand in a block of long ones; and what is close."""
    sizes: Counter[float] = Counter()
    for i in candidates:
        sizes[round(2 * lines[i].size)] += len(lines[i].text)
    if not sizes:
        return set()
    usual = sizes.most_common(1)[0][0] / 2
    long = [i for i in candidates if is_prose(lines[i].text) and 0.75 < lines[i].size / (usual or 1.0) < 1.5]
    ends = Counter(round(lines[i].box.right / 2) for i in long)
    justified = {
        i for i in long if sum(ends[round(lines[i].box.right / 2) + d] for d in (-1, 0, 1)) >= _ALIKE_EDGES
    }
    order = sorted(candidates, key=lambda i: lines[i].box.top)
    tops = [lines[i].box.top for i in order]
    found = set(justified)
    if len(justified) < 0.6 * len(long):
        found |= {i for i in long if _close(i, lines, order, tops, set(long))}
    for way in (order, order[::-1]):
        for i in way:
            if i not in found and not is_code(lines[i].text) and _close(i, lines, order, tops, found):
                found.add(i)
    return found


def is_prose(text: str) -> bool:
    """Tell whether a line reads like running text: words of letters, several of them."""
    letters = sum(c.isalpha() for c in text)
    words = max(len(text.split()), sum(letter >= "\u2e80" for letter in text) // 2)
    return (
        words >= _FEWEST_WORDS
        and letters > max(0.6 * len(text), _SHORTEST_WORDS * text.count(" "))
        and not is_code(text)
    )


def is_code(text: str) -> bool:
    """Tell whether a line is of a listing, by its signs, or of a list with leaders."""
    return sum(c in _CODE for c in text) > _MOST_CODE * len(text) or "...." in text


def _close(
    i: int, lines: Sequence[Line], order: Sequence[int], tops: Sequence[float], others: Collection[int]
) -> bool:
    """Tell whether a line goes on with one of some others, just above or below it."""
    line = lines[i]
    reach = _STEP * line.size
    first = bisect_left(tops, line.box.top - reach)
    for j in order[first : first + _NEIGHBOURS]:
        other = lines[j]
        if other.box.top > line.box.top + reach:
            return False
        if j == i or j not in others or not 0.9 < other.size / line.size < 1.12:
            continue
        across = overlap(other.box.left, other.box.right, line.box.left, line.box.right)
        if abs(other.box.top - line.box.top) < 0.5 * line.size:
            if across > -1.5 * line.size:
                return True
        elif across > 0 and abs(other.box.left - line.box.left) < 3 * line.size:
            return True
    return False
