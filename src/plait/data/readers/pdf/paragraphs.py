"""Lines of one column to paragraphs; a hyphen at the end of a line is marked, to be settled later."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from plait.data.readers.geometry import Rect, overlap, union
from plait.data.readers.lines import Line
from plait.data.readers.pdf.layout import is_east_asian

HYPHEN_AT_END = "\xad"  # in a text: the line ended with a hyphen here
_WIDEST_IN_CODE = 3.0  # of the type size: one empty line
_WIDEST_LEADING = 2.5  # of the type size; wider gaps part paragraphs
_BULLET = re.compile(r"^(?:[•·▪‣◦∙–—*-]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]|\[\d{1,3}\])\s")
_HANGING = re.compile(r"^(?:and|or|to|und|oder|bis|et|ou|y|e|o)\b")  # "pre- and post-processing"
_SENTENCE_ENDS = (".", ":", "!", "?", ".”", ".)", '."', "。", "！", "？")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together, joined to one text.

    Attributes:
        text: with `HYPHEN_AT_END` where a line ended with a hyphen inside of a word.
        size: of its type, in points.
        lines: how many there are; pieces of one row are one.
        bold: whether all of them are.
        is_code: whether all are set in type of one width; their ends and indents are kept.
        is_full: whether the last line fills its column, so that it may go on in the next.
    """

    text: str
    box: Rect
    size: float
    lines: int = 1
    bold: bool = False
    is_full: bool = False
    is_code: bool = False


def leading_of(lines: Sequence[Line]) -> float:
    """Return the usual distance from one line to the next, in points.

    Args:
        lines: of a page, in reading order; where it goes up to another column nothing is counted.
    """
    gaps = [
        gap
        for a, b in pairwise(lines)
        if 0.7 * a.box.height < (gap := b.box.top - a.box.top) < _WIDEST_LEADING * a.size
    ]
    return median(gaps) if gaps else 1.2 * max((line.size for line in lines), default=10.0)


def paragraphs(
    lines: Sequence[Line], *, leading: float, breaks: frozenset[int] = frozenset()
) -> list[Paragraph]:
    """Join the lines of one column to paragraphs.

    Args:
        lines: in reading order.
        leading: the usual distance of lines on the page, in points.
        breaks: indices of lines that begin a paragraph in any case.
    """
    if not lines:
        return []
    column = union(line.box for line in lines)
    groups: list[list[Line]] = [[lines[0]]]
    for index, line in enumerate(lines[1:], start=1):
        if index in breaks or _begins(groups[-1], line, column, leading):
            groups.append([line])
        else:
            groups[-1].append(line)
    return [_paragraph(group, column) for group in groups]


def joined_lines(lines: Sequence[Line]) -> str:
    """Return the text of lines that belong together."""
    parts = [lines[0].text] if lines else []
    for before, line in pairwise(lines):
        if _on_row(line, before):
            parts += [" ", line.text]
        else:
            cut, seam = _seam(before.text, line.text)
            parts[-1] = parts[-1][: len(parts[-1]) - cut]
            parts += [seam, line.text]
    return " ".join("".join(parts).split())


def joined(text: str, more: str) -> str:
    """Join two texts of which one goes on with the other, as their lines would be."""
    cut, seam = _seam(text, more)
    return text[: len(text) - cut] + seam + more


def _seam(text: str, more: str) -> tuple[int, str]:
    """Return how many letters to drop at the end of a line, and what to put before the next one."""
    if len(text) < 2 or not more:
        return 0, " "
    if text[-1] in "-\xad‐" and text[-2].isalnum() and more[0].isalnum() and not _HANGING.match(more):
        return 1, HYPHEN_AT_END if text[-2].isalpha() and more[0].islower() else "-"
    return 0, "" if is_east_asian(text[-1]) and is_east_asian(more[0]) else " "


def _on_row(line: Line, before: Line) -> bool:
    return line.box.top < before.box.bottom - 0.5 * before.box.height


def ends_sentence(text: str) -> bool:
    """Tell whether a sentence ends where a text does."""
    return text.endswith(_SENTENCE_ENDS)


def begins_item(text: str) -> bool:
    """Tell whether a text begins as an item of a list does."""
    return _BULLET.match(text) is not None


def _begins(group: Sequence[Line], line: Line, column: Rect, leading: float) -> bool:
    """Tell whether a line begins a paragraph after the lines before it."""
    last = group[-1]
    if overlap(last.box.top, last.box.bottom, line.box.top, line.box.bottom) > 0.5 * min(
        last.box.height, line.box.height
    ):
        return False  # the same row: a table, or a formula with its number
    if last.fixed != line.fixed:
        return True
    if line.fixed:
        return not 0 < line.box.top - last.box.top < _WIDEST_IN_CODE * last.size
    if line.box.top - last.box.top > max(1.3 * leading, 1.35 * last.size) or line.box.top < last.box.top:
        return True
    if not 0.87 < line.size / (last.size or 1.0) < 1.15 or _BULLET.match(line.text):
        return True
    if last.bold != line.bold and all(part.bold == last.bold for part in group) and _is_heading(group, line):
        return True
    short = last.box.right < column.right - 0.25 * column.width
    indented = line.box.left > min(part.box.left for part in group) + 0.9 * line.size
    ended = ends_sentence(last.text)
    return (short and ended) or (indented and ended and len(group) > 1)


def _is_heading(group: Sequence[Line], line: Line) -> bool:
    """Tell whether bold lines are a heading over the text that begins below them."""
    return group[-1].bold and len(group) <= 3 and line.text[:1].isupper()


def _paragraph(group: Sequence[Line], column: Rect) -> Paragraph:
    main = max(group, key=lambda line: len(line.text))
    last = group[-1]
    is_code = all(line.fixed for line in group)
    return Paragraph(
        _listing(group) if is_code else joined_lines(group),
        union(line.box for line in group),
        main.size,
        1 + sum(not _on_row(line, before) for before, line in pairwise(group)),
        all(line.bold for line in group),
        last.box.right > column.right - 0.04 * column.width - 0.5 * last.size,
        is_code,
    )


def _listing(group: Sequence[Line]) -> str:
    """Return lines of code with their ends, and indented as they stand."""
    left = min(line.box.left for line in group)
    longest = max(group, key=lambda line: len(line.text))
    letter = longest.box.width / len(longest.text)
    rows = [" " * round((group[0].box.left - left) / letter) + group[0].text]
    for before, line in pairwise(group):
        if _on_row(line, before):
            rows[-1] += " " * max(1, round((line.box.left - before.box.right) / letter)) + line.text
        else:
            rows.append(" " * round((line.box.left - left) / letter) + line.text)
    return "\n".join(rows)
