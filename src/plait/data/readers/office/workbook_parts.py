"""What lies beside the cells of an XLSX workbook: where its sheets are, how far they reach, pictures."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from xml.etree.ElementTree import Element

from plait.data.readers.base import ReadTask
from plait.data.readers.office.cells import CellBudget
from plait.data.readers.office.office_package import local, targets, xml_part
from plait.data.readers.office.office_pictures import alternative_text
from plait.data.readers.unpacking import Members

_WORKBOOK = "xl/workbook.xml"
_CHUNK = 2**20
_LONGEST_TAG = 4096
_MOST_PICTURES = 2000
# A cell that holds something: an empty one that only has a style closes itself.
_CELL = re.compile(
    rb"""<(?:\w+:)?c\s[^>]{0,120}?\br\s*=\s*["']([A-Za-z]{1,3})(\d{1,7})["'][^>]{0,120}(?<!/)>"""
)
_ROW = re.compile(rb"""<(\w+:)?row\s[^>]{0,120}?\br\s*=\s*["'](\d{1,7})["']""")


@dataclass(frozen=True, slots=True)
class SheetPicture:
    """A picture on a sheet: the row its top lies in, from 0; the part that holds it; its description."""

    row: int
    part: str
    text: str


def sheet_parts(members: Members) -> dict[str, str]:
    """Return the part of each sheet of a workbook, by the sheet's name.

    Raises:
        ReadError: a part is damaged.
        BadXmlError: it is not well-formed.
    """
    root = xml_part(members, _WORKBOOK)
    related = targets(members, _WORKBOOK)
    found: dict[str, str] = {}
    for element in root.iter() if root is not None else ():
        if local(element.tag) == "sheet":
            _, part = related.get(_reference(element, "id"), ("", ""))
            if part in members:
                found[element.get("name", "")] = part
    return found


def pictures_of(members: Members, sheet: str) -> list[SheetPicture]:
    """Return the pictures that lie on a sheet, given its part; for errors see `sheet_parts`."""
    drawings = [part for kind, part in targets(members, sheet).values() if kind == "drawing"]
    found: list[SheetPicture] = []
    for drawing in drawings:
        root = xml_part(members, drawing)
        images = targets(members, drawing)
        for anchor in root if root is not None else ():
            found += _on_anchor(anchor, images)
    return found[:_MOST_PICTURES]


def bounded_workbook(task: ReadTask, sheets: Mapping[str, str]) -> tuple[BinaryIO, list[str]]:
    """Return a workbook, open for a library that makes room for all cells between the first and the last.

    Two cells at opposite corners of a sheet would take it hundreds of gigabytes. Sheets that span too much
    are cut off below, in a copy in the spool folder; one that is too broad as well is left empty.

    Args:
        task: the workbook; its archive was checked.
        sheets: the part of each sheet, by name.

    Returns:
        The file, which the caller closes, and a warning for each sheet that lost rows.
    """
    spans: dict[str, int] = {}
    with zipfile.ZipFile(task.path) as archive:
        for part in sheets.values():
            if (rows := _rows_that_fit(archive, part)) is not None:
                spans[part] = rows
            task.tick()
        if not spans:
            return task.path.open("rb"), []
        names = {part: name for name, part in sheets.items()}
        warnings = [
            f"of sheet {names[part]!r} only the first {rows:,} rows are read" for part, rows in spans.items()
        ]
        return _cut_off(archive, spans, task), warnings


def _rows_that_fit(archive: zipfile.ZipFile, part: str) -> int | None:
    """Return after how many rows a sheet has to be cut off; None if all of it fits."""
    most = CellBudget()
    first, rows, columns = _extent(archive, part)
    if rows * columns <= most.area:
        return None
    # One stray cell at the far end makes a sheet long and broad: without it the sheet may be narrow.
    _, _, columns = _extent(archive, part, end=first + most.rows)
    return min(most.rows, most.area // max(columns, 1))


def _extent(archive: zipfile.ZipFile, part: str, *, end: int | None = None) -> tuple[int, int, int]:
    """Return the first row of a sheet with a cell that holds something, and how many rows and columns it has.

    Args:
        end: rows from this one on do not count.
    """
    rows: set[int] = set()
    columns: set[bytes] = set()
    with archive.open(part) as file:
        left = b""
        while chunk := file.read(_CHUNK):
            text = left + chunk
            found = _CELL.findall(text)
            if end is not None:
                found = [cell for cell in found if int(cell[1]) < end]
            if found:
                letters, numbers = zip(*found, strict=True)
                columns.update(letters)
                rows.update(map(int, set(numbers)))
                rows = {min(rows), max(rows)}
            left = text[text.rfind(b"<") :][-_LONGEST_TAG:]
    if not rows:
        return 0, 0, 0
    across = [_column(letters) for letters in columns]
    return min(rows), max(rows) - min(rows) + 1, max(across) - min(across) + 1


def _column(letters: bytes) -> int:
    """Return the number of a column: A is 1, Z is 26, AA is 27."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _cut_off(archive: zipfile.ZipFile, spans: Mapping[str, int], task: ReadTask) -> BinaryIO:
    """Return a copy of a workbook whose sheets end after some rows."""
    file: BinaryIO = tempfile.TemporaryFile(dir=task.spool)  # noqa: SIM115
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for info in archive.infolist():
            with archive.open(info) as source, copy.open(info.filename, "w") as target:
                pieces: Iterator[bytes] = iter(lambda: source.read(_CHUNK), b"")
                for piece in _until(pieces, spans[info.filename]) if info.filename in spans else pieces:
                    target.write(piece)
            task.tick()
    file.seek(0)
    return file


def _until(chunks: Iterator[bytes], rows: int) -> Iterator[bytes]:
    """Yield a sheet's XML up to some rows after its first one, then its end."""
    left, last = b"", None
    for chunk in chunks:
        text = left + chunk
        for match in _ROW.finditer(text):
            last = int(match[2]) + rows if last is None else last
            if int(match[2]) >= last:
                prefix = match[1] or b""
                yield text[: match.start()] + b"</%bsheetData></%bworksheet>" % (prefix, prefix)
                return
        keep = max(text.rfind(b"<"), len(text) - _LONGEST_TAG)
        yield text[:keep]
        left = text[keep:]
    yield left


def _on_anchor(anchor: Element, images: Mapping[str, tuple[str, str]]) -> Iterator[SheetPicture]:
    rows = [
        int(e.text or 0)
        for e in anchor.iter()
        if local(e.tag) == "row" and (e.text or "0").strip().isdecimal()
    ]
    text = ""
    for element in anchor.iter():
        if local(element.tag) == "cNvPr":
            text = alternative_text(element.get("descr"))
        elif local(element.tag) == "blip":
            kind, part = images.get(_reference(element, "embed"), ("", ""))
            if kind == "image":
                yield SheetPicture(min(rows, default=0), part, text)


def _reference(element: Element, name: str) -> str:
    """Return an attribute that names a relationship, in whichever of the format's two namespaces."""
    return next((value for key, value in element.attrib.items() if local(key) == name and key != name), "")
