"""How much of a page an object of a PDF really draws on: the box that PDFium gives is often larger."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable
from typing import Any

import pypdfium2.raw as pdfium

from plait.data.readers.geometry import Rect, union
from plait.data.readers.pdf.matrix import Matrix, mapped, product

_LARGE = 40.0  # points; the boxes of smaller objects are taken as they are
_THICK = 5.0  # points: PDFium gives thick lines room for corners that they do not have
_DEEPEST = 4
_MOST_OBJECTS = 1500  # of one form; a fuller one keeps its own box
_MOST_POINTS = 200
_WHITE = 250  # of 255


def extent(item: Any, kind: int, matrix: Matrix, box: Rect) -> Rect | None:
    """Return the part of an object's box that it draws on; None if it shows nothing.

    White shapes without an outline show nothing: they are there to hide what is below them.

    Args:
        item: a page object.
        kind: its type, as PDFium numbers them.
        matrix: from the coordinates that it is placed in, to points of the page as seen.
        box: its own, in points of the page as seen.
    """
    if kind == pdfium.FPDF_PAGEOBJ_FORM:
        found: list[Rect] = []
        if not _collect(item, matrix, box, found, 0):
            return box
        return union(found) if found else None
    if min(box.width, box.height) < _LARGE:
        return box
    if kind == pdfium.FPDF_PAGEOBJ_PATH:
        if _is_white(item):
            return None
        box = _of_thick_line(item, matrix, box)
    return _clipped(item, matrix, box)


def _collect(form: Any, matrix: Matrix, limit: Rect, found: list[Rect], depth: int) -> bool:
    """Add the boxes of a form's objects; False if there are too many, or forms too deep in each other."""
    count = pdfium.FPDFFormObj_CountObjects(form)
    own = pdfium.FS_MATRIX()
    if depth >= _DEEPEST or len(found) + count > _MOST_OBJECTS or not pdfium.FPDFPageObj_GetMatrix(form, own):
        return False
    inner = product((own.a, own.b, own.c, own.d, own.e, own.f), matrix)
    for index in range(max(0, count)):
        item = pdfium.FPDFFormObj_GetObject(form, index)
        kind = pdfium.FPDFPageObj_GetType(item)
        box = bounds_of(item, inner)
        if box is None or not box.meets(limit):
            continue
        if kind == pdfium.FPDF_PAGEOBJ_FORM:
            if not _collect(item, inner, _clipped(item, inner, box.common(limit)), found, depth + 1):
                return False
        elif (seen := extent(item, kind, inner, box)) is not None and seen.meets(limit):
            found.append(seen.common(limit))
    return True


def bounds_of(item: Any, matrix: Matrix) -> Rect | None:
    """Return the rectangle that PDFium gives an object; None if it gives none that is finite."""
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(item, left, bottom, right, top):
        return None
    values = (left.value, bottom.value, right.value, top.value)
    return mapped(matrix, *values) if all(map(math.isfinite, values)) else None


def _of_thick_line(path: Any, matrix: Matrix, box: Rect) -> Rect:
    """Return the box around the points of a thick line, and half its width around them."""
    fill, stroke, width = ctypes.c_int(), ctypes.c_int(), ctypes.c_float()
    if not pdfium.FPDFPath_GetDrawMode(path, fill, stroke) or not stroke.value:
        return box
    if not pdfium.FPDFPageObj_GetStrokeWidth(path, width) or width.value < _THICK:
        return box
    own = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(path, own)
    whole = product((own.a, own.b, own.c, own.d, own.e, own.f), matrix)
    count = pdfium.FPDFPath_CountSegments(path)
    points = _points(pdfium.FPDFPath_GetPathSegment(path, place) for place in range(min(_MOST_POINTS, count)))
    if points is None or count > _MOST_POINTS:
        return box
    line = mapped(whole, *points)
    half = width.value * math.hypot(whole[0], whole[1]) / 2
    around = line.grown(half)
    if min(line.width, line.height) < 0.1:  # straight: it ends where its last point is
        level = line.height < line.width
        around = around._replace(left=line.left, right=line.right) if level else around
        around = around if level else around._replace(top=line.top, bottom=line.bottom)
    return box.common(around) if box.meets(around) else box


def _clipped(item: Any, matrix: Matrix, box: Rect) -> Rect:
    """Cut an object's box to the boxes of the paths it is clipped by."""
    clip = pdfium.FPDFPageObj_GetClipPath(item)
    for path in range(min(8, max(0, pdfium.FPDFClipPath_CountPaths(clip)))) if clip else ():
        count = pdfium.FPDFClipPath_CountPathSegments(clip, path)
        points = _points(
            pdfium.FPDFClipPath_GetPathSegment(clip, path, place) for place in range(min(_MOST_POINTS, count))
        )
        if points is not None and count <= _MOST_POINTS:
            cut = mapped(matrix, *points)
            box = box.common(cut) if box.meets(cut) else box._replace(right=box.left, bottom=box.top)
    return box


def _points(segments: Iterable[Any]) -> tuple[float, float, float, float] | None:
    """Return the left, bottom, right and top of the points of a path; None if it has none."""
    x, y = ctypes.c_float(), ctypes.c_float()
    found = [(x.value, y.value) for segment in segments if pdfium.FPDFPathSegment_GetPoint(segment, x, y)]
    if not found:
        return None
    xs, ys = zip(*found, strict=True)
    values = (min(xs), min(ys), max(xs), max(ys))
    return values if all(map(math.isfinite, values)) else None


def _is_white(path: Any) -> bool:
    """Tell whether a path is filled in white, without an outline."""
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    if not pdfium.FPDFPath_GetDrawMode(path, mode, stroke) or stroke.value or not mode.value:
        return False
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    return bool(pdfium.FPDFPageObj_GetFillColor(path, red, green, blue, alpha)) and (
        alpha.value == 0 or min(red.value, green.value, blue.value) >= _WHITE
    )
