"""More like this, and less: stored parts that a query names, as the words and pictures that they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from plait.errors import QueryError
from plait.index.base import Mask, Snapshot
from plait.schema import Box, Image, Passage, Query, Segment, Unit

_ID = re.compile(r"(?P<document>.+?)(:(?P<unit>\d+)(\.(?P<part>[pft]\d+))?)?")
_PASSAGES = 6  # of a unit or document that are asked with, at most,
_FIGURES = 2  # and figures
_CAPTION = 0.5  # what the words of a figure count, of what the figure does


@dataclass(frozen=True, slots=True)
class Told:
    """Words and pictures, and what each counts.

    Attributes:
        texts, images: text or image, weight above 0.
        boxes: of the images.
    """

    texts: tuple[tuple[str, float], ...] = ()
    images: tuple[tuple[Image, float], ...] = ()
    boxes: tuple[Box | None, ...] = ()

    def times(self, weight: float) -> Told:
        """Return the same counting so many times."""
        return replace(
            self,
            texts=tuple((text, weight * share) for text, share in self.texts),
            images=tuple((image, weight * share) for image, share in self.images),
        )


@dataclass(frozen=True, slots=True)
class Resolved:
    """A query whose liked parts are words and pictures.

    Attributes:
        query: all of it, of texts and images.
        wanted: its wanted parts.
        unwanted: each of its unwanted parts as a wanted one, and how much it counts, of the most wanted.
        named: row -> the parts of that unit which the query names, "" for all of it.
    """

    query: Query
    wanted: Query
    unwanted: tuple[tuple[Query, float], ...]
    named: Mapping[int, frozenset[str]]

    def others(self, units: int) -> Mask | None:
        """Return (units,) False for units that the query names, or parts of which; None if it names none."""
        if not self.named:
            return None
        mask = np.ones(units, np.bool_)
        mask[list(self.named)] = False
        return mask


def resolved(query: Query, snapshot: Snapshot, pictures: Path | None, *, reads_pictures: bool = True) -> Resolved:
    """Return a query with what it likes in words and pictures.

    A passage or table is its words. A figure is its picture, and its caption and alternative text, which
    count half as much. A unit is some of its passages and its first figures; a document, those of its units.

    Args:
        pictures: folder below which stored picture paths lie; None: they are whole paths.
        reads_pictures: whether the encoder does; if not, only the words of what is liked are asked.

    Raises:
        QueryError: an id that the library does not hold, or of something without words or readable pictures.
    """
    parts = [(Told(((text, 1.0),)), weight) for text, weight in zip(query.texts, query.text_weights, strict=True)]
    shown = zip(query.images, query.image_boxes, query.image_weights, strict=True)
    parts += [(Told((), ((image, 1.0),), (box,)), weight) for image, box, weight in shown]
    named: dict[int, frozenset[str]] = {}
    for part_id, weight in zip(query.like, query.like_weights, strict=True):
        found = _Named.find(part_id, snapshot)
        parts.append((found.told(pictures, reads_pictures=reads_pictures), weight))
        for row in found.rows:
            named[row] = named.get(row, frozenset()) | {found.part}
    wanted = [told.times(weight) for told, weight in parts if weight > 0]
    most = max(weight for _, weight in parts)
    return Resolved(
        _query([told.times(weight) for told, weight in parts], query),
        _query(wanted, query),
        tuple((_query([told], query), -weight / most) for told, weight in parts if weight < 0),
        named,
    )


@dataclass(frozen=True, slots=True)
class _Named:
    """A stored part by its id.

    Attributes:
        id: as it was given.
        rows: the units that it is, or is of.
        part: "p2", "f0", "t1" where it is a part of a unit.
        units: those of the rows.
    """

    id: str
    rows: Sequence[int]
    part: str
    units: Sequence[Unit]

    @classmethod
    def find(cls, part_id: str, snapshot: Snapshot) -> _Named:
        """Return the part.

        Raises:
            QueryError: there is none of that id.
        """
        match = _ID.fullmatch(part_id)
        rows = snapshot.documents_of().get(match["document"], ()) if match else ()
        units = [unit for unit, _ in snapshot.units(rows)]
        if match is None or not units:
            raise _unknown(part_id)
        if match["unit"] is None:
            return cls(part_id, rows, "", units)
        here = [place for place, unit in enumerate(units) if unit.ordinal == int(match["unit"])]
        found = cls(part_id, [rows[place] for place in here], match["part"] or "", [units[p] for p in here])
        if not here or (found.part and found._one() is None):
            raise _unknown(part_id)
        return found

    def told(self, pictures: Path | None, *, reads_pictures: bool) -> Told:
        """Return what it says and shows.

        Raises:
            QueryError: nothing, or a picture whose file is gone.
        """
        texts = [(text, weight) for text, weight in self._texts() if text.strip()]
        shown = [figure.picture.path for figure in self._figures() if figure.picture] if reads_pictures else []
        if not texts and not shown:
            raise QueryError(
                f"{self.id!r} holds no words{' or pictures' if reads_pictures else ''} to search by: name another part"
            )
        paths = [str(pictures / path) if pictures else path for path in shown]
        for path in paths:
            if not Path(path).is_file():
                raise QueryError(f"the picture of {self.id!r} is gone from the library: add its document again")
        return Told(
            _shared(texts), _shared([(path, 1.0) for path in paths]), (None,) * len(paths)
        )
