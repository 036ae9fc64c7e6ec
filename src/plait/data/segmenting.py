"""Documents to units: what is ranked, with its passages, figures and tables.

A page of a paged document is a unit; of a recording, about a minute; elsewhere a section is, long ones
split between paragraphs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from plait.data.passages import is_heading, passages, words_of
from plait.data.sentences import sentences, weight
from plait.data.table_rows import tables_of
from plait.schema import Document, Picture, Segment, Unit

# A part of a recording ends at a new scene once it has lasted half of this, else at a new sentence.
_PART_SECONDS = 60.0


def units(
    document: Document, *, max_words: int = 400, passage_words: int = 110, overlap_words: int = 30
) -> tuple[Unit, ...]:
    """Return a document's units, in reading order; none is empty.

    Every word of the document is in a passage of some unit, or in the unit's section path, or belongs
    to a figure as caption or alternative text. Words of tables are in passages. Footnotes come after the
    other text of their page or section.

    Args:
        document: what a reader returned.
        max_words: longer sections are split between paragraphs, and between rows; pages never are.
        passage_words: length of a passage, in words; sentences longer than that are cut.
        overlap_words: a passage begins with the last sentence of the one before when that has no more
            words than this.
    """
    pictures = {page.number: page.picture for page in document.pages}
    found: list[Unit] = []
    for group in _groups(document, max_words):
        unit = _unit(document, len(found), group, pictures)
        said = tuple(
            passages(
                group.segments,
                section=group.section,
                passage_words=passage_words,
                overlap_words=overlap_words,
            )
        )
        if said or unit.figures:
            found.append(replace(unit, passages=said))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Group:
    """The segments of one unit."""

    section: tuple[str, ...]
    page: int | None
    segments: tuple[Segment, ...]


def _unit(document: Document, ordinal: int, group: _Group, pictures: dict[int, Picture | None]) -> Unit:
    return Unit(
        id=f"{document.id}:{ordinal}",
        document_id=document.id,
        ordinal=ordinal,
        title=document.title,
        section=group.section,
        page=group.page,
        figures=_figures(group.segments),
        page_picture=pictures.get(group.page) if group.page is not None else None,
        tables=tuple(s for s in group.segments if s.kind == "table" and words_of(s).strip()),
    )


def _groups(document: Document, max_words: int) -> Iterator[_Group]:
    if document.pages:
        groups = _pages(document.segments)
    elif any(segment.time for segment in document.segments):
        groups = (part for whole in _parts(document.segments) for part in _split(whole, max_words))
    else:
        groups = (part for whole in _sections(document.segments) for part in _split(whole, max_words))
    for group in groups:
        yield replace(group, segments=_footnotes_last(group.segments))


def _footnotes_last(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    return tuple(sorted(segments, key=lambda segment: segment.role == "footnote"))


def _pages(segments: Iterable[Segment]) -> Iterator[_Group]:
    """Group by page, each once, in the order in which they begin; what has no page is on the last one."""
    groups: dict[int | None, list[Segment]] = {}
    page = None
    for segment in segments:
        page = segment.page if segment.page is not None else page
        groups.setdefault(page, []).append(segment)
    for page, members in groups.items():
        yield _Group(members[0].section, page, tuple(members))


def _parts(segments: Iterable[Segment]) -> Iterator[_Group]:
    """Group a recording by minutes, about: a part ends where its section does, at a new scene or sentence."""
    part: list[Segment] = []
    begun = now = 0.0
    for segment in segments:
        now = segment.time.start if segment.time else now
        lasted = (now - begun) / _PART_SECONDS
        full = lasted >= (0.5 if segment.kind == "image" else 1.25)
        if part and (full or segment.section != part[-1].section):
            yield _Group(part[0].section, None, tuple(part))
            part = []
        if not part:
            begun = now
        part.append(segment)
    if part:
        yield _Group(part[0].section, None, tuple(part))


def _sections(segments: Iterable[Segment]) -> Iterator[_Group]:
    """Group by section; one that is only headings goes with the next, or with the one before at the end."""
    groups: list[_Group] = []
    carried: tuple[Segment, ...] = ()
    for (section, page), members in groupby(segments, key=lambda s: (s.section, s.page)):
        together = (*carried, *members)
        if all(is_heading(segment) for segment in together):
            carried = together
        else:
            groups.append(_Group(section, page, together))
            carried = ()
    if carried and groups:
        last = groups[-1]
        groups[-1] = replace(last, segments=(*last.segments, *carried))
    elif carried:
        groups.append(_Group((), carried[0].page, carried))
    yield from groups


def _split(group: _Group, max_words: int) -> Iterator[_Group]:
    """Split a long section between paragraphs, and between rows, into parts of about equal length."""
    segments = [part for segment in group.segments for part in _cut(segment, max_words)]
    weights = [weight(words_of(segment)) for segment in segments]
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
    """Cut a paragraph that is longer than a whole unit between sentences, such a table between rows."""
    if segment.kind == "image" or weight(words_of(segment)) <= max_words:
        yield segment
        return
    if segment.kind == "table":
        yield from tables_of(segment, max_words=max_words)
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


def _figures(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return the figures; a picture shown twice only once, unless it is told of in other words."""
    found: dict[tuple[str, ...], Segment] = {}
    for segment in segments:
        if segment.kind != "image" or segment.picture is None:
            continue
        first = found.setdefault((segment.picture.sha256,), segment)
        caption, text = first.caption or segment.caption, first.text or segment.text
        if segment.caption in ("", caption) and segment.text in ("", text):
            label = first.label or segment.label
            found[segment.picture.sha256,] = replace(first, caption=caption, text=text, label=label)
        else:
            found.setdefault((segment.picture.sha256, segment.caption, segment.text), segment)
    return tuple(found.values())
