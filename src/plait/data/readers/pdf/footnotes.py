"""Footnotes: small type at the foot of a column that begins with a mark, often under a short rule."""

from __future__ import annotations

import re
from collections.abc import Sequence

from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line

_SMALL = 0.93  # of the size of the body
_HIGHEST = 0.4  # of the page, from its top
_RAISED_MARK = re.compile(r"^[⁰¹²³⁴-⁹*∗⁎†‡§¶]{1,3}\s?\S")
_MARK = re.compile(r"^\d{1,3}(?!\d)\s?(?=[\"“‘«(\[]?[^\W\d_])")
_ITEM = re.compile(r"^\d{1,3}[.)]\s")
_RULE_DISTANCE = 16.0  # points
_MOST_LINES = 40


def footnotes_from(lines: Sequence[Line], *, body: float, page: Rect, rules: Sequence[Rect]) -> int:
    """Return where among the lines of a column its footnotes begin; their number if it has none.

    Args:
        lines: the last of a column, in reading order.
        body: type size of the page's running text, in points.
        page: its box.
        rules: thin level lines drawn on it.
    """
    start = end = len(lines)
    while start > 0 and end - start < _MOST_LINES and lines[start - 1].size < _SMALL * body:
        start -= 1
    for place in range(start, end):
        line = lines[place]
        if line.box.top > _HIGHEST * page.height and begins_footnote(line.text):
            under_rule = is_under_rule(line, rules)
            return place if under_rule or not _follows_heading(lines, place, body) else end
    for place in range(max(0, end - _MOST_LINES), end):  # type of any size, right under a rule
        line = lines[place]
        if (
            line.box.top > _HIGHEST * page.height
            and (begins_footnote(line.text) or _ITEM.match(line.text))
            and is_under_rule(line, rules)
            and all(after.size <= body for after in lines[place:])
        ):
            return place
    return end


def begins_footnote(text: str) -> bool:
    """Tell whether a line begins with the mark of a footnote: "1Saws", "† of steel"."""
    return _RAISED_MARK.match(text) is not None or _MARK.match(text) is not None


def is_under_rule(line: Line, rules: Sequence[Rect]) -> bool:
    """Tell whether a short rule stands right above a line."""
    return any(
        -2 < line.box.top - rule.bottom < _RULE_DISTANCE and abs(rule.left - line.box.left) < 30
        for rule in rules
    )


def short_rules(boxes: Sequence[Rect], page: Rect) -> list[Rect]:
    """Return those of some drawn boxes that may part footnotes from the text."""
    return [box for box in boxes if box.height < 2 and 20 < box.width < 0.55 * page.width]


def _follows_heading(lines: Sequence[Line], place: int, body: float) -> bool:
    """Tell whether a heading stands above, so that these are the items of its list."""
    if place == 0:
        return False
    before = lines[place - 1]
    return before.bold or before.size > 1.1 * body
