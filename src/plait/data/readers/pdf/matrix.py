"""Maps between a PDF page's own coordinates and the page as a reader sees it."""

from __future__ import annotations

import ctypes

import pypdfium2
import pypdfium2.raw as pdfium

from plait.data.readers.geometry import Rect

Matrix = tuple[float, float, float, float, float, float]  # x' = a x + c y + e, y' = b x + d y + f


def seen_matrix(page: pypdfium2.PdfPage, width: float, height: float) -> Matrix:
    """Return the map from PDF page coordinates to points as seen, asked of PDFium itself.

    Args:
        page: an open page.
        width, height: its size as seen, in points.
    """
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


def product(first: Matrix, second: Matrix) -> Matrix:
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


def mapped(matrix: Matrix, left: float, bottom: float, right: float, top: float) -> Rect:
    """Return the rectangle around a mapped rectangle."""
    a, b, c, d, e, f = matrix
    xs = [a * x + c * y + e for x in (left, right) for y in (bottom, top)]
    ys = [b * x + d * y + f for x in (left, right) for y in (bottom, top)]
    return Rect(min(xs), min(ys), max(xs), max(ys))
