"""Ids of what is stored, "D", "D:4", "D:4.f0", and what they are of a snapshot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from plait.index.base import Snapshot
from plait.schema import Passage, Segment, Unit

PartKind = Literal["passage", "figure", "table"]

KIND_OF: Mapping[str, PartKind] = {"p": "passage", "f": "figure", "t": "table"}  # by a part's first letter

_ID = re.compile(r"(?P<document>.+):(?P<unit>[0-9]{1,9})(\.(?P<part>[pft][0-9]{1,9}))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Located:
    """Where a stored thing is.

    Attributes:
        rows: of all units of a document; of the one unit that it is, or is a part of.
        part: "p2", "f0", "t1" of a unit's passage, figure or table; else "".
        is_document: whether it is a whole document.
    """

    rows: Sequence[int]
    part: str = ""
    is_document: bool = False


def located(id: str, snapshot: Snapshot) -> Located | None:
    """Return where the thing of an id is; None if nothing is stored under it."""
    documents = snapshot.documents_of()
    if rows := documents.get(id, ()):
        return Located(rows, is_document=True)
    match = _ID.fullmatch(id)
    rows = documents.get(match["document"], ()) if match else ()
    if match is None or int(match["unit"]) >= len(rows):
        return None
    row, part = rows[int(match["unit"])], match["part"] or ""  # rows are in the order of a document's units
    if part:
        ((unit, _),) = snapshot.units([row])
        if part_named(unit, part) is None:
            return None
    return Located([row], part)


def part_named(unit: Unit, name: str) -> Passage | Segment | None:
    """Return a passage, figure or table of a unit by its name ("p2", "f0", "t1"); None if there is none."""
    every: Mapping[PartKind, Sequence[Passage | Segment]]
    every = {"passage": unit.passages, "figure": unit.figures, "table": unit.tables}
    alike, place = every[KIND_OF[name[0]]], int(name[1:])
    return alike[place] if place < len(alike) else None


def part_id(unit_id: str, part: str) -> str:
    """Return the id of a part of a unit, or of the unit where the part is ""."""
    return f"{unit_id}.{part}" if part else unit_id
