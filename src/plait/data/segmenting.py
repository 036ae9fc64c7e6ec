"""Documents to units: what is ranked, with its passages and figures.

A page of a paged document is a unit; elsewhere a section is, long ones split between paragraphs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from plait.data.sentences import sentences, weight
from plait.schema import Document, Passage, Picture, Segment, Unit


def units(
    document: Document, *, max_words: int = 400, passage_words: int = 110, overlap_words: int = 30
) -> tuple[Unit, ...]:
    """Return a document's units, in reading order; none is empty.

    Every word of the document is in a passage of some unit, or in the unit's section path, or belongs
    to a figure as caption or alternative text.

    Args:
        document: what a reader returned.
        max_words: longer sections are split between paragraphs; pages never are.
        passage_words: length of a passage, in words; sentences longer than that are cut.
        overlap_words: a passage begins with the last sentence of the one before when that has no more
            words than this.
    """
    groups = _pages(document) if document.pages else _sections(document, max_words)
    pictures = {page.number: page.picture for page in document.pages}
    found: list[Unit] = []
    for group in groups:
        passages = tuple(_passages(group, passage_words, overlap_words))
        figures = _figures(group.segments)
        if passages or figures:
            found.append(_unit(document, len(found), group, passages, figures, pictures))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Group:
    """The segments of one unit."""

    section: tuple[str, ...]
    page: int | None
    segments: tuple[Segment, ...]


def _unit(
    document: Document,
    ordinal: int,
    group: _Group,
    passages: tuple[Passage, ...],
    figures: tuple[Segment, ...],
    pictures: dict[int, Picture | None],
) -> Unit:
    return Unit(
        id=f"{document.id}:{ordinal}",
        document_id=document.id,
        ordinal=ordinal,
        title=document.title,
        section=group.section,
        page=group.page,
        passages=passages,
        figures=figures,
        page_picture=pictures.get(group.page) if group.page is not None else None,
    )


def _pages(document: Document) -> Iterator[_Group]:
    for page, members in groupby(document.segments, key=lambda segment: segment.page):
        segments = tuple(members)
        yield _Group(segments[0].section, page, segments)


def _sections(document: Document, max_words: int) -> Iterator[_Group]:
    """Group by section; one that is only headings goes with the next, or with the one before at the end."""
    groups: list[_Group] = []
    carried: tuple[Segment, ...] = ()
    for (section, page), members in groupby(document.segments, key=lambda s: (s.section, s.page)):
        segments = (*carried, *members)
        if all(is_heading(segment) for segment in segments):
            carried = segments
        else:
            groups.append(_Group(section, page, segments))
            carried = ()
    if carried and groups:
        last = groups[-1]
        groups[-1] = replace(last, segments=(*last.segments, *carried))
    elif carried:
        groups.append(_Group((), carried[0].page, carried))
    for group in groups:
        yield from _split(group, max_words)


def is_heading(segment: Segment) -> bool:
    """Tell whether a text segment is the heading of its own section."""
    return segment.kind == "text" and bool(segment.section) and segment.text == segment.section[-1]


def _split(group: _Group, max_words: int) -> Iterator[_Group]:
    """Split a long section between paragraphs into parts of about equal length."""
    segments = [part for segment in group.segments for part in _cut(segment, max_words)]
    weights = [weight(segment.text) if segment.kind == "text" else 0 for segment in segments]
    total = sum(weights)
    target = total / max(1, -(-total // max_words))
    part: list[Segment] = []
    words = 0
    for segment, more in zip(segments, weights, strict=True):
        # A figure stays with the paragraph before it, so only text opens a new part.
        if part and more and words and words + more / 2 > target and total - words > target / 3:
            yield replace(group, segments=tuple(part))
            total -= words
            part, words = [], 0
        part.append(segment)
        words += more
    if part:
        yield replace(group, segments=tuple(part))


def _cut(segment: Segment, max_words: int) -> Iterator[Segment]:
    """Cut a paragraph that is longer than a whole unit between sentences."""
    if segment.kind != "text" or weight(segment.text) <= max_words:
        yield segment
        return
    part: list[str] = []
    words = 0
    for sentence in sentences(segment.text, longest=max_words):
        more = weight(sentence)
        if part and words + more > max_words:
            yield replace(segment, text="".join(part).strip())
            part, words = [], 0
        part.append(sentence)
        words += more
    yield replace(segment, text="".join(part).strip())


def _passages(group: _Group, passage_words: int, overlap_words: int) -> Iterator[Passage]:
    """Window a unit's text: whole sentences, each window opened by the sentence before it if short."""
    pieces = list(_pieces(group, passage_words))
    window: list[_Piece] = []
    words = 0
    fresh = False  # whether the window holds anything the window before does not
    for piece in pieces:
        if fresh and words + piece.words > passage_words:
            yield _passage(window)
            last = window[-1]
            keep = last.words <= overlap_words and last.words + piece.words <= passage_words
            window = [last] if keep else []
            words = last.words if keep else 0
            fresh = False
        window.append(piece)
        words += piece.words
        fresh = True
    if fresh:
        yield _passage(window)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence, with the white space after it, and the segment it is from."""

    text: str
    words: int
    segment: Segment


def _pieces(group: _Group, longest: int) -> Iterator[_Piece]:
    named = set(group.section)
    for segment in group.segments:
        if segment.kind != "text" or (is_heading(segment) and segment.text in named):
            continue
        found = list(sentences(segment.text, longest=longest))
        for i, text in enumerate(found):
            end = "\n" if i == len(found) - 1 else ""
            yield _Piece(text + end, weight(text), segment)


def _passage(window: Sequence[_Piece]) -> Passage:
    first = window[0].segment
    text = "".join(piece.text for piece in window).strip()
    return Passage(text, page=first.page, box=first.box, anchor=first.anchor)


def _figures(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return the figures, a picture shown twice only once, with the first caption it has."""
    found: dict[str, Segment] = {}
    for segment in segments:
        if segment.kind != "image" or segment.picture is None:
            continue
        key = segment.picture.sha256
        before = found.setdefault(key, segment)
        if not before.caption and segment.caption:
            found[key] = replace(before, caption=segment.caption)
    return tuple(found.values())
