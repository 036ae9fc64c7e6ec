"""A ranking without repetitions: what is nearly the same is folded under the best, and groups are limited."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Snapshot
from plait.scoring.vectors import Vectors
from plait.search.ranking import Place
from plait.search.sameness import Content, Contents, content, nearly_same

Codes = Sequence[int] | NDArray[np.int32]

_NEAR = 0.05  # raw scores of near duplicates differ by no more than this,
_NEAR_SHARE = 0.15  # or than this share of the larger: BM25 has no upper end
_NEAR_MEANING = 0.75  # cosine of near duplicates, at least: of ten words under two titles it is .84


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a ranking is shown next.

    Attributes:
        places: in order.
        folded: for each, the places further down that are nearly the same.
        rest: what is left of the ranking.
    """

    places: Sequence[Place]
    folded: Sequence[Sequence[Place]]
    rest: Sequence[Place]


@dataclass(slots=True)
class Groups:
    """How many hits of each group may be shown.

    Attributes:
        limits: field -> at most so many hits that share its value.
        values: field -> row -> the value's code, -1 for none.
        shown: how many there were of each field's values so far.
    """

    limits: Mapping[str, int]
    values: Mapping[str, Codes]
    shown: Counter[tuple[str, int]] = field(default_factory=Counter)

    def take(self, row: int) -> bool:
        """Return whether another hit of this unit may be shown, and count it if so."""
        groups = [(name, int(self.values[name][row])) for name in self.limits]
        known = [group for group in groups if group[1] >= 0]
        if any(self.shown[group] >= self.limits[group[0]] for group in known):
            return False
        self.shown.update(known)
        return True


def chosen(
    places: Sequence[Place],
    snapshot: Snapshot,
    *,
    k: int,
    fold: bool,
    groups: Groups,
    passages: str | None,
    contents: Contents,
    pictures: Path | None,
) -> Chosen:
    """Return the first k places to show, each with those below it that are nearly the same.

    Only places whose raw scores are near each other in every lane, and units whose words mean nearly the
    same, are read and compared: near duplicates are alike in both.

    Args:
        passages: the vector field of passages, if there is one.
        contents: what is known of places already, by their keys.
        pictures: where the paths of pictures begin.
    """
    left, taken, folded = list(places), list[Place](), list[list[Place]]()
    look = _Looking(snapshot, contents)
    alike = _Alike(places, _Meanings(snapshot, passages, places)) if fold else None
    if alike is not None:
        look.ahead([one for place in left[:k] if (near := alike.to(place, left)) for one in (place, *near)])
    while left and len(taken) < k:
        best = left.pop(0)
        if not groups.take(best.row):
            continue
        same = [] if alike is None else _same(best, alike.to(best, left), look, pictures)
        gone = {_name(place) for place in same}
        left = [place for place in left if _name(place) not in gone]
        taken.append(best)
        folded.append(same)
    return Chosen(taken, folded, left)


class _Alike:
    """Which places may be nearly the same as another: of near scores, and of near meaning."""

    def __init__(self, places: Sequence[Place], meanings: _Meanings) -> None:
        self._order = {_name(place): at for at, place in enumerate(places)}
        self._meanings = meanings
        self._known: dict[Hashable, Sequence[Place]] = {}

    def to(self, best: Place, left: Sequence[Place]) -> Sequence[Place]:
        """Return those of the places that are left, further down."""
        name = _name(best)
        if name not in self._known:
            below = [place for place in left if self._order[_name(place)] > self._order[name]]
            self._known[name] = self._meanings.near(best, [one for one in below if _near(best, one)])
        there = {_name(place) for place in left}
        return [place for place in self._known[name] if _name(place) in there]


class _Meanings:
    """What the words of units mean, by the mean of their passages' vectors; read once, when first asked."""

    def __init__(self, snapshot: Snapshot, field: str | None, places: Sequence[Place]) -> None:
        self._snapshot = snapshot
        self._field = field
        self._rows = list(dict.fromkeys(place.row for place in places if not place.part))

    def near(self, best: Place, others: Sequence[Place]) -> Sequence[Place]:
        """Return those of others that may be the same; all where that cannot be told by meaning."""
        if not others or self._field is None or best.part or best.row not in self._found:
            return others
        own = self._found[best.row]
        return [
            other
            for other in others
            if other.row not in self._found or float(own @ self._found[other.row]) >= _NEAR_MEANING
        ]

    @cached_property
    def _found(self) -> dict[int, Vectors]:
        """Row -> (width,) unit length, of the units that have passages."""
        assert self._field is not None
        every = self._snapshot.item_vectors(self._field, self._rows)
        means = {
            row: items.mean(axis=(0, 1)) for row, items in zip(self._rows, every, strict=True) if len(items)
        }
        return {row: mean / max(float(np.linalg.norm(mean)), 1e-12) for row, mean in means.items()}


class _Looking:
    """Contents of places, read when they are first asked for."""

    def __init__(self, snapshot: Snapshot, contents: Contents) -> None:
        self._snapshot = snapshot
        self._contents = contents

    def ahead(self, places: Sequence[Place]) -> None:
        """Read the contents of places that will be looked at, all at once."""
        self.at(list({_name(place): place for place in places}.values()))

    def at(self, places: Sequence[Place]) -> list[Content]:
        """Return the contents of some places."""
        rows = self._snapshot.keys([place.row for place in places]).tolist()
        keys = [(row, place.part) for row, place in zip(rows, places, strict=True)]
        found = {key: self._contents.get(key) for key in keys}
        missing = [(key, place) for key, place in zip(keys, places, strict=True) if found[key] is None]
        units = self._snapshot.units([place.row for _, place in missing])
        for (key, place), (unit, _) in zip(missing, units, strict=True):
            found[key] = read = content(unit, place.part)
            self._contents.keep(key, read)
        return [there for key in keys if (there := found[key]) is not None]


def _same(best: Place, alike: Sequence[Place], look: _Looking, pictures: Path | None) -> list[Place]:
    if not alike:
        return []
    first, *others = look.at([best, *alike])
    return [
        place
        for place, other in zip(alike, others, strict=True)
        if place.row != best.row and nearly_same(first, other, pictures)
    ]


def _near(one: Place, other: Place) -> bool:
    if one.lanes.keys() != other.lanes.keys():
        return False
    return all(
        math.isclose(score, other.lanes[lane], abs_tol=_NEAR, rel_tol=_NEAR_SHARE)
        for lane, score in one.lanes.items()
    )


def _name(place: Place) -> Hashable:
    return place.row, place.part
