"""The pages of a PDF put together: running heads out, paragraphs whole over pages, headings over text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from plait.data.readers.geometry import Rect
from plait.data.readers.pdf.frames import Frame
from plait.data.readers.pdf.hyphens import Hyphens
from plait.data.readers.pdf.outline import Bookmark, Headings, body_size
from plait.data.readers.pdf.paragraphs import (
    begins_item,
    ends_sentence,
    joined,
)
from plait.data.readers.pdf.parts import Part
from plait.data.readers.pdf.running import running_heads
from plait.schema import Box, Page, Segment

_FEWEST_WORDS = 3  # fewer are labels, or pieces of a formula
_TYPESCRIPT = 0.8  # of a document's letters
_LONGEST = 20_000  # characters: so long a text is no paragraph, and joining on would take ever longer


@dataclass(slots=True)
class ReadPage:
    """One page as it was read.

    Attributes:
        frame: in which its parts stand.
    """

    page: Page
    frame: Frame
    parts: list[Part] = field(default_factory=list)


def segments_of(pages: Sequence[ReadPage], bookmarks: Sequence[Bookmark]) -> tuple[str, list[Segment]]:
    """Return the title that stands in the text ("" if none does), and the document's segments.

    Args:
        pages: in order; their parts are used up.
        bookmarks: the file's outline.
    """
    _drop_running_heads(pages)
    _tell_typescript(pages)
    headings = Headings(
        [[part.paragraph for part in read.parts if _is_body(part)] for read in pages],
        pages=[read.page.number - 1 for read in pages],
        bookmarks=bookmarks,
    )
    _join_over_breaks(pages, headings)
    hyphens = Hyphens(text for read in pages for part in read.parts for text in _texts(part))
    segments = []
    for read in pages:
        for part in read.parts:
            section = headings.section(part.paragraph) if _is_body(part) else headings.here
            settled = tuple(hyphens.settled(heading) for heading in section)
            segments.append(_segment(part, read, settled, hyphens))
    return hyphens.settled(headings.title), segments


def _drop_running_heads(pages: Sequence[ReadPage]) -> None:
    texts = [[part for part in read.parts if part.kind == "text"] for read in pages]
    heads = running_heads(
        [[part.paragraph for part in parts] for parts in texts],
        [read.frame.box for read in pages],
        numbers=[read.page.label or str(read.page.number) for read in pages],
        body=body_size([part.paragraph for parts in texts for part in parts]),
    )
    for place, (read, parts) in enumerate(zip(pages, texts, strict=True)):
        dropped = {id(part) for index, part in enumerate(parts) if (place, index) in heads}
        read.parts = [part for part in read.parts if id(part) not in dropped]


def _tell_typescript(pages: Sequence[ReadPage]) -> None:
    """Take what is set in type of one width for text where nearly all is, as in a typescript."""
    texts = [part for read in pages for part in read.parts if part.kind == "text"]
    code = [part for part in texts if part.role == "code"]
    letters = sum(len(part.paragraph.text) for part in texts)
    if sum(len(part.paragraph.text) for part in code) > _TYPESCRIPT * letters:
        for part in code:
            part.role = "body"
            part.paragraph = replace(part.paragraph, text=" ".join(part.paragraph.text.split()))


def _join_over_breaks(pages: Sequence[ReadPage], headings: Headings) -> None:
    """Join paragraphs that go on in the next column, below a figure, or on the next page."""
    open_part: Part | None = None  # the last paragraph of running text so far
    open_run = (-1, -1)
    for place, read in enumerate(pages):
        kept = []
        for part in read.parts:
            if not _is_body(part):
                kept.append(part)
                continue
            run = (place, part.run)
            begins_run = run != open_run
            open_run = run
            is_text = not headings.is_heading(part.paragraph)
            if open_part is not None and begins_run and is_text and _goes_on(open_part, part):
                _append(open_part, part)
                continue
            open_part = part if is_text else None
            kept.append(part)
        read.parts = kept


def _is_body(part: Part) -> bool:
    return part.kind == "text" and part.role == "body" and not part.aside


def _goes_on(part: Part, following: Part) -> bool:
    """Tell whether a paragraph goes on in one that begins another column; not if in doubt."""
    one, other = part.paragraph, following.paragraph
    alike = 0.95 < one.size / (other.size or 1.0) < 1.05 and one.bold == other.bold
    if len(one.text) > _LONGEST:
        return False
    if not alike or ends_sentence(one.text) or begins_item(other.text) or not other.text:
        return False
    if one.text.endswith("-") or other.text[0].islower():
        return min(len(one.text.split()), len(other.text.split())) >= _FEWEST_WORDS
    return one.is_full and one.lines > 1 and (other.lines > 1 or ends_sentence(other.text))


def _append(part: Part, following: Part) -> None:
    """Add a paragraph to the one that it goes on with; the place stays that of the beginning."""
    one, other = part.paragraph, following.paragraph
    text = joined(one.text, other.text)
    part.paragraph = replace(one, text=text, lines=one.lines + other.lines, is_full=other.is_full)
    part.links = tuple(dict.fromkeys((*part.links, *following.links)))


def _texts(part: Part) -> tuple[str, ...]:
    return part.paragraph.text, part.caption, *(cell for row in part.rows for cell in row)


def _segment(part: Part, read: ReadPage, section: tuple[str, ...], hyphens: Hyphens) -> Segment:
    settled = hyphens.settled
    return Segment(
        kind=part.kind,
        text=settled(part.paragraph.text),
        picture=part.picture,
        caption=settled(part.caption),
        section=section,
        page=read.page.number,
        box=_fractions(read.frame.back(part.paragraph.box), read.frame.page),
        label=part.label,
        rows=part.rows,
        header_rows=part.header_rows,
        role=part.role,
        links=part.links,
    )


def _fractions(box: Rect, page: Rect) -> Box:
    def part(value: float, whole: float) -> float:
        return round(min(1.0, max(0.0, value / whole)), 4)

    return Box(
        part(box.left, page.width),
        part(box.top, page.height),
        part(box.right, page.width),
        part(box.bottom, page.height),
    )
