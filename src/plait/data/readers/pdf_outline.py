"""What type size and place say of a PDF's paragraphs: headings, the title, running heads."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from plait.data.readers.figures import is_caption
from plait.data.readers.geometry import Rect
from plait.data.readers.layout import Paragraph

_LARGER = 1.13  # a heading's type over the body's
_MOST_WORDS = 16
_MARGIN = 0.13  # of the page height, where running heads stand
_DIGITS = re.compile(r"\d+|\b[ivxlc]+\b")


class Headings:
    """The headings of a document, told by their type size, and where in them one is.

    Args:
        paragraphs: all of the document, in reading order.

    Attributes:
        title: the largest heading if it stands once, near the beginning; else "".
        here: headings that contain the place reached, outermost first.
    """

    def __init__(self, paragraphs: Sequence[Paragraph]) -> None:
        sizes: Counter[float] = Counter()
        for paragraph in paragraphs:
            sizes[_rounded(paragraph.size)] += len(paragraph.text)
        self._body = sizes.most_common(1)[0][0] if sizes else 0.0
        candidates = [p for p in paragraphs if self._looks_like_one(p)]
        self.title = self._title(candidates)
        larger = sorted({_rounded(p.size) for p in candidates if p.text != self.title}, reverse=True)
        self._levels = {size: min(level, 4) for level, size in enumerate(larger)}
        self._open: list[tuple[int, str]] = []

    @property
    def here(self) -> tuple[str, ...]:
        return tuple(text for _, text in self._open)

    def section(self, paragraph: Paragraph) -> tuple[str, ...]:
        """Go on to the next paragraph; return the headings that contain it, itself included if it is one."""
        if self._looks_like_one(paragraph) and paragraph.text != self.title:
            level = self._levels[_rounded(paragraph.size)]
            self._open = [h for h in self._open if h[0] < level] + [(level, paragraph.text)]
        return self.here

    def _looks_like_one(self, paragraph: Paragraph) -> bool:
        return (
            paragraph.size >= _LARGER * self._body
            and paragraph.lines <= 3
            and len(paragraph.text.split()) <= _MOST_WORDS
            and sum(c.isalpha() for c in paragraph.text) > 0.5 * len(paragraph.text)
            and len(paragraph.text) > 2
            and not is_caption(paragraph.text)
        )

    @staticmethod
    def _title(candidates: Sequence[Paragraph]) -> str:
        if not candidates:
            return ""
        largest = max(candidates[:8], key=lambda p: p.size)
        alike = [p for p in candidates if p.size > 0.97 * largest.size]
        return largest.text if len(alike) == 1 else ""


def running_heads(pages: Sequence[Sequence[Paragraph]], boxes: Sequence[Rect]) -> set[tuple[int, str]]:
    """Return the running heads and page numbers, as (1-based place of the page, text).

    They stand in the margin at the top or bottom and repeat, numbers aside, on three pages or more
    (on both pages of a document of two).

    Args:
        pages: the paragraphs of each page.
        boxes: the page's own box, for each.
    """
    places: dict[tuple[str, bool], set[tuple[int, str]]] = defaultdict(set)
    for number, (members, box) in enumerate(zip(pages, boxes, strict=True), start=1):
        for paragraph in members:
            at_top = paragraph.box.bottom < _MARGIN * box.height
            at_bottom = paragraph.box.top > (1 - _MARGIN) * box.height
            if (at_top or at_bottom) and paragraph.lines <= 2:
                places[(_DIGITS.sub("#", paragraph.text.lower()), at_top)].add((number, paragraph.text))
    fewest = min(3, max(2, len(pages)))
    return {
        place
        for found in places.values()
        if len({number for number, _ in found}) >= fewest
        for place in found
    }


def _rounded(size: float) -> float:
    return round(size * 2) / 2
