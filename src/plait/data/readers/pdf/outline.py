"""The headings of a PDF: its bookmarks, matched with the text; else what type and numbering say."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import pypdfium2

from plait.data.readers.captions import is_caption
from plait.data.readers.pdf.paragraphs import Paragraph

_LARGER = 1.13  # a heading's type over the body's
_MOST_WORDS = 16
_MOST_BOOKMARKS = 20_000
_DEEPEST = 6
_FEWEST_MATCHED = 0.5  # of the bookmarks; fewer are of another document, or names of files
_NUMBERED = re.compile(
    r"^(?:(?:chapter|kapitel|chapitre|appendix|part)\s+)?([A-Z\d]{1,3}(?:\.\d{1,3})*)\.?\s+\S", re.I
)
_ROMAN = re.compile(r"^[IVX]{1,5}\.\s+\S")
_NUMBER = re.compile(r"^[^\w]*(?:[A-Z]?\d*(?:\.\d+)*[.):]?\s+)?")


@dataclass(frozen=True, slots=True)
class Bookmark:
    """One entry of a file's outline: how deep it is, from 0, and the page it leads to, from 0."""

    title: str
    level: int
    page: int


def bookmarks_of(document: pypdfium2.PdfDocument) -> list[Bookmark]:
    """Return the outline of a file; [] if it has none, or a damaged one."""
    found = []
    try:
        for entry in islice(document.get_toc(), _MOST_BOOKMARKS):
            title = " ".join((entry.get_title() or "").split())
            destination = entry.get_dest()
            page = destination.get_index() if destination is not None else None
            if title and page is not None:
                found.append(Bookmark(title[:300], entry.level, page))
    except (pypdfium2.PdfiumError, ValueError):
        return []
    return found


class Headings:
    """The headings of a document, and where in them one is.

    Bookmarks are used where the file has them and their titles stand on their pages; else headings are
    told by type larger than the body's, or by bold type of its size, best with a number ("2.1 Methods").

    Args:
        paragraphs: the body text of each page, in reading order.
        pages: place of each page in the file, from 0, in the same order.
        bookmarks: the file's outline.

    Attributes:
        title: the largest heading if it stands once, near the beginning; else "".
        body: type size of the running text, in points.
        here: headings that contain the place reached, outermost first.
    """

    def __init__(
        self,
        paragraphs: Sequence[Sequence[Paragraph]],
        *,
        pages: Sequence[int] = (),
        bookmarks: Sequence[Bookmark] = (),
    ) -> None:
        every = [paragraph for members in paragraphs for paragraph in members]
        self.body = body_size(every)
        candidates = [p for p in every if self._is_large(p)]
        self.title = _title(candidates)
        matched = _matched(paragraphs, pages, bookmarks)
        headings = matched if matched is not None else self._by_type(every)
        self._levels: Mapping[int, int] = headings
        self._open: list[tuple[int, str]] = []

    @property
    def here(self) -> tuple[str, ...]:
        return tuple(text for _, text in self._open)

    def is_heading(self, paragraph: Paragraph) -> bool:
        """Tell whether a paragraph is a heading, or the title."""
        return id(paragraph) in self._levels or (self.title != "" and paragraph.text == self.title)

    def section(self, paragraph: Paragraph) -> tuple[str, ...]:
        """Go on to the next paragraph; return the headings that contain it, itself included if it is one."""
        level = self._levels.get(id(paragraph))
        if level is not None:
            self._open = [h for h in self._open if h[0] < level] + [(level, paragraph.text)]
        return self.here

    def _by_type(self, paragraphs: Sequence[Paragraph]) -> dict[int, int]:
        """Return the level of each heading by the identity of its paragraph, from its type alone."""
        chosen = [
            p for p in paragraphs if (self._is_large(p) or self._is_bold_heading(p)) and p.text != self.title
        ]
        keys = sorted({_rank(p) for p in chosen})
        levels = {key: min(level, _DEEPEST - 1) for level, key in enumerate(keys)}
        return {id(p): levels[_rank(p)] for p in chosen}

    def _is_large(self, paragraph: Paragraph) -> bool:
        return paragraph.size >= _LARGER * self.body and paragraph.lines <= 3 and _reads_as_heading(paragraph)

    def _is_bold_heading(self, paragraph: Paragraph) -> bool:
        """Tell whether bold type of the body's size is a heading: numbered, or short and without a stop."""
        if not paragraph.bold or paragraph.size < 0.97 * self.body or paragraph.lines > 2:
            return False
        if not _reads_as_heading(paragraph):
            return False
        numbered = _NUMBERED.match(paragraph.text) or _ROMAN.match(paragraph.text)
        return numbered is not None or (
            len(paragraph.text.split()) <= 8
            and paragraph.text[:1].isupper()
            and not paragraph.text.endswith((".", ",", ";", ":"))
        )


def body_size(paragraphs: Sequence[Paragraph]) -> float:
    """Return the type size that most of the text is set in, in points; 0 if there is none."""
    sizes: Counter[float] = Counter()
    for paragraph in paragraphs:
        sizes[_rounded(paragraph.size)] += len(paragraph.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _reads_as_heading(paragraph: Paragraph) -> bool:
    return (
        len(paragraph.text.split()) <= _MOST_WORDS
        and sum(c.isalpha() for c in paragraph.text) > 0.5 * len(paragraph.text)
        and len(paragraph.text) > 2
        and not is_caption(paragraph.text)
    )


def _rank(paragraph: Paragraph) -> tuple[float, int]:
    """Return what orders headings by their weight: type size, then how deep the number is."""
    number = _NUMBERED.match(paragraph.text)
    return -_rounded(paragraph.size), number[1].count(".") if number else 0


def _title(candidates: Sequence[Paragraph]) -> str:
    if not candidates:
        return ""
    largest = max(candidates[:8], key=lambda p: p.size)
    alike = [p for p in candidates if p.size > 0.97 * largest.size]
    return largest.text if len(alike) == 1 else ""


def _matched(
    paragraphs: Sequence[Sequence[Paragraph]], pages: Sequence[int], bookmarks: Sequence[Bookmark]
) -> dict[int, int] | None:
    """Return the level of each paragraph that a bookmark names; None if too few are found in the text."""
    wanted: dict[int, list[Bookmark]] = defaultdict(list)
    for bookmark in bookmarks:
        wanted[bookmark.page].append(bookmark)
    found: dict[int, int] = {}
    read = 0
    for page, members in zip(pages, paragraphs, strict=False):
        free = list(members)
        for bookmark in wanted.get(page, ()):
            read += 1
            match = next((p for p in free if _is_named(p, bookmark.title)), None)
            if match is not None:
                found[id(match)] = bookmark.level
                free = free[free.index(match) + 1 :] or free
    return found if read and len(found) >= _FEWEST_MATCHED * read else None


def _is_named(paragraph: Paragraph, title: str) -> bool:
    """Tell whether a paragraph is the heading that a bookmark names, numbers and signs aside."""
    if len(paragraph.text) > 1.5 * len(title) + 40 or paragraph.lines > 4:
        return False
    text, wanted = _letters(paragraph.text), _letters(title)
    return bool(wanted) and (
        text == wanted or _letters(_NUMBER.sub("", paragraph.text)) == _letters(_NUMBER.sub("", title))
    )


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _rounded(size: float) -> float:
    return round(size * 2) / 2
