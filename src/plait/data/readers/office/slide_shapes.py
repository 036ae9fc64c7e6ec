"""The shapes of a PowerPoint slide to segments with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pptx.enum.shapes import PP_PLACEHOLDER

from plait.data.readers.base import ReadTask
from plait.data.readers.office.cells import Place, squared, table_segments
from plait.data.readers.office.charts import chart_of
from plait.data.readers.office.office_package import local
from plait.data.readers.office.office_pictures import OfficePictures, alternative_text
from plait.data.readers.office.slide_order import Placed, fraction_box
from plait.data.readers.xml_trees import tree_of
from plait.schema import Box, Link, Segment

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_JUMP = "ppaction://hlinksldjump"
_DECORATION = frozenset(
    {PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.HEADER, PP_PLACEHOLDER.SLIDE_NUMBER}
)
_TITLES = frozenset({PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE, PP_PLACEHOLDER.VERTICAL_TITLE})
_DEEPEST_GROUP = 20


@dataclass(frozen=True, slots=True)
class _Frame:
    """How the coordinates inside a group become those of the slide: x * scale_x + shift_x, and y alike."""

    scale_x: float = 1.0
    scale_y: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0

    def inside(self, group: Any) -> _Frame:
        """Return the frame of a group's own shapes."""
        form = group._element.xfrm
        if form is None or None in (form.off, form.ext, form.chOff, form.chExt):
            return self
        scale_x = form.ext.cx / form.chExt.cx if form.chExt.cx else 1.0
        scale_y = form.ext.cy / form.chExt.cy if form.chExt.cy else 1.0
        return _Frame(
            self.scale_x * scale_x,
            self.scale_y * scale_y,
            self.shift_x + self.scale_x * (form.off.x - form.chOff.x * scale_x),
            self.shift_y + self.scale_y * (form.off.y - form.chOff.y * scale_y),
        )


class SlideShapes:
    """Reads the shapes of one file's slides.

    Args:
        size: width and height of the slides, in the unit of the file.
        numbers: the number of each slide, by its part's name, for links between slides.
    """

    def __init__(
        self, size: tuple[float, float], numbers: Mapping[str, int], pictures: OfficePictures, task: ReadTask
    ) -> None:
        self._size = size
        self._numbers = numbers
        self._pictures = pictures
        self._task = task

    def of(self, slide: Any, number: int, title: str) -> Iterator[Placed]:
        """Yield the shapes of a slide in the order of the file, groups taken apart."""
        place = Place((title,) if title else (), number)
        yield from self._all(slide.shapes, place, _Frame(), depth=0)

    def _all(self, shapes: Any, place: Place, frame: _Frame, *, depth: int) -> Iterator[Placed]:
        for shape in shapes:
            if getattr(shape, "shapes", None) is not None:
                if depth < _DEEPEST_GROUP:
                    yield from self._all(shape.shapes, place, frame.inside(shape), depth=depth + 1)
                continue
            kind = shape.placeholder_format.type if shape.is_placeholder else None
            if kind in _DECORATION:
                continue
            here = Place(place.section, place.page, self._box(shape, frame))
            yield Placed(tuple(self._segments(shape, here)), here.box, is_title=kind in _TITLES)
        for element in shapes._spTree.iterchildren(_ALTERNATIVES) if hasattr(shapes, "_spTree") else ():
            yield Placed(tuple(_words(_paragraphs(element[0]), place)) if len(element) else ())

    def _box(self, shape: Any, frame: _Frame) -> Box | None:
        if None in (shape.left, shape.top, shape.width, shape.height):
            return None
        return fraction_box(
            frame.shift_x + frame.scale_x * shape.left,
            frame.shift_y + frame.scale_y * shape.top,
            abs(frame.scale_x * shape.width),
            abs(frame.scale_y * shape.height),
            self._size,
        )

    def _segments(self, shape: Any, place: Place) -> Iterator[Segment]:
        """Yield what one shape holds."""
        if getattr(shape, "has_table", False):
            yield from _table(shape.table, place)
        elif getattr(shape, "has_chart", False):
            yield from self._chart(shape.chart.part, place)
        elif getattr(shape, "has_text_frame", False):
            paragraphs = [" ".join(p.text.split()) for p in shape.text_frame.paragraphs]
            yield from _words(paragraphs, place, tuple(self._links(shape)))
        elif hasattr(shape, "crop_left"):
            yield from self._picture(shape, place)
        else:
            yield from self._diagram(shape, place)

    def _chart(self, part: Any, place: Place) -> Iterator[Segment]:
        chart = chart_of(tree_of(part.blob))
        if chart.rows:
            yield from table_segments(chart.rows, place=place, header_rows=1, caption=chart.title)
        elif chart.title:
            yield from _words([chart.title], place)

    def _picture(self, shape: Any, place: Place) -> Iterator[Segment]:
        relation = shape._element.blip_rId
        if relation is None:
            self._pictures.leave_out("not stored in the document (nothing is fetched from elsewhere)")
            return
        cut = (shape.crop_left, shape.crop_top, shape.crop_right, shape.crop_bottom)
        data = shape.part.related_part(relation).blob
        picture = self._pictures.keep(data, cut=cut if any(share > 0 for share in cut) else None)
        if picture is not None:
            text = alternative_text(shape._element._nvXxPr.cNvPr.get("descr"))
            yield Segment(
                "image", text=text, picture=picture, section=place.section, page=place.page, box=place.box
            )

    def _diagram(self, shape: Any, place: Place) -> Iterator[Segment]:
        """Yield the words of a SmartArt diagram, which lie in a part of their own."""
        for element in shape._element.iter():
            relation = element.get(f"{_RELATION}dm") if local(element.tag) == "relIds" else None
            if relation:
                yield from _words(_paragraphs(tree_of(shape.part.related_part(relation).blob)), place)

    def _links(self, shape: Any) -> Iterator[Link]:
        for element in shape._element.iter(f"{_DRAWING}r"):
            text = " ".join("".join(t.text or "" for t in element.iter(f"{_DRAWING}t")).split())
            for click in element.iter(f"{_DRAWING}hlinkClick"):
                target = self._target(click, shape.part)
                if text and target:
                    yield Link(text, target)

    def _target(self, click: Any, part: Any) -> str:
        relation = part.rels.get(click.get(f"{_RELATION}id") or "")
        if relation is None:
            return ""
        if click.get("action", "").startswith(_JUMP):
            number = None if relation.is_external else self._numbers.get(str(relation.target_part.partname))
            return f"page:{number}" if number else ""
        return relation.target_ref if relation.is_external else ""


def _words(paragraphs: list[str], place: Place, links: tuple[Link, ...] = ()) -> Iterator[Segment]:
    text = "\n".join(paragraph for paragraph in paragraphs if paragraph)
    if text:
        yield Segment("text", text=text, section=place.section, page=place.page, box=place.box, links=links)


def _table(table: Any, place: Place) -> Iterator[Segment]:
    """Yield a table; its rows are taken from the XML, where the library would search for each anew."""
    rows = [
        ["" if cell.is_spanned else " ".join(cell.text.split()) for cell in row.tc_lst]
        for row in table._tbl.tr_lst
    ]
    cells = squared(rows)
    if cells:
        yield from table_segments(cells, place=place, header_rows=1 if table.first_row else None)


def _paragraphs(root: Any) -> list[str]:
    """Return the paragraphs of drawing text below an element."""
    return [
        " ".join("".join(t.text or "" for t in paragraph.iter(f"{_DRAWING}t")).split())
        for paragraph in root.iter(f"{_DRAWING}p")
    ]
