"""Running heads and feet of a PDF: what repeats in the margins of its pages, and page numbers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plait.data.readers.geometry import Rect
from plait.data.readers.pdf.paragraphs import Paragraph

_MARGIN = 0.13  # of the page height, where running heads stand
_SAME_HEIGHT = 6.0  # points: heads of one kind stand this level
_FEW_PAGES = 8  # in so short a document what is on two pages repeats
_LARGEST = 1.25  # of the body's type: larger are titles of slides
_MOST_ROWS = 2
_LONGEST_NUMBER = 40  # characters
_NUMBERS = re.compile(r"\d+|\b[ivxlc]+\b")
_PAGE_NUMBER = re.compile(
    r"^\W*(?:page|seite|p\.|pagina|página|стр\.|第)?\s*(\d{1,5}|[ivxlc]{1,7})\s*(?:页|頁)?"
    r"\s*(?:(?:/|of|von|de|из)\s*\d{1,5})?\W*$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class MarginText:
    """A paragraph that stands in the upper or lower margin of a page.

    Attributes:
        page: place of the page, from 0.
        index: of the paragraph, among those given for its page.
        height: of its middle over the nearer edge of the page, in points.
    """

    page: int
    index: int
    text: str
    at_top: bool
    height: float


def running_heads(
    pages: Sequence[Sequence[Paragraph]], boxes: Sequence[Rect], *, numbers: Sequence[str], body: float
) -> set[tuple[int, int]]:
    """Return the running heads and page numbers, as (place of the page, index of the paragraph), from 0.

    They stand in the margin at the top or bottom, and repeat at one height, numbers aside, on three
    pages or more (two in a short document). A number alone is one if it counts the pages.

    Args:
        pages: the paragraphs of each page.
        boxes: the page's own box, for each.
        numbers: what each page is called: its label, or its number.
        body: type size of the running text, in points.
    """
    found = list(_in_margins(pages, boxes, body))
    return _repeated(found, fewest=2 if len(pages) <= _FEW_PAGES else 3) | _numbers(found, numbers)


def _in_margins(
    pages: Sequence[Sequence[Paragraph]], boxes: Sequence[Rect], body: float
) -> Iterator[MarginText]:
    for place, (members, box) in enumerate(zip(pages, boxes, strict=True)):
        for index, paragraph in enumerate(members):
            at_top = paragraph.box.bottom < _MARGIN * box.height
            at_bottom = paragraph.box.top > (1 - _MARGIN) * box.height
            if not (at_top or at_bottom) or paragraph.size > _LARGEST * body:
                continue
            if paragraph.box.height > (_MOST_ROWS + 0.9) * 1.3 * paragraph.size:
                continue
            middle = (paragraph.box.top + paragraph.box.bottom) / 2
            height = middle if at_top else box.height - middle
            yield MarginText(place, index, paragraph.text, at_top, height)


def _repeated(found: Sequence[MarginText], *, fewest: int) -> set[tuple[int, int]]:
    """Return those whose text, numbers aside, stands at one height on several pages."""
    groups: dict[tuple[str, bool], list[MarginText]] = defaultdict(list)
    for text in found:
        words = " ".join(_NUMBERS.sub(" ", text.text.lower()).split())  # left and right pages swap them
        groups[words or "#", text.at_top].append(text)
    heads: set[tuple[int, int]] = set()
    for members in groups.values():
        levels = Counter(round(member.height / _SAME_HEIGHT) for member in members)
        for member in members:
            level = round(member.height / _SAME_HEIGHT)
            if sum(levels[level + step] for step in (-1, 0, 1)) >= fewest:
                heads.add((member.page, member.index))
    return heads


def _numbers(found: Sequence[MarginText], numbers: Sequence[str]) -> set[tuple[int, int]]:
    """Return the page numbers: numbers alone that are the page's own, or go up by one with the pages."""
    alone = [
        (text, match[1].lower())
        for text in found
        if len(text.text) <= _LONGEST_NUMBER and (match := _PAGE_NUMBER.match(text.text))
    ]
    offsets = Counter(int(value) - text.page for text, value in alone if value.isdecimal())
    return {
        (text.page, text.index)
        for text, value in alone
        if value == numbers[text.page].lower() or (value.isdecimal() and offsets[int(value) - text.page] > 1)
    }
