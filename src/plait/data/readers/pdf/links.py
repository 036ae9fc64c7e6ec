"""Where the links of a PDF's page lead, and the words that they lie over."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from plait.data.readers.geometry import Rect
from plait.data.readers.pdf.matrix import Matrix, mapped
from plait.schema import Link

_MOST = 2000  # of one page
_LONGEST_ADDRESS_BYTES = 4096
_MOST_WORDS = 300  # characters
_REFUSED = re.compile(r"^\s*(?:javascript|data|vbscript):", re.I)


@dataclass(frozen=True, slots=True)
class PlacedLink:
    """A link and its place on the page, in points as a reader sees it."""

    link: Link
    box: Rect


def links_of(
    document: pypdfium2.PdfDocument,
    page: pypdfium2.PdfPage,
    matrix: Matrix,
    words: Callable[[float, float, float, float], str],
) -> list[PlacedLink]:
    """Return the links of a page; one that is parted over lines is one.

    Args:
        document: what the page is of.
        page: an open page.
        matrix: from its own coordinates to those of a reader.
        words: returns the words in a rectangle (left, bottom, right, top) of its own coordinates.
    """
    found: list[PlacedLink] = []
    for link, box in _annotations(page):
        target = _target(document, link)
        text = words(*box)[:_MOST_WORDS] if target else ""
        if not text:
            continue
        here = PlacedLink(Link(text, target), mapped(matrix, *box))
        if found and _goes_on(found[-1], here):
            joined = Link(f"{found[-1].link.text} {text}", target)
            found[-1] = PlacedLink(joined, found[-1].box)
        else:
            found.append(here)
    return found


def links_within(box: Rect, links: Sequence[PlacedLink]) -> tuple[Link, ...]:
    """Return the links that stand in a box, each once."""
    if not links:
        return ()
    wide = box.grown(1)
    return tuple(dict.fromkeys(placed.link for placed in links if wide.holds_centre_of(placed.box)))


def _annotations(page: pypdfium2.PdfPage) -> Iterator[tuple[pdfium.FPDF_LINK, tuple[float, ...]]]:
    """Give each link with its rectangle: left, bottom, right, top."""
    position, link, rect = ctypes.c_int(0), pdfium.FPDF_LINK(), pdfium.FS_RECTF()
    for _ in range(_MOST):
        if not pdfium.FPDFLink_Enumerate(page, position, link):
            return
        if not pdfium.FPDFLink_GetAnnotRect(link, rect):
            continue
        left, right = sorted((rect.left, rect.right))
        bottom, top = sorted((rect.bottom, rect.top))
        if all(map(math.isfinite, (left, bottom, right, top))):
            yield link, (left, bottom, right, top)


def _target(document: pypdfium2.PdfDocument, link: pdfium.FPDF_LINK) -> str:
    """Return an address, or "page:N"; "" for what leads nowhere that can be named."""
    destination = pdfium.FPDFLink_GetDest(document, link)
    action = None if destination else pdfium.FPDFLink_GetAction(link)
    if action:
        kind = pdfium.FPDFAction_GetType(action)
        if kind == pdfium.PDFACTION_URI:
            return _address(document, action)
        if kind == pdfium.PDFACTION_GOTO:
            destination = pdfium.FPDFAction_GetDest(document, action)
    page = pdfium.FPDFDest_GetDestPageIndex(document, destination) if destination else -1
    return f"page:{page + 1}" if page >= 0 else ""


def _address(document: pypdfium2.PdfDocument, action: pdfium.FPDF_ACTION) -> str:
    buffer = ctypes.create_string_buffer(_LONGEST_ADDRESS_BYTES)
    length = pdfium.FPDFAction_GetURIPath(document, action, buffer, _LONGEST_ADDRESS_BYTES)
    if not 1 < length <= _LONGEST_ADDRESS_BYTES:
        return ""
    address = buffer.value.decode("utf-8", "replace").strip()
    return "" if _REFUSED.match(address) else address


def _goes_on(before: PlacedLink, here: PlacedLink) -> bool:
    """Tell whether a link is the rest of the one before, on the next line or in the next column."""
    if before.link.target != here.link.target:
        return False
    below = here.box.top > before.box.top + 0.5 * before.box.height
    beside = here.box.left > before.box.right
    return (below and here.box.top < before.box.bottom + 1.5 * before.box.height) or beside
