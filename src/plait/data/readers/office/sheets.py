"""Spreadsheets: every sheet a page, its tables as rows, its pictures where they lie."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import python_calamine as calamine

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.office.cells import CellBudget, Place, block_segments, blocks, cell_text, squared
from plait.data.readers.office.office_package import BROKEN, damage, package, properties
from plait.data.readers.office.office_pictures import OfficePictures
from plait.data.readers.office.old_office import check_old_office
from plait.data.readers.office.open_document_sheets import is_open_document, read_open_sheets
from plait.data.readers.office.workbook_parts import SheetPicture, bounded_workbook, pictures_of, sheet_parts
from plait.data.readers.unpacking import Members
from plait.data.readers.xml_trees import BadXmlError
from plait.errors import ReadError
from plait.schema import Document, Metadata, Page, Scalar, Segment

_ROWS_A_TICK = 1_000
_MOST_MERGED_CELLS = 1_000_000
_DAMAGED = "open it in the program that made it and save it again"


@dataclass(slots=True)
class _Workbook:
    """What lies around the cells of a workbook."""

    file: BinaryIO
    metadata: Metadata = field(default_factory=dict)
    pictures: dict[str, list[SheetPicture]] = field(default_factory=dict)  # by the sheet's name
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    """What stands on the sheets of a workbook."""

    pages: list[Page] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_sheets(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a spreadsheet (XLSX, XLSM, XLSB, XLS, ODS) as a document of one page a sheet.

    A sheet's tables are what empty rows and columns part; formulas give their stored values. Past the
    limits on rows and cells of a file the rest is left out with a warning.

    Raises:
        ReadError: damaged, protected by a password, or without any cell.
    """
    with task.path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    if not zipped:
        check_old_office(task)
        return _read(task, limits, _Workbook(task.path.open("rb")), OfficePictures(task, limits, None))
    with package(task, limits) as members:
        if is_open_document(members):
            return read_open_sheets(task, limits, members)
        pictures = OfficePictures(task, limits, members)
        with damage(task):
            book = _around(task, members)
        return _read(task, limits, book, pictures)


def _around(task: ReadTask, members: Members) -> _Workbook:
    """Return a zipped workbook's file, bounded, and what lies around its cells.

    XLSB has the same parts in a binary form, which only the library reads.
    """
    metadata = properties(members, "docProps/core.xml")
    parts = sheet_parts(members)
    pictures: dict[str, list[SheetPicture]] = {}
    warnings: list[str] = []
    for name, part in parts.items():
        try:
            pictures[name] = pictures_of(members, part)
        except BadXmlError as error:
            warnings.append(f"left out the pictures of sheet {name!r}: what places them is {error}")
    file, cut_off = bounded_workbook(task, parts)
    return _Workbook(file, metadata, pictures, warnings + cut_off)


def _read(task: ReadTask, limits: ReadLimits, book: _Workbook, pictures: OfficePictures) -> Document:
    with book.file, _calamine(task):
        found = _found(calamine.CalamineWorkbook.from_filelike(book.file), book, pictures, task, limits)
    warnings = [*book.warnings, *found.warnings]
    if not found.segments:
        remedy = "; ".join(warnings[:3]) or "nothing to search in it; leave it out"
        raise ReadError(task.source, "holds no cells", remedy)
    metadata: dict[str, Scalar] = {name: value for name, value in book.metadata.items() if name != "title"}
    metadata |= {"type": "spreadsheet", "pages": len(found.pages)}
    if found.hidden:
        metadata["hidden"] = ", ".join(found.hidden)
    return Document(
        id=document_id(task.source),
        title=str(book.metadata.get("title", "")) or title_from(task.path),
        source=task.source,
        metadata=metadata,
        segments=tuple(found.segments),
        pages=tuple(found.pages),
        warnings=(*warnings, *pictures.warnings),
    )


def _found(
    workbook: calamine.CalamineWorkbook,
    book: _Workbook,
    pictures: OfficePictures,
    task: ReadTask,
    limits: ReadLimits,
) -> _Found:
    """Return what stands on the sheets; a damaged sheet costs only itself."""
    found, budget = _Found(), CellBudget()
    sheets = workbook.sheets_metadata
    for number, sheet in enumerate(sheets[: limits.max_pages], start=1):
        found.pages.append(Page(number, label=sheet.name))
        place = Place((sheet.name,), number)
        parts = [(one.row, _figure(one, pictures, place)) for one in book.pictures.get(sheet.name, ())]
        try:
            with _calamine(task):
                parts += _tables(workbook.get_sheet_by_index(number - 1), budget, place, task)
        except ReadError as error:
            found.warnings.append(f"sheet {sheet.name!r} is left out: it {error.reason}")
        for _, segments in sorted(parts, key=lambda part: part[0]):
            found.segments += segments
        if sheet.visible != calamine.SheetVisibleEnum.Visible:
            found.hidden.append(sheet.name)
        task.tick()
    if len(sheets) > len(found.pages):
        found.warnings.append(f"only the first {len(found.pages)} of {len(sheets)} sheets are read")
    if budget.spent:
        found.warnings.append("only a part of its rows is read: it has more than are kept of one file")
    return found


@contextlib.contextmanager
def _calamine(task: ReadTask) -> Iterator[None]:
    """Turn the library's errors into a ReadError: its own, and the panics of its Rust."""
    try:
        yield
    except calamine.PasswordError as error:
        raise ReadError(
            task.source, "password-protected", "remove the password, then add it again"
        ) from error
    except (*BROKEN, calamine.CalamineError) as error:
        words = " ".join(str(error).split())[:120]
        raise ReadError(task.source, f"is damaged ({words})", _DAMAGED) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ReadError(
            task.source, "is damaged in a way that its reader does not expect", _DAMAGED
        ) from error


def _tables(
    sheet: calamine.CalamineSheet, budget: CellBudget, place: Place, task: ReadTask
) -> list[tuple[int, list[Segment]]]:
    """Return what stands on a sheet, each after the number of its first row, from 0."""
    if sheet.start is None:
        return []
    top, left = sheet.start
    budget.next_sheet()
    rows: list[list[str]] = []
    for i, values in enumerate(sheet.iter_rows()):
        if i < top:
            continue
        row = [cell_text(value) for value in values]
        if not budget.takes(row):
            break
        rows.append(row)
        if i % _ROWS_A_TICK == 0:
            task.tick()
    _fill_down(rows, sheet.merged_cell_ranges or [], top=top, left=left)
    return [
        (top + block.top, list(block_segments(block, place=place, first_row=top + 1)))
        for block in blocks(squared(rows))
    ]


def _fill_down(
    rows: list[list[str]], merged: list[tuple[tuple[int, int], tuple[int, int]]], *, top: int, left: int
) -> None:
    """Repeat what stands in cells merged downward in each of their rows, as a reader of a row takes it."""
    filled = 0
    for (first, column), (last, _) in merged:
        at = column - left
        if last <= first or not top <= first < top + len(rows) or not 0 <= at < len(rows[first - top]):
            continue
        text = rows[first - top][at]
        for row in rows[first - top + 1 : last - top + 1]:
            if at < len(row) and not row[at]:
                row[at] = text
            filled += 1
        if filled > _MOST_MERGED_CELLS:
            return


def _figure(shown: SheetPicture, pictures: OfficePictures, place: Place) -> list[Segment]:
    picture = pictures.load(shown.part)
    if picture is None:
        return []
    return [Segment("image", text=shown.text, picture=picture, section=place.section, page=place.page)]
