"""The parts of a document, large and small, each knowing its neighbours: made from the stored units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from plait.data.mentions import Named, mentions, name_of
from plait.data.table_rows import lines_of
from plait.errors import InputError
from plait.schema import Box, Passage, Picture, Segment, TimeSpan, Unit

PartKind = Literal["document", "section", "page", "passage", "figure", "table"]


@dataclass(frozen=True, slots=True)
class Part:
    """A document, or a part of one.

    Attributes:
        id: "D" of a document; "D:4" of the page or section that is ranked; "D:s3" of a section of a paged
            document; "D:4.p2", "D:4.f0", "D:4.t1" of a unit's passages, figures and tables, by place.
        kind: what it is.
        title: of a document its title, of a section its heading, of a page its number, of a figure or table
            what it is called ("Figure 3"), if anything.
        text: the words of a passage; of a figure its caption and alternative text; of a table its caption
            and rows, a line each. Those of larger parts are their children's.
        section: headings it stands under, outermost first; of a section, its own too.
        page, box, anchor: where it begins.
        time: in a recording, when it is said or shown.
        picture: of a figure, of a table that was drawn, or of a whole page.
        parent: id of the smallest unit, section or document that holds it; "" of a document.
        section_id: id of the innermost section it stands in, which in a paged document is not its parent.
        previous, next: ids of its neighbours of the same kind; "" at an end of the document.
        children: ids of the parts whose parent it is; of a section of a paged document, of those that
            stand in it.
        mentions: ids of the figures and tables that a passage names.
        mentioned_by: ids of the passages that name a figure or table.
    """

    id: str
    kind: PartKind
    title: str = ""
    text: str = ""
    section: tuple[str, ...] = ()
    page: int | None = None
    box: Box | None = None
    anchor: str = ""
    time: TimeSpan | None = None
    picture: Picture | None = None
    parent: str = ""
    section_id: str = ""
    previous: str = ""
    next: str = ""
    children: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    mentioned_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """All parts of one document.

    Attributes:
        every: the document, then each unit followed by its passages, figures and tables; last the sections
            of a paged document.
    """

    every: tuple[Part, ...]

    @property
    def document(self) -> Part:
        """The whole document."""
        return self.every[0]

    def get(self, part_id: str) -> Part | None:
        """Return the part of an id; None if the document has none of that id."""
        return self._by_id.get(part_id)

    def of_kind(self, kind: PartKind) -> tuple[Part, ...]:
        """Return the parts of a kind, in reading order."""
        return self._by_kind.get(kind, ())

    def around(self, part_id: str, *, before: int = 1, after: int = 1) -> tuple[Part, ...]:
        """Return a part between its neighbours of the same kind, fewer at an end of the document.

        Args:
            before, after: how many neighbours, at least 0.

        Raises:
            InputError: the document has no part of that id, or `before` or `after` is below 0.
        """
        part = self.get(part_id)
        if part is None:
            raise InputError(f"{part_id!r} is no part of {self.document.id!r}: see the ids of its parts")
        if before < 0 or after < 0:
            raise InputError(f"before and after must be at least 0, got {before} and {after}")
        alike = self.of_kind(part.kind)
        place = self._places[part_id]
        return alike[max(0, place - before) : place + after + 1]

    @cached_property
    def _by_id(self) -> Mapping[str, Part]:
        return {part.id: part for part in self.every}

    @cached_property
    def _by_kind(self) -> Mapping[PartKind, tuple[Part, ...]]:
        return {kind: tuple(p for p in self.every if p.kind == kind) for kind in {p.kind for p in self.every}}

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {part.id: place for alike in self._by_kind.values() for place, part in enumerate(alike)}


def parts(units: Sequence[Unit]) -> Parts:
    """Return the parts of one document.

    Sections of a paged document nest as their headings do, and span pages. Elsewhere a unit is a section or
    a part of a long one; it lies in the nearest unit before it whose headings begin its own.

    Args:
        units: all of one document, in order, as `segmenting.units` made them or a library stores them.

    Raises:
        InputError: no units, or those of several documents.
    """
    owners = {unit.document_id for unit in units}
    if len(owners) != 1:
        raise InputError(f"expected the units of one document, got those of {len(owners)} documents")
    first = units[0]
    whole = Part(first.document_id, "document", title=first.title, page=first.page)
    paged = any(unit.page is not None for unit in units)
    inside = _of_pages(units) if paged else _of_sections(units)
    return Parts(tuple(_linked([whole, *inside], _mentions(units))))


def _of_pages(units: Sequence[Unit]) -> list[Part]:
    """Return the pages of a document with what they hold, then its sections."""
    document = units[0].document_id
    outline = _Outline(document)
    found: list[Part] = []
    for unit in units:
        outline.turn_page()
        page = Part(unit.id, "page", title=str(unit.page or ""), parent=document)
        for part in (_placed(page, unit), *_within(unit)):
            found.append(replace(part, section_id=outline.at(part)))
    return found + outline.sections


def _of_sections(units: Sequence[Unit]) -> list[Part]:
    """Return the sections of a document, which are its units, each with what it holds."""
    found: list[Part] = []
    latest: dict[tuple[str, ...], str] = {}
    for unit in units:
        outer = (unit.section[:depth] for depth in range(len(unit.section) - 1, 0, -1))
        above = next((latest[path] for path in outer if path in latest), "")
        title = unit.section[-1] if unit.section else ""
        own = Part(unit.id, "section", title=title, parent=above or unit.document_id, section_id=above)
        found.append(_placed(own, unit))
        found += (replace(part, section_id=unit.id) for part in _within(unit))
        latest[unit.section] = unit.id
    return found


def _placed(part: Part, unit: Unit) -> Part:
    """Return a unit's part with its place and time."""
    inside: list[Passage | Segment] = [*unit.passages, *unit.figures, *unit.tables]
    times = [one.time for one in inside if one.time is not None]
    return replace(
        part,
        section=unit.section,
        page=unit.page,
        anchor=inside[0].anchor if inside else "",
        time=TimeSpan(min(t.start for t in times), max(t.end for t in times)) if times else None,
        picture=unit.page_picture,
    )


