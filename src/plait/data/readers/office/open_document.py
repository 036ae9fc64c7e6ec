"""OpenDocument texts and presentations, read from their XML."""

from __future__ import annotations

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.office.office_package import damage, package
from plait.data.readers.office.open_document_parts import OpenDocument
from plait.data.readers.office.open_document_slides import slides_of
from plait.data.readers.office.open_document_text import TextWalk
from plait.errors import ReadError
from plait.schema import Document, Page, Scalar, Segment

_EMPTY = ("holds no text and no pictures", "nothing to search in it; leave it out")


def read_open_text(task: ReadTask, limits: ReadLimits) -> Document:
    """Return an ODT text as a document: headings, paragraphs, lists, tables, pictures, footnotes.

    Comments, deletions that are tracked, and tables of contents are left out.

    Raises:
        ReadError: damaged, protected by a password, or empty.
    """
    with package(task, limits) as members:
        file = OpenDocument.opened(task, limits, members)
        with damage(task):
            walk = TextWalk(file).run()
    title = walk.title or str(file.properties.get("title", "")) or walk.first_heading
    return _document(file, walk.segments, type="odt", title=title, warnings=walk.warnings)


def read_open_slides(task: ReadTask, limits: ReadLimits) -> Document:
    """Return an ODP presentation as a document: each slide a page, its shapes in place, its notes.

    Raises:
        ReadError: damaged, protected by a password, or empty.
    """
    with package(task, limits) as members:
        file = OpenDocument.opened(task, limits, members)
        with damage(task):
            slides = slides_of(file)
    segments = [segment for slide in slides.shown for segment in slide]
    pages = tuple(Page(number) for number in range(1, len(slides.shown) + 1))
    more: dict[str, Scalar] = {"pages": len(pages)}
    if slides.hidden:
        more["hidden"] = ", ".join(map(str, slides.hidden))
    title = str(file.properties.get("title", "")) or slides.title
    return _document(
        file, segments, type="odp", title=title, warnings=slides.warnings, pages=pages, more=more
    )


def _document(
    file: OpenDocument,
    segments: list[Segment],
    *,
    type: str,
    title: str,
    warnings: list[str],
    pages: tuple[Page, ...] = (),
    more: dict[str, Scalar] | None = None,
) -> Document:
    if not segments:
        raise ReadError(file.task.source, *_EMPTY)
    metadata = {name: value for name, value in file.properties.items() if name != "title"}
    return Document(
        id=document_id(file.task.source),
        title=title or title_from(file.task.path),
        source=file.task.source,
        metadata={**metadata, "type": type, **(more or {})},
        segments=tuple(segments),
        pages=pages,
        warnings=(*warnings, *file.pictures.warnings),
    )
