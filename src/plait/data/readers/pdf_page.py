"""One page of a PDF as PDFium gives it, turned the way a reader sees it: lines, drawings, pixels."""

from __future__ import annotations

import ctypes
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from plait.data.readers.figures import Drawn
from plait.data.readers.geometry import Rect, overlap
from plait.data.readers.layout import Line, join_runs

_LONGEST_SIDE_PX = 2200  # of a rendered page, whatever its resolution
_MOST_CHARACTERS = 200_000
_DRAWN = {
    pdfium.FPDF_PAGEOBJ_PATH: False,
    pdfium.FPDF_PAGEOBJ_IMAGE: True,
    pdfium.FPDF_PAGEOBJ_SHADING: True,
    pdfium.FPDF_PAGEOBJ_FORM: True,
}
# PDFium marks a hyphen at the end of a line by one of these.
_HYPHENS = dict.fromkeys(("\x02", "\ufffe", "\xad", "\u2010"), "-")
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
# Old TeX fonts set an accent as a character of its own, above the letter.
_ACCENTS = {
    "´": "\u0301",
    "`": "\u0300",
    "¨": "\u0308",
    "ˆ": "\u0302",
    "˜": "\u0303",
    "ˇ": "\u030c",
    "˚": "\u030a",
}

Matrix = tuple[float, float, float, float, float, float]


@dataclass(slots=True)
class _Run:
    """Characters that follow each other on one line."""

    first: int
    characters: list[str]
    left: float
    top: float
    right: float
    bottom: float
    space: bool = field(default=False)


class PageView:
    """A page in points from its top left corner, rotation and crop box applied.

    Args:
        page: an open page.
        max_pixels: pages are never rendered larger.
    """

    def __init__(self, page: pypdfium2.PdfPage, *, max_pixels: int) -> None:
        self._page = page
        self._max_pixels = max_pixels
        width, height = page.get_size()
        if not (math.isfinite(width) and math.isfinite(height) and width > 1 and height > 1):
            raise ValueError(f"has no usable size ({width} x {height} points)")
        self.box = Rect(0.0, 0.0, width, height)
        self._matrix = _seen_matrix(page, width, height)

    def lines(self) -> list[Line]:
        """Return the lines of text, in no certain order."""
        text_page = self._page.get_textpage()
        try:
            runs = [line for run in self._runs(text_page) if (line := self._line(run, text_page)) is not None]
        finally:
            text_page.close()
        return join_runs(runs)

    def drawn(self) -> list[Drawn]:
        """Return the drawn objects; a form that is nearly the whole page gives what it holds."""
        found: list[Drawn] = []
        for index in range(pdfium.FPDFPage_CountObjects(self._page)):
            item = pdfium.FPDFPage_GetObject(self._page, index)
            kind = pdfium.FPDFPageObj_GetType(item)
            box = self._bounds(item, self._matrix) if kind in _DRAWN else None
            if box is None:
                continue
            if kind == pdfium.FPDF_PAGEOBJ_FORM and box.common(self.box).area > 0.6 * self.box.area:
                found += self._within(item)
            else:
                found.append(Drawn(box, _DRAWN[kind]))
        return found

    def render(self, *, dpi: float) -> Image.Image:
        """Return the page in RGB, at a lower resolution if it would have too many pixels."""
        width, height = self.box.width, self.box.height
        scale = min(
            dpi / 72, _LONGEST_SIDE_PX / max(width, height), math.sqrt(self._max_pixels / (width * height))
        )
        scale = max(scale, 1.01 / min(width, height))
        if (width * scale + 1) * (height * scale + 1) > self._max_pixels:
            raise ValueError(f"is {width:.0f} x {height:.0f} points, too long and thin to draw")
        bitmap = self._page.render(scale=scale, rev_byteorder=True, draw_annots=False, may_draw_forms=False)
        try:
            image: Image.Image = bitmap.to_pil().convert("RGB").copy()
            return image
        finally:
            bitmap.close()

    def _within(self, form: Any) -> list[Drawn]:
        """Return the objects of a form, one level deep."""
        inner = pdfium.FS_MATRIX()
        if not pdfium.FPDFPageObj_GetMatrix(form, inner):
            return []
        local = (inner.a, inner.b, inner.c, inner.d, inner.e, inner.f)
        matrix = _product(local, self._matrix)
        found = []
        for index in range(max(0, pdfium.FPDFFormObj_CountObjects(form))):
            item = pdfium.FPDFFormObj_GetObject(form, index)
            kind = pdfium.FPDFPageObj_GetType(item)
            box = self._bounds(item, matrix) if kind in _DRAWN else None
            if box is not None:
                found.append(Drawn(box, _DRAWN[kind]))
        return found

    def _bounds(self, item: Any, matrix: Matrix) -> Rect | None:
        left, bottom, right, top = (ctypes.c_float() for _ in range(4))
        if not pdfium.FPDFPageObj_GetBounds(item, left, bottom, right, top):
            return None
        values = (left.value, bottom.value, right.value, top.value)
        return _mapped(matrix, *values) if all(map(math.isfinite, values)) else None

    def _runs(self, text_page: pypdfium2.PdfTextPage) -> Iterator[_Run]:
        """Group the characters of the stream: a run ends where the next character stands elsewhere."""
        box = pdfium.FS_RECTF()
        unicode_of, box_of = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetLooseCharBox
        matrix = self._matrix
        upright = matrix[1] == 0 and matrix[2] == 0 and matrix[0] > 0 > matrix[3]
        run: _Run | None = None
        turned = False
        for index, character in _characters(text_page, unicode_of):
            if character == "\n" or (character == " " and run is None):
                turned = turned and character == " "
                if run is not None and character == "\n":
                    yield run
                    run = None
                continue
            if character == " ":
                run.space = True  # type: ignore[union-attr]
                continue
            if not box_of(text_page, index, box):
                continue
            if upright:
                left, right = matrix[0] * box.left + matrix[4], matrix[0] * box.right + matrix[4]
                top, bottom = matrix[3] * box.top + matrix[5], matrix[3] * box.bottom + matrix[5]
            else:
                left, top, right, bottom = _mapped(matrix, box.left, box.bottom, box.right, box.top)
            if run is not None and (turned or _follows(run, left, top, right, bottom)):
                _extend(run, character, left, top, right, bottom)
                continue
            if run is not None:
                yield run
            run = _Run(index, [character], left, top, right, bottom)
            turned = self._is_turned(text_page, index)
        if run is not None:
            yield run

    def _is_turned(self, text_page: pypdfium2.PdfTextPage, index: int) -> bool:
        """Tell whether a character does not run from left to right, as the page is seen."""
        angle = pdfium.FPDFText_GetCharAngle(text_page, index)
        a, _, c, _, _, _ = self._matrix
        return math.cos(angle) * a + math.sin(angle) * c < 0.7 * math.hypot(a, c)

    def _line(self, run: _Run, text_page: pypdfium2.PdfTextPage) -> Line | None:
        text = "".join(run.characters).strip()
        if not text or run.right - run.left <= 0 or run.bottom - run.top <= 0:
            return None
        size = pdfium.FPDFText_GetFontSize(text_page, run.first)
        matrix = pdfium.FS_MATRIX()
        if pdfium.FPDFText_GetMatrix(text_page, run.first, matrix):
            size *= math.hypot(matrix.b, matrix.d)
        if not (math.isfinite(size) and size > 0.5):
            size = run.bottom - run.top
        return Line(text, Rect(run.left, run.top, run.right, run.bottom), size)


