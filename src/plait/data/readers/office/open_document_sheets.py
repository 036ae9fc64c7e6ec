"""OpenDocument spreadsheets: read here, since cells that repeat a million times must not be unfolded."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.office.cells import CellBudget, Place, sheet_segments
from plait.data.readers.office.office_package import damage, local
from plait.data.readers.office.open_document_parts import OpenDocument, attribute, described, table_rows
from plait.data.readers.unpacking import Members
from plait.errors import ReadError
from plait.schema import Document, Page, Segment


def is_open_document(members: Members) -> bool:
    """Tell an OpenDocument file from an Office one."""
    return "mimetype" in members and members.read("mimetype").startswith(
        b"application/vnd.oasis.opendocument"
    )


def read_open_sheets(task: ReadTask, limits: ReadLimits, members: Members) -> Document:
    """Return an ODS spreadsheet as a document of one page a sheet; cells are read as they are shown.

    Raises:
        ReadError: damaged, protected by a password, or without any cell.
    """
    file = OpenDocument.opened(task, limits, members)
    tables = [e for e in file.body if local(e.tag) == "table"]
    budget = CellBudget()
    pages: list[Page] = []
    segments: list[Segment] = []
    for sheet in tables[: limits.max_pages]:
        place = Place((attribute(sheet, "name"),), len(pages) + 1)
        pages.append(Page(len(pages) + 1, label=place.section[0]))
        budget.next_sheet()
        with damage(task):
            rows, _ = table_rows(sheet, budget)
            segments += sheet_segments(rows, place=place)
            segments += _figures(sheet, file, place)
        task.tick()
    warnings = (
        ["only a part of its rows is read: it has more than are kept of one file"] if budget.spent else []
    )
    if len(tables) > len(pages):
        warnings.append(f"only the first {len(pages)} of {len(tables)} sheets are read")
    if not segments:
        raise ReadError(task.source, "holds no cells", "nothing to search in it; leave it out")
    return Document(
        id=document_id(task.source),
        title=str(file.properties.get("title", "")) or title_from(task.path),
        source=task.source,
        metadata={**_without_title(file), "type": "spreadsheet", "pages": len(pages)},
        segments=tuple(segments),
        pages=tuple(pages),
        warnings=(*warnings, *file.pictures.warnings),
    )


def _figures(sheet: Element, file: OpenDocument, place: Place) -> Iterator[Segment]:
    for frame in sheet.iter():
        if local(frame.tag) == "frame" and (picture := file.picture(frame)) is not None:
            yield Segment(
                "image", text=described(frame), picture=picture, section=place.section, page=place.page
            )


def _without_title(file: OpenDocument) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in file.properties.items() if name != "title"}
