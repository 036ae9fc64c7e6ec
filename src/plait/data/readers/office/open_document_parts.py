"""What OpenDocument texts, slides and spreadsheets share: words, tables, frames, styles, properties."""

from __future__ import annotations

import base64
import binascii
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.office.cells import CellBudget
from plait.data.readers.office.office_package import damage, local, properties, xml_part
from plait.data.readers.office.office_pictures import OfficePictures, alternative_text
from plait.data.readers.unpacking import Members
from plait.errors import ReadError
from plait.schema import Link, Metadata, Picture

_MOST_SPACES = 100
_MOST_COLUMNS = 16_384
_MOST_EMPTY_ROWS = 1_000
# Inside a paragraph, but no words of it.
_SKIPPED = frozenset(
    {"annotation", "annotation-end", "tracked-changes", "ruby-text", "desc", "title", "script"}
)
_FRAMES = frozenset({"frame", "g", "custom-shape", "rect", "ellipse", "polygon", "path", "line", "connector"})


@dataclass(slots=True)
class Words:
    """What stands in a paragraph.

    Attributes:
        text: its words, each note's mark in brackets.
        links: where they lead.
        frames: pictures and boxes anchored in it.
        notes: its footnotes and endnotes.
    """

    text: str = ""
    links: list[Link] = field(default_factory=list)
    frames: list[Element] = field(default_factory=list)
    notes: list[Element] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """An OpenDocument file's parts.

    Attributes:
        body: of content.xml, the element that names its kind ("text", "presentation", "spreadsheet").
        styles: the style that each style of content.xml and styles.xml derives from.
        layout: the root of styles.xml; None if it has none.
        properties: what meta.xml says of it.
        pictures: loads its pictures.
    """

    task: ReadTask
    limits: ReadLimits
    members: Members
    body: Element
    styles: Mapping[str, str]
    content: Element
    layout: Element | None
    properties: Metadata
    pictures: OfficePictures

    @classmethod
    def opened(cls, task: ReadTask, limits: ReadLimits, members: Members) -> Self:
        """Return the parts of a file whose archive was checked.

        Raises:
            ReadError: damaged, or behind a password.
        """
        with damage(task):
            if "META-INF/manifest.xml" in members and b"encryption-data" in members.read(
                "META-INF/manifest.xml"
            ):
                raise ReadError(task.source, "password-protected", "remove the password, then add it again")
            content = xml_part(members, "content.xml")
            layout = xml_part(members, "styles.xml")
            about = properties(members, "meta.xml")
            bodies = [e for e in content if local(e.tag) == "body"] if content is not None else []
            if content is None or not bodies or not len(bodies[0]):
                raise ReadError(
                    task.source, "is damaged (it has no body)", "open it in its program and save it again"
                )
        pictures = OfficePictures(task, limits, members)
        styles = {**_styles(layout), **_styles(content)}
        return cls(task, limits, members, bodies[0][0], styles, content, layout, about, pictures)

    def named_style(self, element: Element) -> str:
        """Return the style that an element's own one derives from: the one a user chose by name."""
        style = attribute(element, "style-name")
        return (self.styles.get(style) or style).replace("_20_", " ")

    def picture(self, frame: Element) -> Picture | None:
        """Return what a frame shows: the first of its forms that can be used."""
        images = [child for child in frame if local(child.tag) == "image"]
        for image in images:
            picture = self._shown(image)
            if picture is not None:
                return picture
        return None

    def _shown(self, image: Element) -> Picture | None:
        address = attribute(image, "href")
        if address:
            return self.pictures.load(posixpath.normpath(unquote(address)))
        data = next((e.text for e in image if local(e.tag) == "binary-data"), None)
        if not data:
            return None
        try:
            return self.pictures.keep(base64.b64decode("".join(data.split())))
        except (binascii.Error, ValueError):
            self.pictures.leave_out("a picture that cannot be decoded")
            return None


def attribute(element: Element, name: str) -> str:
    """Return an attribute by its name without namespace; "" if there is none."""
    return next((value for key, value in element.attrib.items() if local(key) == name or key == name), "")


def number(element: Element, name: str, *, most: int) -> int:
    """Return how often something is repeated, at least once; what is no number counts once."""
    text = attribute(element, name)
    return min(max(int(text), 1), most) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def described(frame: Element) -> str:
    """Return a frame's alternative text."""
    texts = {local(child.tag): " ".join((child.text or "").split()) for child in frame}
    return alternative_text(texts.get("desc") or texts.get("title"))