def _within(unit: Unit) -> Iterator[Part]:
    """Give the passages, figures and tables of a unit."""
    for place, passage in enumerate(unit.passages):
        yield Part(
            f"{unit.id}.p{place}",
            "passage",
            text=passage.text,
            section=unit.section if passage.section is None else passage.section,
            page=passage.page,
            box=passage.box,
            anchor=passage.anchor,
            time=passage.time,
            parent=unit.id,
        )
    for kind, shown, part_id in _shown(unit):
        yield Part(
            part_id,
            kind,
            title=name_of(shown),
            text="\n".join(words for words in (shown.caption, *_own_words(shown)) if words),
            section=shown.section,
            page=shown.page,
            box=shown.box,
            anchor=shown.anchor,
            time=shown.time,
            picture=shown.picture,
            parent=unit.id,
        )


def _shown(unit: Unit) -> Iterator[tuple[PartKind, Segment, str]]:
    """Give the figures and tables of a unit with their ids."""
    yield from (("figure", shown, f"{unit.id}.f{place}") for place, shown in enumerate(unit.figures))
    yield from (("table", shown, f"{unit.id}.t{place}") for place, shown in enumerate(unit.tables))


def _own_words(shown: Segment) -> Sequence[str]:
    return lines_of(shown) if shown.kind == "table" else (shown.text,)


class _Outline:
    """The sections of a paged document, as they are met.

    Attributes:
        sections: in the order in which they begin.
    """

    def __init__(self, document: str) -> None:
        self.sections: list[Part] = []
        self._document = document
        self._open: dict[tuple[str, ...], int] = {}  # path -> place among the sections

    def turn_page(self) -> None:
        """Let go of the sections that ended on the page before: the newest and those around it go on."""
        if self._open:
            newest = max(self._open, key=lambda path: self._open[path])
            self._open = {path: place for path, place in self._open.items() if newest[: len(path)] == path}

    def at(self, part: Part) -> str:
        """Return the id of the section that a part of this page stands in, "" for none."""
        above = ""
        for depth in range(1, len(part.section) + 1):
            path = part.section[:depth]
            if path not in self._open:
                self._open[path] = len(self.sections)
                self.sections.append(self._begun(part, path, above))
            above = self.sections[self._open[path]].id
        return above

    def _begun(self, part: Part, path: tuple[str, ...], above: str) -> Part:
        return Part(
            f"{self._document}:s{len(self.sections)}",
            "section",
            title=path[-1],
            section=path,
            page=part.page,
            box=part.box,
            anchor=part.anchor,
            parent=above or self._document,
            section_id=above,
        )


def _mentions(units: Sequence[Unit]) -> list[tuple[str, str]]:
    """Return which passage names which figure or table, as pairs of ids, in order."""
    shown = ((unit.ordinal, part_id, segment) for unit in units for _, segment, part_id in _shown(unit))
    named = Named(shown)
    found: list[tuple[str, str]] = []
    for unit in units:
        for place, passage in enumerate(unit.passages):
            own = None if passage.table is None else f"{unit.id}.t{passage.table}"
            meant = (
                part_id for label in mentions(passage.text) for part_id in named.meant(label, unit.ordinal)
            )
            found += ((f"{unit.id}.p{place}", part_id) for part_id in dict.fromkeys(meant) if part_id != own)
    return found


def _linked(found: Sequence[Part], mentioned: Iterable[tuple[str, str]]) -> Iterator[Part]:
    """Give the parts with their neighbours, their children and what names them."""
    children, names, named_by = (defaultdict[str, list[str]](list) for _ in range(3))
    for part in found:
        for holder in dict.fromkeys((part.parent, part.section_id)):
            if holder == part.parent or part.kind in ("passage", "figure", "table"):
                children[holder].append(part.id)
    for passage, shown in mentioned:
        names[passage].append(shown)
        named_by[shown].append(passage)
    before, after = _neighbours(found)
    for part in found:
        yield replace(
            part,
            previous=before.get(part.id, ""),
            next=after.get(part.id, ""),
            children=tuple(children[part.id]),
            mentions=tuple(names[part.id]),
            mentioned_by=tuple(named_by[part.id]),
        )


def _neighbours(found: Iterable[Part]) -> tuple[dict[str, str], dict[str, str]]:
    """Return for each part the id of the one of its kind before it, and of the one after it."""
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    last: dict[str, str] = {}
    for part in found:
        if part.kind in last:
            before[part.id] = last[part.kind]
            after[last[part.kind]] = part.id
        last[part.kind] = part.id
    return before, after
