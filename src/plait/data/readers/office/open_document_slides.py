"""The pages of an OpenDocument presentation to segments with their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from xml.etree.ElementTree import Element

from plait.data.readers.office.cells import CellBudget, Place, squared, table_segments
from plait.data.readers.office.office_package import local
from plait.data.readers.office.open_document_parts import (
    OpenDocument,
    attribute,
    described,
    length_cm,
    paragraphs,
    plain_text,
    table_rows,
    words_of,
)
from plait.data.readers.office.slide_order import Placed, fraction_box, in_reading_order
from plait.schema import Box, Segment

_USUAL_SIZE_CM = (28.0, 21.0)
_DECORATION = frozenset({"header", "footer", "date-time", "page-number"})


@dataclass(slots=True)
class OpenSlides:
    """What the slides hold.

    Attributes:
        shown: the segments of each slide.
        title: of the first slide.
        hidden: the numbers of the slides that are skipped when they are presented.
    """

    shown: list[list[Segment]] = field(default_factory=list)
    title: str = ""
    hidden: list[int] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def slides_of(file: OpenDocument) -> OpenSlides:
    """Return the slides of a presentation, within the limit on pages."""
    found = OpenSlides()
    slides = [e for e in file.body if local(e.tag) == "page"]
    kept = slides[: file.limits.max_pages]
    sizes, hidden, budget = _sizes(file), _hidden_styles(file), CellBudget()
    for number, slide in enumerate(kept, start=1):
        title = _title(slide)
        size = sizes.get(attribute(slide, "master-page-name"), _USUAL_SIZE_CM)
        found.shown.append(_Slide(file, number, title, size, budget).segments(slide))
        found.title = found.title or title
        if attribute(slide, "style-name") in hidden:
            found.hidden.append(number)
        file.task.tick()
    if len(slides) > len(kept):
        found.warnings.append(f"only the first {len(kept)} of {len(slides)} slides are read")
    return found


class _Slide:
    """One slide."""

    def __init__(
        self, file: OpenDocument, number: int, title: str, size: tuple[float, float], budget: CellBudget
    ) -> None:
        self._file = file
        self._place = Place((title,) if title else (), number)
        self._size = size
        self._budget = budget

    def segments(self, slide: Element) -> list[Segment]:
        notes = [e for e in slide if local(e.tag) == "notes"]
        shapes = [placed for e in slide if local(e.tag) != "notes" for placed in self._shape(e)]
        said = "\n".join(text for e in notes for text in _notes(e))
        spoken = [self._segment("text", text=said, role="notes")] if said else []
        return [*in_reading_order(shapes), *spoken]

    def _shape(self, shape: Element) -> Iterator[Placed]:
        kind = attribute(shape, "class")
        if kind in _DECORATION or attribute(shape, "placeholder") == "true":
            return
        name = local(shape.tag)
        if name in ("g", "a"):
            for child in shape:
                yield from self._shape(child)
            return
        box = _box(shape, self._size)
        table = next((child for child in shape if local(child.tag) == "table"), None)
        picture = self._file.picture(shape) if name == "frame" and table is None else None
        if table is not None:
            rows, headers = table_rows(table, self._budget)
            place = Place(self._place.section, self._place.page, box)
            cells = squared(rows)
            parts = table_segments(cells, place=place, header_rows=headers or None) if cells else ()
            yield Placed(tuple(parts), box)
        elif picture is not None:
            yield Placed((self._segment("image", text=described(shape), picture=picture, box=box),), box)
        elif name not in ("forms", "page-thumbnail") and (text := plain_text(shape)):
            links = tuple(link for p in paragraphs(shape) for link in words_of(p).links)
            yield Placed((self._segment("text", text=text, links=links, box=box),), box, kind == "title")

    def _segment(self, kind: Literal["text", "image"], **values: Any) -> Segment:
        return Segment(kind, section=self._place.section, page=self._place.page, **values)


def _title(slide: Element) -> str:
    shown = next((e for e in slide.iter() if attribute(e, "class") == "title"), None)
    return " ".join(plain_text(shown).split()) if shown is not None else ""


def _notes(notes: Element) -> Iterator[str]:
    for frame in notes:
        if attribute(frame, "class") not in _DECORATION and attribute(frame, "placeholder") != "true":
            yield from filter(None, [plain_text(frame)])


def _box(shape: Element, size: tuple[float, float]) -> Box | None:
    values = [length_cm(attribute(shape, name)) for name in ("x", "y", "width", "height")]
    left, top, width, height = values
    if left is None or top is None or width is None or height is None:
        return None
    return fraction_box(left, top, width, height, size)


def _sizes(file: OpenDocument) -> dict[str, tuple[float, float]]:
    """Return width and height of the slides of each master page, in centimetres."""
    layouts: dict[str, tuple[float, float]] = {}
    masters: dict[str, tuple[float, float]] = {}
    elements = list(file.layout.iter()) if file.layout is not None else []
    for layout in elements:
        if local(layout.tag) != "page-layout":
            continue
        for child in layout:
            width = length_cm(attribute(child, "page-width"))
            height = length_cm(attribute(child, "page-height"))
            if width and height:
                layouts[attribute(layout, "name")] = (width, height)
    for master in elements:
        if local(master.tag) == "master-page":
            masters[attribute(master, "name")] = layouts.get(
                attribute(master, "page-layout-name"), _USUAL_SIZE_CM
            )
    return masters


def _hidden_styles(file: OpenDocument) -> set[str]:
    return {
        attribute(style, "name")
        for style in file.content.iter()
        if local(style.tag) == "style" and any(attribute(child, "visibility") == "hidden" for child in style)
    }
