"""What a PDF reader does not tell: that a file is cut short, repaired, or holds fewer pages than it says."""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from pathlib import Path

from plait.data.readers.pdf.contents import page_contents
from plait.data.readers.pdf.declared import Bytes, declared_pages

_TAIL = 65_536  # bytes at the end, where the file says where its table of contents is
_START = re.compile(rb"startxref\s+(\d{1,12})")
_BLANK_BYTES = 40  # so little, packed, draws nothing
_TABLE = re.compile(rb"\s*(?:xref\b|\d+\s+\d+\s+obj\b)")


def damage_of(path: Path, *, found_pages: int, empty: Sequence[int]) -> list[str]:
    """Return a sentence for each sign that part of a file was lost, told from its bytes.

    Args:
        path: the file.
        found_pages: how many its parser found.
        empty: places of pages on which nothing is drawn, from 0.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return [
            *_cut_short(data),
            *_missing(declared_pages(data), found_pages),
            *(_unreadable(page_contents(data), empty) if empty else ()),
        ]


def _cut_short(data: Bytes) -> list[str]:
    """Tell of an end that is missing, and of a table of contents that is not where the file says."""
    tail = data[max(0, len(data) - _TAIL) :]
    starts = _START.findall(tail)
    if b"%%EOF" not in tail or not starts:
        return ["its end is missing: the file was cut short, and pages or pictures may be lost"]
    header = max(0, data[:1024].find(b"%PDF-"))  # places are counted from there
    start = int(starts[-1])
    if start and not any(_TABLE.match(data[at : at + 40]) for at in {start, start + header}):
        return ["its table of contents (xref) is damaged: what was found without it has been read"]
    return []


def _missing(declared: int | None, found: int) -> list[str]:
    if declared is None or declared <= found:
        return []
    return [f"only {found} of its {declared} pages could be found: the file is damaged"]


def _unreadable(contents: Sequence[int], empty: Sequence[int]) -> list[str]:
    """Tell of pages that the file has content for, and on which nothing is drawn."""
    lost = [place + 1 for place in empty if place < len(contents) and contents[place] > _BLANK_BYTES]
    if not lost:
        return []
    named = ", ".join(map(str, lost[:5])) + (", ..." if len(lost) > 5 else "")
    which = f"{len(lost)} pages have" if len(lost) > 1 else "1 page has"
    return [f"{which} content that cannot be read: it is damaged (page {named})"]
