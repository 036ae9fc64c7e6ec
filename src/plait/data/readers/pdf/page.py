"""One page of a PDF as PDFium gives it, turned the way a reader sees it: lines, links, drawings, pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line
from plait.data.readers.pdf.characters import TextLayer
from plait.data.readers.pdf.drawn import Drawn
from plait.data.readers.pdf.extents import bounds_of, extent
from plait.data.readers.pdf.links import PlacedLink, links_of
from plait.data.readers.pdf.matrix import product, seen_matrix

_LONGEST_SIDE_PX = 2200  # of a rendered page, whatever its resolution
_MOST_OBJECTS = 200_000
_DRAWN = {
    pdfium.FPDF_PAGEOBJ_PATH: False,
    pdfium.FPDF_PAGEOBJ_IMAGE: True,
    pdfium.FPDF_PAGEOBJ_SHADING: True,
    pdfium.FPDF_PAGEOBJ_FORM: True,
}


class PageView:
    """A page in points from its top left corner, rotation and crop box applied; open until `close`.

    Args:
        document: what the page is of.
        index: of the page, from 0.
        max_pixels: pages are never rendered larger.

    Raises:
        PdfiumError: it is damaged.
        ValueError: it has no usable size.
    """

    def __init__(self, document: pypdfium2.PdfDocument, index: int, *, max_pixels: int) -> None:
        self._document = document
        self._page = document.get_page(index)
        self._max_pixels = max_pixels
        self._text: TextLayer | None = None
        width, height = self._page.get_size()
        if not (math.isfinite(width) and math.isfinite(height) and width > 1 and height > 1):
            self._page.close()
            raise ValueError(f"has no usable size ({width} x {height} points)")
        self.box = Rect(0.0, 0.0, width, height)
        self.matrix = seen_matrix(self._page, width, height)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let PDFium forget the page."""
        if self._text is not None:
            self._text.close()
        self._page.close()

    def lines(self) -> list[Line]:
        """Return pieces of lines of text, in no certain order; each once, none outside the page."""
        return _each_once([line for line in self._layer().lines() if self.box.holds_centre_of(line.box)])

    def links(self) -> list[PlacedLink]:
        """Return where the words of the page lead."""
        return links_of(self._document, self._page, self.matrix, self._layer().within)

    def is_empty(self) -> bool:
        """Tell whether nothing at all is drawn on the page."""
        return int(pdfium.FPDFPage_CountObjects(self._page)) <= 0

    def drawn(self) -> list[Drawn]:
        """Return what is drawn and can be seen; a form that is nearly the whole page gives what it holds."""
        found: list[Drawn] = []
        for index in range(min(_MOST_OBJECTS, pdfium.FPDFPage_CountObjects(self._page))):
            item = pdfium.FPDFPage_GetObject(self._page, index)
            kind = pdfium.FPDFPageObj_GetType(item)
            box = bounds_of(item, self.matrix) if kind in _DRAWN else None
            if box is None:
                continue
            if kind == pdfium.FPDF_PAGEOBJ_FORM and box.common(self.box).area > 0.6 * self.box.area:
                found += self._within(item)
            elif (seen := extent(item, kind, self.matrix, box)) is not None:
                found.append(Drawn(seen, _DRAWN[kind]))
        return found

    def render(self, *, dpi: float) -> Image.Image:
        """Return the page in RGB, at a lower resolution if it would have too many pixels."""
        return self._drawn_at(self._scale(dpi), (0, 0, 0, 0))

    def cut(self, boxes: Sequence[Rect], *, dpi: float) -> list[Image.Image]:
        """Return what stands in some boxes of the page, in RGB; drawn at once, and no more than that.

        Args:
            boxes: at least one.
            dpi: of the pictures; fewer where the page is too large.
        """
        scale = self._scale(dpi)
        columns, rows = math.ceil(self.box.width * scale), math.ceil(self.box.height * scale)
        places = [
            (
                min(max(0, int(box.left * scale)), columns - 1),
                min(max(0, int(box.top * scale)), rows - 1),
                max(1, min(columns, int(box.right * scale) + 1)),
                max(1, min(rows, int(box.bottom * scale) + 1)),
            )
            for box in boxes
        ]
        lefts, tops, rights, bottoms = zip(*places, strict=True)
        left, top = min(lefts), min(tops)
        image = self._drawn_at(scale, (left, rows - max(bottoms), columns - max(rights), top))
        return [image.crop((x0 - left, y0 - top, x1 - left, y1 - top)) for x0, y0, x1, y1 in places]

    def _drawn_at(self, scale: float, margins: tuple[int, int, int, int]) -> Image.Image:
        """Return the page without margins of some pixels at the left, bottom, right and top."""
        bitmap = self._page.render(
            scale=scale,
            crop=tuple((margin - 0.01) / scale if margin else 0 for margin in margins),  # it rounds up
            rev_byteorder=True,
            prefer_bgrx=True,
            draw_annots=False,
            may_draw_forms=False,
        )
        try:
            image: Image.Image = bitmap.to_pil().convert("RGB")
            return image
        finally:
            bitmap.close()

    def _scale(self, dpi: float) -> float:
        """Return pixels to a point, fewer than asked for where the page is too large."""
        width, height = self.box.width, self.box.height
        scale = min(
            dpi / 72, _LONGEST_SIDE_PX / max(width, height), math.sqrt(self._max_pixels / (width * height))
        )
        scale = max(scale, 1.01 / min(width, height))
        if (width * scale + 1) * (height * scale + 1) > self._max_pixels:
            raise ValueError(f"is {width:.0f} x {height:.0f} points, too long and thin to draw")
        return scale

    def _layer(self) -> TextLayer:
        if self._text is None:
            self._text = TextLayer(self._page, self.box, self.matrix)
        return self._text

    def _within(self, form: Any) -> list[Drawn]:
        """Return the objects of a form, one level deep."""
        inner = pdfium.FS_MATRIX()
        if not pdfium.FPDFPageObj_GetMatrix(form, inner):
            return []
        matrix = product((inner.a, inner.b, inner.c, inner.d, inner.e, inner.f), self.matrix)
        found = []
        for index in range(min(_MOST_OBJECTS, max(0, pdfium.FPDFFormObj_CountObjects(form)))):
            item = pdfium.FPDFFormObj_GetObject(form, index)
            kind = pdfium.FPDFPageObj_GetType(item)
            box = bounds_of(item, matrix) if kind in _DRAWN else None
            if box is not None:
                found.append(Drawn(box, _DRAWN[kind]))
        return found


def _each_once(lines: Sequence[Line]) -> list[Line]:
    """Drop text that is drawn again where it stands already, as a makeshift for bold or a shadow."""
    kept: list[Line] = []
    seen: dict[str, list[Rect]] = {}
    for line in lines:
        places = seen.setdefault(line.text, [])
        near = 0.25 * line.size
        if any(
            abs(place.left - line.box.left) < near and abs(place.top - line.box.top) < near
            for place in places[-50:]
        ):
            continue
        places.append(line.box)
        kept.append(line)
    return kept
