"""PowerPoint files: every slide a page, its shapes in their places, what the speaker notes say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pptx
from pptx.exc import PythonPptxError

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.office.office_package import damage, package, properties
from plait.data.readers.office.office_pictures import OfficePictures
from plait.data.readers.office.slide_order import in_reading_order
from plait.data.readers.office.slide_shapes import SlideShapes
from plait.errors import ReadError
from plait.schema import Document, Metadata, Page, Scalar, Segment


def read_slides(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a PPTX file as a document: each slide a page with its shapes, tables, charts and pictures.

    Hidden slides are read too, and named in the metadata. What slides take from their master, such as
    logos, dates and slide numbers, is left out, and so are comments.

    Raises:
        ReadError: damaged, protected by a password, or empty.
    """
    with package(task, limits) as members:
        pictures = OfficePictures(task, limits, members)
        with damage(task, PythonPptxError):
            about = properties(members, "docProps/core.xml")
            deck = pptx.Presentation(str(task.path))
            return _document(deck, about, pictures, task, limits)


def _document(
    deck: Any, about: Metadata, pictures: OfficePictures, task: ReadTask, limits: ReadLimits
) -> Document:
    pages: list[Page] = []
    segments: list[Segment] = []
    hidden: list[int] = []
    warnings: list[str] = []
    parts = [
        deck.part.related_part(entry.rId) for entry in itertools.islice(_entries(deck), limits.max_pages)
    ]
    numbers = {str(part.partname): number for number, part in enumerate(parts, start=1)}
    shapes = SlideShapes((deck.slide_width or 0, deck.slide_height or 0), numbers, pictures, task)
    first_title = ""
    for number, part in enumerate(parts, start=1):
        pages.append(Page(number))
        try:
            with damage(task, PythonPptxError):
                found = _slide(part.slide, number, shapes)
                segments += found
                first_title = first_title or (found[0].section[0] if found and found[0].section else "")
                if part.slide._element.get("show") in ("0", "false"):
                    hidden.append(number)
        except ReadError as error:
            warnings.append(f"slide {number} is left out: it {error.reason}")
        task.tick()
    total = sum(1 for _ in _entries(deck))
    if total > len(parts):
        warnings.append(f"only the first {len(parts)} of {total} slides are read")
    if not segments:
        remedy = "; ".join(warnings[:3]) or "nothing to search in it; leave it out"
        raise ReadError(task.source, "holds no text and no pictures", remedy)
    metadata: dict[str, Scalar] = {name: value for name, value in about.items() if name != "title"}
    metadata |= {"type": "pptx", "pages": len(pages)}
    if hidden:
        metadata["hidden"] = ", ".join(map(str, hidden))
    return Document(
        id=document_id(task.source),
        title=_title(about) or first_title or title_from(task.path),
        source=task.source,
        metadata=metadata,
        segments=tuple(segments),
        pages=tuple(pages),
        warnings=(*warnings, *pictures.warnings),
    )


def _entries(deck: Any) -> Iterator[Any]:
    listed = deck.slides._sldIdLst
    return iter(listed)


def _slide(slide: Any, number: int, shapes: SlideShapes) -> list[Segment]:
    """Return what stands on a slide, and last what its notes say."""
    title = _title_of(slide)
    found = in_reading_order(list(shapes.of(slide, number, title)))
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    text = "\n".join(" ".join(p.text.split()) for p in notes.paragraphs if p.text.strip()) if notes else ""
    section = (title,) if title else ()
    return [
        *found,
        *([Segment("text", text=text, role="notes", section=section, page=number)] if text else []),
    ]


def _title_of(slide: Any) -> str:
    shape = slide.shapes.title
    return " ".join(shape.text_frame.text.split()) if shape is not None and shape.has_text_frame else ""


def _title(about: Metadata) -> str:
    """Return the title that the file's properties hold, unless it is the one PowerPoint puts there."""
    title = str(about.get("title", ""))
    return "" if title.casefold() in ("powerpoint presentation", "powerpoint-präsentation") else title
