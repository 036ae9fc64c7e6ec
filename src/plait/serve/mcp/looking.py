"""The tools open_page and crop."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from typing import Any

from plait.data.parts import Part
from plait.errors import InputError, ReadError
from plait.library import Library
from plait.library.listing import document_of
from plait.schema import Box, Passage, Unit
from plait.serve.mcp.answers import Answer, shortened
from plait.serve.mcp.forms import CropForm, PageForm
from plait.serve.mcp.pictures import LARGE_PX, SMALL_PX, enlarged, shown

_MOST_TEXT = 40_000  # characters of one page or section
_MOST_FIGURES = 3  # shown where there is no image of the page
_AROUND = 0.02  # of the page, around a passage


def open_page(library: Library, form: PageForm) -> Answer:
    """Return a page's or section's words, its figures and its image.

    Raises:
        InputError: there is no such page.
    """
    unit, (before, after) = _page(library, form)
    document = document_of(library, unit.document_id)
    source = document.source if document else ""
    figures = [
        _labelled(f"{unit.id}.f{place}", one.label, one.caption) for place, one in enumerate(unit.figures)
    ]
    tables = [
        _labelled(f"{unit.id}.t{place}", one.label, one.caption) for place, one in enumerate(unit.tables)
    ]
    text = _joined(unit.passages)
    place = f"page {unit.page}" if unit.page is not None else " > ".join(unit.section)
    lines = [f"{unit.title}{f', {place}' if place else ''} (id {unit.id}, source {source})"]
    lines += ["", text[:_MOST_TEXT] or "(no text)"]
    if len(text) > _MOST_TEXT:
        lines.append(f"... and {len(text) - _MOST_TEXT:,} more characters")
    lines += ["", *(f"Figure {one['id']}: {one['name']}" for one in figures)]
    lines += [f"Table {one['id']}: {one['name']}" for one in tables]
    lines.append(f"Before it: {before or 'nothing'}; after it: {after or 'nothing'}")
    structured = {
        "id": unit.id,
        "document_id": unit.document_id,
        "title": unit.title,
        "source": source,
        "section": list(unit.section),
        "page": unit.page,
        "text": text[:_MOST_TEXT],
        "figures": figures,
        "tables": tables,
        "previous": before,
        "next": after,
        "page_picture": unit.page_picture.path if unit.page_picture else None,
    }
    return Answer("\n".join(lines), structured, _pictures(library, unit))


def crop(library: Library, form: CropForm) -> Answer:
    """Return a region of a figure or page, enlarged.

    Raises:
        InputError: there is no such picture, or the region has no area.
    """
    part = library.part(form.id)
    if part is None:
        raise InputError("nothing is stored under this id: search again, its document may have changed")
    path, is_page = _picture(library, part)
    box = _box(form) or (_around(part.box) if is_page and part.kind == "passage" else None)
    picture, size = enlarged(path, box, max_pixels=library.settings.max_pixels)
    what = f"page {part.page}" if is_page else shortened(part.title or part.text or part.kind, 200)
    text = f"{what} of {part.id}: {size}"
    structured = {"id": part.id, "picture": path, "box": asdict(box) if box else None}
    return Answer(text, structured, [(f"The region of {what}", picture)])


def _page(library: Library, form: PageForm) -> tuple[Unit, tuple[str, str]]:
    """Return a unit, and the ids of those before and after it."""
    if bool(form.id) == bool(form.document_id) or (form.id and form.page is not None):
        raise InputError("give id, or document_id with page")
    document, _, place = (form.id or form.document_id).partition(":")
    if document_of(library, document) is None:
        raise InputError("no document has this id; list_documents and search give ids")
    units = [
        part
        for part in library.parts(document).every
        if part.kind in ("page", "section") and ":s" not in part.id
    ]
    wanted = [part.id for part in units if _is_meant(part, document, place.partition(".")[0], form.page)]
    unit = library.unit(wanted[0]) if wanted else None
    if unit is None:
        numbers = [part.page for part in units if part.page is not None]
        there = (
            f"it has pages {min(numbers)} to {max(numbers)}"
            if numbers
            else "it has no pages: give ids of hits"
        )
        raise InputError(f"there is no such page in the document; {there}")
    ids = ["", *(part.id for part in units), ""]
    at = ids.index(unit.id)
    return unit, (ids[at - 1], ids[at + 1])


def _is_meant(part: Part, document: str, place: str, page: int | None) -> bool:
    if place:
        return part.id == f"{document}:{place}"
    return page is None or part.page == page


def _labelled(id: str, label: str, caption: str) -> dict[str, str]:
    return {"id": id, "name": shortened(caption or label or "without a caption", 300)}


def _joined(passages: tuple[Passage, ...]) -> str:
    """Return a unit's words once, although its passages overlap."""
    texts = [passage.text for passage in passages]
    return "".join(texts[:1] + [_rest(before, text) for before, text in pairwise(texts)])


def _rest(before: str, text: str) -> str:
    """Return what a text adds to the one before it, which may end as it begins."""
    longest = min(len(before), len(text))
    same = next((size for size in range(longest, 11, -1) if before.endswith(text[:size])), 0)
    return text[same:] if same else f"\n{text}"


def _pictures(library: Library, unit: Unit) -> list[tuple[str, Any]]:
    """Return the image of the page, or else its first figures; those that are gone are left out."""
    if unit.page_picture is not None:
        wanted = [(f"The image of {unit.id}", unit.page_picture.path, LARGE_PX)]
    else:
        drawn = [(place, figure.picture) for place, figure in enumerate(unit.figures) if figure.picture]
        wanted = [(f"Figure {unit.id}.f{place}", one.path, SMALL_PX) for place, one in drawn[:_MOST_FIGURES]]
    found = []
    for words, path, longest in wanted:
        try:
            picture = shown(path, longest_px=longest, max_pixels=library.settings.max_pixels)
        except ReadError:
            continue
        found.append((words, picture))
    return found


def _picture(library: Library, part: Part) -> tuple[str, bool]:
    """Return the path of a figure's own picture, or that of the page's, and which of them it is."""
    if part.picture is not None and part.kind != "page":
        return part.picture.path, False
    document, _, place = part.id.partition(":")
    unit = library.unit(f"{document}:{place.partition('.')[0] or '0'}")
    if unit is None or unit.page_picture is None:
        raise InputError(f"there is no picture of {part.id}: crop one of its figures; open_page names them")
    return unit.page_picture.path, True


def _box(form: CropForm) -> Box | None:
    box = form.box
    if box is None:
        return None
    if not (box.left < box.right and box.top < box.bottom):
        raise InputError("the box has no area: left must be below right, and top below bottom, in 0 to 1")
    return Box(box.left, box.top, box.right, box.bottom)


def _around(box: Box | None) -> Box | None:
    if box is None:
        return None
    return Box(
        max(0.0, box.left - _AROUND),
        max(0.0, box.top - _AROUND),
        min(1.0, box.right + _AROUND),
        min(1.0, box.bottom + _AROUND),
    )
