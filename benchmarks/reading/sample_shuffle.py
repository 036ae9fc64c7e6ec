"""Rewrites a PDF so that the text objects of each page stand in random order in its stream.

The pages look the same; a reader that trusts the order of the stream is lost.
"""

from __future__ import annotations

import ctypes
import random
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import ImageChops, ImageStat


def shuffled(path: Path, target: Path, *, seed: int) -> float:
    """Write the shuffled PDF, and return how much it looks different.

    Returns:
        The greatest difference of a page from the original: mean over its pixels at 72 dpi, in [0, 255].

    Raises:
        RuntimeError: a page could not be rewritten.
    """
    draw = random.Random(seed)
    with pypdfium2.PdfDocument(path) as pdf:
        for index in range(len(pdf)):
            page = pdf[index]
            _shuffle(page, draw)
            page.close()
        pdf.save(target)
    with pypdfium2.PdfDocument(path) as one, pypdfium2.PdfDocument(target) as other:
        return max(_difference(one[index], other[index]) for index in range(len(one)))


def _shuffle(page: pypdfium2.PdfPage, draw: random.Random) -> None:
    count = pdfium.FPDFPage_CountObjects(page)
    items = [pdfium.FPDFPage_GetObject(page, index) for index in range(count)]
    texts = [item for item in items if pdfium.FPDFPageObj_GetType(item) == pdfium.FPDF_PAGEOBJ_TEXT]
    for item in texts:
        if not pdfium.FPDFPage_RemoveObject(page, item):
            raise RuntimeError("PDFium cannot remove a text object")
    draw.shuffle(texts)
    for item in texts:
        pdfium.FPDFPage_InsertObject(page, item)
    for item in items:
        _with_plain_colours(item)
    if not pdfium.FPDFPage_GenerateContent(page):
        raise RuntimeError("PDFium cannot write a page")


def _with_plain_colours(item: Any) -> None:
    """Set an object's colours anew: PDFium writes those of a colour space of their own as black."""
    for read, write in (
        (pdfium.FPDFPageObj_GetFillColor, pdfium.FPDFPageObj_SetFillColor),
        (pdfium.FPDFPageObj_GetStrokeColor, pdfium.FPDFPageObj_SetStrokeColor),
    ):
        parts = [ctypes.c_uint() for _ in range(4)]
        if read(item, *parts):
            write(item, *(part.value for part in parts))


def _difference(one: pypdfium2.PdfPage, other: pypdfium2.PdfPage) -> float:
    images = [page.render(scale=1.0, grayscale=True).to_pil() for page in (one, other)]
    return ImageStat.Stat(ImageChops.difference(*images)).mean[0]
