"""Jupyter notebooks: cells and outputs turned into one HTML page, then read as HTML is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.decoding import decode
from plait.data.readers.markup.addresses import MemberPictures, PictureLoader
from plait.data.readers.markup.html import document_of
from plait.data.readers.office.notebook_cells import (
    OUTPUT,
    PICTURE,
    NotebookMarkup,
    joined,
    mapping,
    sequence,
)
from plait.errors import ReadError
from plait.schema import Document, Picture, Scalar, Segment

_CELLS_A_TICK = 50


def read_notebook(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a notebook as a document: its text, code, and what the code printed and drew.

    Formats 3 and 4 are read. Long outputs are shortened, and of errors only the message is kept.

    Raises:
        ReadError: not a notebook, damaged, or empty.
    """
    notebook = _parsed(task)
    cells = _cells(notebook, task)
    markup = NotebookMarkup()
    for i, cell in enumerate(cells[: limits.max_pages]):
        markup.add(mapping(cell))
        if i % _CELLS_A_TICK == 0:
            task.tick()
    left_out = len(cells) - limits.max_pages
    warnings = [f"only the first {limits.max_pages} of {len(cells)} cells are read"] if left_out > 0 else []
    pictures = _Pictures(task, limits, markup)
    document = document_of(markup.html, task, limits, type="notebook", warnings=warnings, load=pictures)
    about = mapping(notebook.get("metadata"))
    return replace(
        document,
        title=" ".join(joined(about.get("title")).split()) or document.title,
        metadata={**document.metadata, **_metadata(about)},
        segments=tuple(map(_as_output, document.segments)),
    )


class _Pictures:
    """Gives the pictures that a notebook holds, and those that lie beside it."""

    def __init__(self, task: ReadTask, limits: ReadLimits, markup: NotebookMarkup) -> None:
        self._own = MemberPictures(task, limits, markup.picture)
        self._beside = PictureLoader(task, limits)

    def __call__(self, address: str) -> Picture | None:
        """Return the picture at an address."""
        return self._own(address) if address.startswith(PICTURE) else self._beside(address)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason that pictures were left out."""
        return [*self._own.warnings, *self._beside.warnings]


def _parsed(task: ReadTask) -> Mapping[str, Any]:
    try:
        notebook = json.loads(decode(task.path.read_bytes()).text)
    except (ValueError, RecursionError) as error:
        reason = "nests too deep" if isinstance(error, RecursionError) else f"is not valid JSON ({error})"
        raise ReadError(task.source, reason, "open it in Jupyter and save it again") from error
    return mapping(notebook)


def _cells(notebook: Mapping[str, Any], task: ReadTask) -> list[Any]:
    """Return the cells: of format 4, or of the sheets of format 3."""
    sheets = [mapping(sheet) for sheet in sequence(notebook.get("worksheets"))]
    cells = [cell for part in (notebook, *sheets) for cell in sequence(part.get("cells"))]
    if not cells:
        raise ReadError(task.source, "is no notebook with cells", "open it in Jupyter, or leave it out")
    return cells


def _metadata(about: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the language of the code, and the authors."""
    kernel, language = mapping(about.get("kernelspec")), mapping(about.get("language_info"))
    authors = [joined(mapping(author).get("name")) for author in sequence(about.get("authors"))]
    found = {
        "code_language": joined(language.get("name")) or joined(kernel.get("language")),
        "author": ", ".join(author for author in authors if author),
    }
    return {name: " ".join(text.split())[:300] for name, text in found.items() if text.strip()}


def _as_output(segment: Segment) -> Segment:
    """Return what code printed as text: it keeps its lines like code, but it is none."""
    printed = segment.role == "code" and segment.anchor.startswith(OUTPUT)
    return replace(segment, role="body") if printed else segment