def _characters(text_page: pypdfium2.PdfTextPage, unicode_of: Any) -> Iterator[tuple[int, str]]:
    """Give each character with its index; the halves of one outside the basic plane are joined."""
    high = 0
    for index in range(min(text_page.count_chars(), _MOST_CHARACTERS)):
        code = unicode_of(text_page, index)
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
        high = 0
        if code in (10, 13):
            yield index, "\n"
        elif code in (9, 32, 160):
            yield index, " "
        elif code >= 32 or code == 2:
            character = chr(min(code, 0x10FFFF))
            yield index, _HYPHENS.get(character) or _LIGATURES.get(character) or character


def _follows(run: _Run, left: float, top: float, right: float, bottom: float) -> bool:
    height = min(run.bottom - run.top, bottom - top)
    if overlap(run.top, run.bottom, top, bottom) < 0.4 * height:
        return False
    gap = left - run.right
    tallest = max(run.bottom - run.top, bottom - top)
    return -tallest < gap < (0.8 if run.space else 0.5) * tallest and right > run.left


def _extend(run: _Run, character: str, left: float, top: float, right: float, bottom: float) -> None:
    gap = left - run.right
    before = run.characters[-1]
    if before in _ACCENTS and not run.space and gap < -0.2 * (right - left) and character.isalpha():
        run.characters[-1] = unicodedata.normalize("NFC", character + _ACCENTS[before])
    elif run.space or gap > 0.25 * (bottom - top):
        run.characters.append(" " + character)
    else:
        run.characters.append(character)
    run.space = False
    run.left, run.right = min(run.left, left), max(run.right, right)
    run.top, run.bottom = min(run.top, top), max(run.bottom, bottom)


def _seen_matrix(page: pypdfium2.PdfPage, width: float, height: float) -> Matrix:
    """Return the map from PDF page coordinates to points as seen, asked of PDFium itself."""
    fine = 1000
    columns, rows = max(1, round(width * fine)), max(1, round(height * fine))
    while max(columns, rows) > 2**30:  # device coordinates are 32-bit integers
        fine //= 10
        columns, rows = round(width * fine), round(height * fine)

    def seen(x: float, y: float) -> tuple[float, float]:
        device_x, device_y = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(page, 0, 0, columns, rows, 0, x, y, device_x, device_y)
        return device_x.value / fine, device_y.value / fine

    (x0, y0), (x1, y1), (x2, y2) = seen(0, 0), seen(100, 0), seen(0, 100)

    def tidy(value: float) -> float:
        return round(value, 4)

    return (
        tidy((x1 - x0) / 100),
        tidy((y1 - y0) / 100),
        tidy((x2 - x0) / 100),
        tidy((y2 - y0) / 100),
        x0,
        y0,
    )


def _product(first: Matrix, second: Matrix) -> Matrix:
    """Return the map that applies `first`, then `second`."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = second
    return (
        a * g + b * i,
        a * h + b * j,
        c * g + d * i,
        c * h + d * j,
        e * g + f * i + k,
        e * h + f * j + m,
    )


def _mapped(matrix: Matrix, left: float, bottom: float, right: float, top: float) -> Rect:
    """Return the rectangle around a mapped rectangle."""
    a, b, c, d, e, f = matrix
    xs = [a * x + c * y + e for x in (left, right) for y in (bottom, top)]
    ys = [b * x + d * y + f for x in (left, right) for y in (bottom, top)]
    return Rect(min(xs), min(ys), max(xs), max(ys))
