"""More like this, and less: stored parts that a query names, as the words and pictures that they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from plait.errors import QueryError
from plait.index.base import Snapshot
from plait.schema import Box, Image, Passage, Query, Segment, Unit
from plait.search.part_ids import located, part_named

_T = TypeVar("_T")

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


@dataclass(frozen=True, slots=True)
class Resolved:
    """A query whose liked parts are words and pictures.

    Attributes:
        query: all of it, of texts and images.
        wanted: its wanted parts.
        unwanted: each of its unwanted parts as a wanted one, and how much it counts, of the most wanted;
            last those that are stored,
        stored: which are so many.
        named: row -> the parts of that unit which the query names, "" for all of it.
        text_origins, image_origins: what each text and image of `query` is of the one that was asked:
            "text 2", "image 1", "like 1", counted from 1.
    """

    query: Query
    wanted: Query
    unwanted: tuple[tuple[Query, float], ...]
    stored: int
    named: Mapping[int, frozenset[str]]
    text_origins: tuple[str, ...]
    image_origins: tuple[str, ...]


def resolved(
    query: Query, snapshot: Snapshot, pictures: Path | None, *, reads_pictures: bool = True
) -> Resolved:
    """Return a query with what it likes in words and pictures.

    A passage or table is its words. A figure is its picture, and its caption and alternative text, which
    count half as much. A unit is some of its passages and its first figures; a document, those of its units.

    Args:
        pictures: folder below which stored picture paths lie; None: they are whole paths.
        reads_pictures: whether the encoder does; if not, only the words of what is liked are asked.

    Raises:
        QueryError: an id that the library does not hold, or of something without words or readable pictures.
    """
    texts = zip(query.texts, query.text_weights, strict=True)
    images = zip(query.images, query.image_boxes, query.image_weights, strict=True)
    parts = [(Told(((text, 1.0),)), weight) for text, weight in texts]
    parts += [(Told((), ((image, 1.0),), (box,)), weight) for image, box, weight in images]
    named: dict[int, frozenset[str]] = {}
    for part_id, weight in zip(query.like, query.like_weights, strict=True):
        there = _find(part_id, snapshot)
        parts.append((_told(there, pictures, reads_pictures=reads_pictures), weight))
        for row in there.rows:
            named[row] = named.get(row, frozenset()) | {there.part}
    most = max(weight for _, weight in parts)
    counts = {"text": len(query.texts), "image": len(query.images), "like": len(query.like)}
    origins = [f"{what} {at}" for what, count in counts.items() for at in range(1, count + 1)]
    named_parts = list(zip(origins, (told for told, _ in parts), strict=True))
    return Resolved(
        _query(parts, query),
        _query([(told, weight) for told, weight in parts if weight > 0], query),
        tuple((_query([(told, 1.0)], query), -weight / most) for told, weight in parts if weight < 0),
        sum(weight < 0 for weight in query.like_weights),
        named,
        tuple(origin for origin, told in named_parts for _ in told.texts),
        tuple(origin for origin, told in named_parts for _ in told.images),
    )


def _query(parts: Sequence[tuple[Told, float]], query: Query) -> Query:
    """Return the query of some parts and their weights, under the filters of another."""
    texts = [(text, weight * share) for told, weight in parts for text, share in told.texts]
    images = [(image, weight * share) for told, weight in parts for image, share in told.images]
    return Query(
        texts=tuple(text for text, _ in texts),
        text_weights=tuple(weight for _, weight in texts),
        images=tuple(image for image, _ in images),
        image_weights=tuple(weight for _, weight in images),
        image_boxes=tuple(box for told, _ in parts for box in told.boxes),
        filters=query.filters,
    )


@dataclass(frozen=True, slots=True)
class _There:
    """A stored part.

    Attributes:
        id: by which it was asked for.
        rows: the unit that it is or is of; all units of a document.
        part: "p2", "f0", "t1" of a unit's passage, figure or table; else "".
        units: that unit; of a document, some of its units.
    """

    id: str
    rows: Sequence[int]
    part: str
    units: Sequence[Unit]


def _find(part_id: str, snapshot: Snapshot) -> _There:
    """Return the part of an id.

    Raises:
        QueryError: there is none.
    """
    found = located(part_id, snapshot)
    if found is None:
        raise QueryError(
            f"this library holds nothing of id {part_id!r}: name a hit by its id, as in D:4, D:4.p2, D:4.f0 "
            "or D"
        )
    units = [unit for unit, _ in snapshot.units(_spread(found.rows, _PASSAGES))]
    return _There(part_id, found.rows, found.part, units)


def _told(there: _There, pictures: Path | None, *, reads_pictures: bool) -> Told:
    """Return what a part says and shows.

    Raises:
        QueryError: nothing, or its picture is gone.
    """
    one = part_named(there.units[0], there.part) if there.part else None
    figures: list[Segment] = []
    if isinstance(one, Passage):
        texts = [(one.text, 1.0)]
    elif one is not None and one.kind == "table":
        texts = [(_lines(one.caption, one.text), 1.0)]
    elif one is not None:
        texts, figures = [(_lines(one.caption, one.text), _CAPTION)], [one]
    else:
        said = _spread([passage.text for unit in there.units for passage in unit.passages], _PASSAGES)
        texts = [(text, 1 / len(said)) for text in said]
        figures = [figure for unit in there.units for figure in unit.figures][:_FIGURES]
    paths = [figure.picture.path for figure in figures if figure.picture is not None and reads_pictures]
    if not paths and not any(text for text, _ in texts):
        raise QueryError(f"{there.id!r} holds nothing that this library's model reads: name another part")
    whole = [str(path if pictures is None else pictures / path) for path in paths]
    if not all(Path(path).is_file() for path in whole):
        raise QueryError(f"the picture of {there.id!r} is gone from the library: add its document again")
    return Told(
        tuple((text, weight) for text, weight in texts if text),
        tuple((path, 1 / len(whole)) for path in whole),
        (None,) * len(whole),
    )


def _spread(every: Sequence[_T], most: int) -> Sequence[_T]:
    """Return at most so many of some things, from all over."""
    return [every[at] for at in np.linspace(0, len(every) - 1, min(most, len(every))).astype(int)]


def _lines(*texts: str) -> str:
    return "\n".join(text for text in texts if text.strip())
