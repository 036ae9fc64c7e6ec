"""What the library returns as clients get it: addresses on this service in place of paths on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from plait.data.parts import Part
from plait.library.listing import Neighboured
from plait.rag.answer import Answer
from plait.schema import Explanation, Hits, Picture, Segment

Json = dict[str, Any]


def shown_hits(hits: Hits) -> Json:
    """Return an answer's JSON form."""
    said = hits.to_dict()
    for hit, told in zip(hits, said["hits"], strict=True):
        told.update(_pictures(hit.unit_id, hit.picture, hit.page_picture))
    return said


def shown_answer(answer: Answer) -> Json:
    """Return a written answer's JSON form."""
    return {
        **answer.to_dict(),
        "citations": [
            {**asdict(one), **_pictures(one.unit_id, one.picture, one.page_picture)}
            for one in answer.citations
        ],
    }


def shown_explanation(explanation: Explanation) -> Json:
    """Return an explanation's JSON form."""
    values = explanation.to_dict()
    if explanation.heat is not None:
        values["heat"]["picture"] = _picture(explanation.unit_id, explanation.heat.picture)
    return {**values, "page_picture": _page(explanation.unit_id) if explanation.page_picture else None}


def shown_part(part: Part) -> Json:
    """Return a part's JSON form."""
    return {**asdict(part), "picture": _of_part(part)}


def shown_unit(found: Neighboured) -> Json:
    """Return a unit's JSON form, with what a reader wants to know of its document."""
    unit = found.unit
    return {
        **asdict(unit),
        "figures": [_segment(unit.id, figure) for figure in unit.figures],
        "tables": [_segment(unit.id, table) for table in unit.tables],
        "page_picture": _page(unit.id) if unit.page_picture else None,
        "previous": found.previous,
        "next": found.next,
        "source": found.document.source,
        "metadata": dict(found.document.metadata),
    }


def unit_of(part_id: str) -> str:
    """Return the id of the unit that a part belongs to: "D:4" of "D:4.f0"; its own of a unit or document."""
    document, colon, place = part_id.rpartition(":")
    return f"{document}{colon}{place.partition('.')[0]}"


def _pictures(unit_id: str, picture: str | None, page_picture: str | None) -> Mapping[str, Any]:
    return {
        "picture": _picture(unit_id, picture) if picture else None,
        "page_picture": _page(unit_id) if page_picture else None,
    }


def _segment(unit_id: str, segment: Segment) -> Json:
    return {**asdict(segment), "picture": _stored(unit_id, segment.picture)}


def _of_part(part: Part) -> str | None:
    return _page(part.id) if part.kind == "page" and part.picture else _stored(unit_of(part.id), part.picture)


def _stored(unit_id: str, picture: Picture | None) -> str | None:
    return None if picture is None else _picture(unit_id, picture.path)


def _picture(unit_id: str, path: str) -> str:
    """Return a picture's address; its file is named by its content."""
    return f"/units/{quote(unit_id, safe=':')}/picture?sha256={Path(path).stem}"


def _page(unit_id: str) -> str:
    return f"/units/{quote(unit_id, safe=':')}/page"