def words_of(paragraph: Element) -> Words:
    """Return what stands in a paragraph or heading; tracked deletions and comments are left out."""
    words = Words()
    said: list[str] = []
    _gather(paragraph, said, words)
    words.text = " ".join("".join(said).split())
    return words


def plain_text(element: Element) -> str:
    """Return the paragraphs below an element, a line each, without their notes and frames."""
    lines = [words_of(e).text for e in paragraphs(element)]
    return "\n".join(line for line in lines if line)


def paragraphs(element: Element) -> Iterator[Element]:
    """Yield the paragraphs and headings below an element, in order; of comments none."""
    open_elements = [iter(element)]
    while open_elements:
        child = next(open_elements[-1], None)
        if child is None:
            open_elements.pop()
        elif local(child.tag) in ("p", "h"):
            yield child
        elif local(child.tag) not in _SKIPPED:
            open_elements.append(iter(child))


def table_rows(table: Element, budget: CellBudget) -> tuple[list[list[str]], int]:
    """Return a table's cells, and how many of its rows are marked as its header.

    A cell or row may say that it is repeated a million times: what the budget no longer takes is left out.
    """
    rows: list[list[str]] = []
    headers = empty = 0
    for element, is_header in _rows(table):
        cells = _cells(element)
        times = number(element, "number-rows-repeated", most=2**20)
        if not any(cells):
            empty += times
            continue
        gap: Sequence[list[str]] = [[]] * min(empty, _MOST_EMPTY_ROWS) if rows else ()
        empty = 0
        for row in (*gap, *([cells] * min(times, max(budget.rows, 0) + 1))):
            if not budget.takes(row):
                return rows, headers
            rows.append(row)
        headers += times if is_header else 0
    return rows, headers


def length_cm(text: str) -> float | None:
    """Return a length such as "2.5cm" or "1in", in centimetres; None for anything else."""
    for unit, size in (
        ("cm", 1.0),
        ("mm", 0.1),
        ("in", 2.54),
        ("pt", 2.54 / 72),
        ("pc", 2.54 / 6),
        ("px", 2.54 / 96),
    ):
        if text.endswith(unit):
            try:
                return float(text.removesuffix(unit)) * size
            except ValueError:
                return None
    return None


def _styles(root: Element | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in root.iter() if root is not None else ():
        if local(element.tag) == "style" and (parent := attribute(element, "parent-style-name")):
            # A style of a user's own is found by name, though it derives from another one.
            name = attribute(element, "name")
            found[name] = parent if name[:1] == "P" and name[1:].isdigit() else name
    return found


def _gather(element: Element, said: list[str], words: Words) -> None:
    said.append(element.text or "")
    for child in element:
        name = local(child.tag)
        if name == "s":
            said.append(" " * number(child, "c", most=_MOST_SPACES))
        elif name in ("tab", "line-break"):
            said.append(" ")
        elif name == "note":
            words.notes.append(child)
            said.append(f"[{_citation(child)}]")
        elif name in _FRAMES:
            words.frames.append(child)
        elif name == "a":
            start = len(said)
            _gather(child, said, words)
            text = " ".join("".join(said[start:]).split())
            if text and (target := attribute(child, "href")):
                words.links.append(Link(text, target))
        elif name not in _SKIPPED:
            _gather(child, said, words)
        said.append(child.tail or "")


def _citation(note: Element) -> str:
    return next((" ".join((e.text or "").split()) for e in note if local(e.tag) == "note-citation"), "")


def _rows(table: Element, *, is_header: bool = False) -> Iterator[tuple[Element, bool]]:
    """Yield a table's rows, also those in groups, each with whether it is marked as a header."""
    for child in table:
        name = local(child.tag)
        if name == "table-row":
            yield child, is_header
        elif name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(child, is_header=is_header or name == "table-header-rows")


def _cells(row: Element) -> list[str]:
    cells: list[str] = []
    gap = 0
    for child in row:
        name = local(child.tag)
        if name not in ("table-cell", "covered-table-cell") or len(cells) + gap >= _MOST_COLUMNS:
            continue
        times = number(child, "number-columns-repeated", most=_MOST_COLUMNS - len(cells) - gap)
        text = _cell_text(child) if name == "table-cell" else ""
        if text:
            cells += [""] * gap + [text] * times
            gap = 0
        else:
            gap += times
    return cells


def _cell_text(cell: Element) -> str:
    """Return what a cell shows, or where it shows nothing its value."""
    text = " ".join(plain_text(cell).split())
    if text:
        return text
    return next(
        (v for n in ("value", "date-value", "time-value", "string-value") if (v := attribute(cell, n))), ""
    )
