"""Word documents: turned into HTML by mammoth, then read as HTML is."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, BinaryIO

import mammoth
from mammoth.docx.files import InvalidFileReferenceError

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.markup.addresses import MemberPictures
from plait.data.readers.markup.html import document_of
from plait.data.readers.office.office_package import BROKEN, damage, package, properties, targets
from plait.data.readers.office.word_formulas import with_formulas
from plait.data.readers.office.word_markup import STYLE_MAP, with_figures
from plait.data.readers.pictures import BadPictureError
from plait.data.readers.unpacking import Members
from plait.errors import ReadError
from plait.schema import Document, Metadata, Scalar

_MAIN = "word/document.xml"
# Parts that mammoth parses as XML, whatever their names: only "*.xml" was checked for entities.
_PARSED = frozenset({"officeDocument", "styles", "numbering", "footnotes", "endnotes", "comments"})
_USUAL_TITLES = re.compile(r"(?:word[ -]?document|microsoft word - .*|document ?\d*|untitled)?", re.I)
_TITLE = re.compile(r'<h1 class="title">(.*?)</h1>', re.S)
_TAG = re.compile(r"<[^>]*>")

Opener = Callable[[], AbstractContextManager[BinaryIO]]


def read_word(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a DOCX document: headings, paragraphs, lists, tables, formulas, pictures, captions, notes.

    Comments, deletions that are tracked and tables of contents are left out; footnotes and endnotes come
    last. Pictures that the document only refers to are never opened.

    Raises:
        ReadError: damaged, protected by a password, or empty.
    """
    with package(task, limits) as members:
        with damage(task):
            about = properties(members, "docProps/core.xml")
            file = with_formulas(task, members, _main_part(members, task))
        openers: list[Opener] = []
        with file:
            with damage(task):
                markup = _markup(file, openers)
            task.tick()
            pictures = MemberPictures(task, limits, lambda address: _picture(address, openers))
            document = document_of(with_figures(markup), task, limits, type="docx", load=pictures)
    task.tick()
    metadata: dict[str, Scalar] = {name: value for name, value in about.items() if name != "title"}
    segments = (replace(one, section=()) if one.role == "footnote" else one for one in document.segments)
    return replace(
        document,
        title=_title(markup, about) or document.title,
        metadata={**metadata, **document.metadata},
        segments=tuple(segments),
    )


def _main_part(members: Members, task: ReadTask) -> str:
    """Return the part that holds the text.

    Raises:
        ReadError: a part would be parsed as XML but is not named so, and so was not checked as such.
    """
    related = targets(members, "")
    main = next((path for kind, path in related.values() if kind == "officeDocument"), _MAIN)
    for kind, path in (
        *related.values(),
        *targets(members, main).values(),
        *targets(members, _MAIN).values(),
    ):
        if kind in _PARSED and not path.lower().endswith(".xml"):
            reason = f"its part {path!r} is XML under another name, as no program writes it"
            raise ReadError(task.source, reason, "do not trust it, or save it again in Word")
    return main


def _markup(file: BinaryIO, openers: list[Opener]) -> str:
    """Return the HTML of a document; its pictures are addressed by their place in `openers`."""

    def address(image: Any) -> dict[str, str]:
        openers.append(image.open)
        return {"src": f"picture-{len(openers) - 1}"}

    result = mammoth.convert_to_html(
        file,
        style_map=STYLE_MAP,
        convert_image=mammoth.images.img_element(address),
        include_embedded_style_map=False,
        external_file_access=False,
    )
    return str(result.value)


def _picture(address: str, openers: list[Opener]) -> bytes | None:
    """Return the bytes of a picture.

    Raises:
        BadPictureError: it lies outside the document, or its part is damaged.
    """
    place = address.removeprefix("picture-")
    if not place.isdecimal() or int(place) >= len(openers):
        return None
    try:
        with openers[int(place)]() as part:
            return part.read()
    except InvalidFileReferenceError as error:
        raise BadPictureError("not stored in the document (nothing is fetched from elsewhere)") from error
    except BROKEN as error:
        raise BadPictureError("missing in the document, or damaged") from error


def _title(markup: str, about: Metadata) -> str:
    """Return the words in the style of a title, else what the properties say, if it was not left as it is."""
    shown = _TITLE.search(markup)
    if shown and (title := " ".join(html.unescape(_TAG.sub("", shown[1])).split())):
        return title
    title = str(about.get("title", ""))
    return "" if _USUAL_TITLES.fullmatch(title) else title
