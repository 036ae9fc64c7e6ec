"""Lines of a page in reading order, from where they stand and not from the order of the stream.

Columns are found by the gutter between them: an upright strip that few lines cross while both sides
are filled. Lines that cross it part the page into bands; in a band the left column is read first.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from plait.data.readers.geometry import Rect, covered, overlap, union
from plait.data.readers.lines import Line

_NARROWEST_GUTTER = 7  # points; LaTeX sets 10
_WORD_SPACE = 0.45  # of the type size; wider gaps may be gutters
_NARROWEST_COLUMNS = 180  # points, both together
_FEWEST_LINES = 4
_MOST_BESIDE = 200  # pieces of one row that are looked at
_MOST_BOXES = 5000  # of a page; more are no text
_MOST_CROSSED = 0.65  # of the lines that stand at the fullest place of a page, at a gutter
_NUMBER_WIDTH = 0.1  # of the page
_MOST_LEVELS = 3  # gutters inside gutters: up to four columns and more
_EAST_ASIAN = ((0x2E80, 0xA4CF), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_MARK_AFTER = re.compile(r"([^\W\d_]{3}[.,;:!?)\"”’]*)(\d{1,2}(?:,\d{1,2})*|[*†‡§]{1,2})$")
_MARK_BEFORE = re.compile(r"^(\d{1,2}|[*†‡§]{1,2})(?=[A-Z“\"])")


def join_runs(runs: Sequence[Line]) -> list[Line]:
    """Join words and pieces of lines that stand beside each other, closer than a gutter."""
    gutters = _Gutters([run.box for run in runs])
    ends: dict[int, list[int]] = defaultdict(list)  # row of the page -> lines that end there
    joined: list[Line] = []
    for run in sorted(runs, key=lambda r: (r.box.left, r.box.top)):
        row = int((run.box.top + run.box.bottom) / 8)
        best = -1
        for near in (row, row - 1, row + 1, row - 2, row + 2):
            for index in ends[near][-_MOST_BESIDE:]:
                if _continues(joined[index], run, gutters) and (
                    best < 0 or joined[index].box.right > joined[best].box.right
                ):
                    best = index
        if best < 0:
            joined.append(run)
            ends[row].append(len(joined) - 1)
        else:
            joined[best] = _beside(joined[best], run)
    return joined


class _Gutters:
    """The strips between the columns of a page, looked for when first asked of.

    Args:
        boxes: of its text.
    """

    def __init__(self, boxes: Sequence[Rect]) -> None:
        self._boxes = boxes
        self._places: list[float] | None = None

    def part(self, left: float, right: float) -> bool:
        """Tell whether one of them lies between two places."""
        if self._places is None:
            self._places = list(_all_gutters(self._boxes, _MOST_LEVELS))
        return any(left - 1 <= place <= right + 1 for place in self._places)


def _all_gutters(boxes: Sequence[Rect], levels: int) -> Iterator[float]:
    """Give the x of all strips between columns, and between the columns within these."""
    gutter = _gutter(boxes) if levels else None
    if gutter is None:
        return
    yield gutter
    yield from _all_gutters([box for box in boxes if box.right <= gutter], levels - 1)
    yield from _all_gutters([box for box in boxes if box.left >= gutter], levels - 1)


def _continues(line: Line, run: Line, gutters: _Gutters) -> bool:
    height = min(line.box.height, run.box.height)
    gap = run.box.left - line.box.right
    same = overlap(line.box.top, line.box.bottom, run.box.top, run.box.bottom) > 0.5 * height
    if not same or not -0.5 * height < gap < 0.9 * min(line.size, run.size):
        return False
    if gap < _WORD_SPACE * min(line.size, run.size):
        return True
    level = abs(line.box.bottom - run.box.bottom) < 0.3 * height
    return level and not gutters.part(line.box.right, run.box.left)


def _beside(line: Line, run: Line) -> Line:
    gap = run.box.left - line.box.right
    size = line.size if len(line.text) >= len(run.text) else run.size
    box = union((line.box, run.box))
    bold, fixed = line.bold and run.bold, line.fixed and run.fixed
    if gap < 0.25 * size and min(line.size, run.size) < 0.85 * max(line.size, run.size):
        text = with_raised_marks(line.text + run.text) if _is_raised(line, run) else line.text + run.text
        return Line(text, box, size, bold, line.turn, fixed)
    close = 0.6 if is_east_asian(line.text[-1:]) and is_east_asian(run.text[:1]) else 0.12
    space = "" if gap < close * max(line.size, run.size) else " "
    return Line(line.text + space + run.text, box, size, bold, line.turn, fixed)


def _is_raised(line: Line, run: Line) -> bool:
    """Tell whether the smaller of two pieces stands higher than the other, as the number of a note does."""
    small, large = (line, run) if line.size < run.size else (run, line)
    return small.box.bottom < large.box.bottom - 0.1 * large.box.height


def may_have_mark(text: str) -> bool:
    """Tell whether a word looks as if the number of a note stood before or after it."""
    return not text.isalpha() and (_MARK_AFTER.search(text) or _MARK_BEFORE.match(text)) is not None


def with_raised_marks(text: str) -> str:
    """Return a text with the raised number of a note written as one: "saws3" -> "saws ³".

    Only where a word of three letters stands before it, or a capital letter after it: "m2" is no note.
    """
    text = _MARK_BEFORE.sub(lambda mark: f"{mark[1].translate(_RAISED)} ", text)
    return _MARK_AFTER.sub(lambda mark: f"{mark[1]} {mark[2].translate(_RAISED)}", text)


def is_east_asian(letter: str) -> bool:
    """Tell whether a letter is of a script that puts no space between words; Korean does."""
    return letter >= "\u2e80" and any(low <= ord(letter) <= high for low, high in _EAST_ASIAN)


def columns(boxes: Sequence[Rect], *, text: Sequence[bool] | None = None) -> list[list[int]]:
    """Return the reading order of some boxes: indices, grouped by the column or band they stand in.

    Args:
        boxes: lines of text, and figures.
        text: which of them are text, the only ones that columns are told by; None means all.
    """
    is_text = [True] * len(boxes) if text is None else text
    return _columns(boxes, is_text, list(range(len(boxes))), _MOST_LEVELS)


def _columns(boxes: Sequence[Rect], text: Sequence[bool], members: list[int], levels: int) -> list[list[int]]:
    gutter = _gutter([boxes[i] for i in members if text[i]]) if levels else None
    if gutter is None:
        return [_by_rows(boxes, members)] if members else []
    found: list[list[int]] = []
    across: list[int] = []
    left: list[int] = []
    right: list[int] = []

    def end_band() -> None:
        nonlocal across, left, right
        found.extend([_by_rows(boxes, across)] if across else [])
        for side in (left, right):
            found.extend(_columns(boxes, text, side, levels - 1))
        across, left, right = [], [], []

    for i in sorted(members, key=lambda i: boxes[i].top):
        box = boxes[i]
        if box.left < gutter < box.right or (
            across and not left and not right and _ends(boxes, members, i, across)
        ):
            if left or right:
                end_band()
            across.append(i)
        else:
            (left if box.right <= gutter else right).append(i)
    end_band()
    return found


def _ends(boxes: Sequence[Rect], members: Sequence[int], i: int, across: Sequence[int]) -> bool:
    """Tell whether a short line ends the paragraph across both columns: close below, none beside it."""
    box, last = boxes[i], boxes[across[-1]]
    close = box.top - last.bottom < 0.6 * last.height and len(members) < _MOST_BOXES
    return close and not any(
        j != i and overlap(box.top, box.bottom, boxes[j].top, boxes[j].bottom) > 0.3 * box.height
        for j in members
        if j not in across
    )


def _gutter(boxes: Sequence[Rect]) -> float | None:
    """Return the x of the strip between two columns, or None if there is one column."""
    boxes = _without_page_number(boxes)
    if len(boxes) < 2 * _FEWEST_LINES:
        return None
    page = union(boxes)
    if page.width < _NARROWEST_COLUMNS:
        return None
    crossing = _crossing_heights(boxes, page)
    low, high = int(page.width * 0.22), int(page.width * 0.78)
    most = _MOST_CROSSED * max(crossing)
    best: tuple[float, float] | None = None  # (quality, x)
    x = low
    while x < high:
        if crossing[x] > most:
            x += 1
            continue
        end = x
        while end < high and abs(crossing[end] - crossing[x]) < 1.0:
            end += 1
        if end - x >= _NARROWEST_GUTTER:
            middle = page.left + (x + end) / 2
            quality = _quality(boxes, middle, crossing[x])
            if quality > 0 and (best is None or quality > best[0]):
                best = (quality, middle)
        x = max(end, x + 1)
    return best[1] if best else None


def _without_page_number(boxes: Sequence[Rect]) -> Sequence[Rect]:
    """Leave out narrow boxes in the first and the last row: a page number may stand in the gutter."""
    if not boxes:
        return boxes
    page = union(boxes)
    return [
        box
        for box in boxes
        if box.width > _NUMBER_WIDTH * page.width
        or (box.top > page.top + box.height and box.bottom < page.bottom - box.height)
    ]


def _crossing_heights(boxes: Sequence[Rect], page: Rect) -> list[float]:
    """Return, for each point from the left edge, the height of all boxes that cover it."""
    steps = [0.0] * (int(page.width) + 3)
    for box in boxes:
        steps[int(box.left - page.left)] += box.height
        steps[int(box.right - page.left) + 1] -= box.height
    total = 0.0
    heights = []
    for step in steps:
        total += step
        heights.append(total)
    return heights


def _quality(boxes: Sequence[Rect], x: float, crossed: float) -> float:
    """Return how well an upright line parts two columns of text; 0 if it does not."""
    left = [box for box in boxes if box.right <= x]
    right = [box for box in boxes if box.left >= x]
    if min(len(left), len(right)) < _FEWEST_LINES:
        return 0.0
    one, other = union(left), union(right)
    heights = [covered((b.top, b.bottom) for b in side) for side in (left, right)]
    beside = overlap(one.top, one.bottom, other.top, other.bottom)
    if crossed > 1.5 * max(heights) or beside < 0.4 * min(one.height, other.height):
        return 0.0
    # Measured up to the gutter: text fills the way there, the cells of a table do not.
    widths = (x - one.left, other.right - x)
    fills = [
        sum(b.area for b in side) / (width * height or 1.0)
        for side, width, height in zip((left, right), widths, heights, strict=True)
    ]
    # Columns of text are of like width and mostly full; those of a table are one or neither.
    alike = min(widths) / max(widths)
    needed = 0.55 if alike > 0.75 else 0.75
    return min(fills) * beside if min(fills) >= needed else 0.0


def _by_rows(boxes: Sequence[Rect], members: Sequence[int]) -> list[int]:
    """Order boxes top to bottom, those on one row left to right."""
    rows: list[list[int]] = []
    for i in sorted(members, key=lambda i: (boxes[i].top + boxes[i].bottom) / 2):
        box = boxes[i]
        if rows:
            last = boxes[rows[-1][-1]]
            height = min(box.height, last.height)
            if (
                overlap(box.top, box.bottom, last.top, last.bottom) > 0.6 * height
                and height > 0.5 * last.height
            ):
                rows[-1].append(i)
                continue
        rows.append([i])
    return [i for row in rows for i in sorted(row, key=lambda i: boxes[i].left)]
