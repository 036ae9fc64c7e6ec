"""A ranking without repetitions: what is nearly the same is folded under the best, and groups are limited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Snapshot
from plait.search.ranking import Place
from plait.search.sameness import Content, content, nearly_same
from plait.search.sketches import Sketches

Codes = Sequence[int] | NDArray[np.int32]

_NEAR = 0.05  # raw scores of near duplicates differ by no more than this,
_NEAR_SHARE = 0.15  # or than this share of the larger: BM25 has no upper end
_SILENT = -1e30  # stands for what a lane says that has nothing to say: near nothing but itself
_MAY_BE_SAME = 0.5  # share of their rough shingles that texts must have in common to be looked at closely
_AT_ONCE = 16  # places whose scores are compared with those below at once


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
    pictures: Path | None,
) -> Chosen:
    """Return the first k places to show, each with those below it that are nearly the same.

    Only places whose raw scores are near each other in every lane are read and compared: what says nearly
    the same scores nearly the same.

    Args:
        pictures: where the paths of pictures begin.
    """
    look = _Looking(places, snapshot, pictures)
    if fold:
        look.ahead(k)
    left, taken, folded = np.ones(len(places), np.bool_), list[Place](), list[list[Place]]()
    for at, best in enumerate(places):
        if len(taken) == k:
            break
        if not left[at]:
            continue
        left[at] = False
        if not groups.take(best.row):
            continue
        same = look.same(at, left) if fold else []
        left[same] = False
        taken.append(best)
        folded.append([places[other] for other in same])
    return Chosen(taken, folded, [place for place, is_left in zip(places, left, strict=True) if is_left])


class _Looking:
    """Which of some places are nearly the same, read as far as that is asked."""

    def __init__(self, places: Sequence[Place], snapshot: Snapshot, pictures: Path | None) -> None:
        self._places = places
        self._snapshot = snapshot
        self._pictures = pictures
        self._rows = np.array([place.row for place in places], np.intp)
        lanes = list(dict.fromkeys(lane for place in places for lane in place.lanes))
        said = [[place.lanes.get(lane, _SILENT) for place in places] for lane in lanes]
        self._scores = np.array(said, np.float64).reshape(len(lanes), len(places))
        self._allowed = np.maximum(_NEAR, _NEAR_SHARE * np.abs(self._scores))
        self._near: dict[int, list[list[int]]] = {}
        self._numbers: dict[int, int] = {}  # places that say and show the same have one number
        self._contents: dict[Content, int] = {}
        self._sketches = Sketches()

    def ahead(self, k: int) -> None:
        """Read at once what the first k places will be compared with, as long as none of them is folded."""
        near = {at: self.near(at) for at in range(min(k, len(self._places)))}
        self._read(one for at, others in near.items() if others for one in (at, *others))

    def near(self, at: int) -> list[int]:
        """Return the places below one, of other units, that may be nearly the same."""
        first = at - at % _AT_ONCE
        if first not in self._near:
            self._near[first] = self._near_each(first)
        return self._near[first][at - first]

    def same(self, at: int, left: NDArray[np.bool_]) -> list[int]:
        """Return those of the places that are left that are nearly the same as one above them."""
        near = [other for other in self.near(at) if left[other]]
        if not near:
            return []
        self._read((at, *near))
        one = self._numbers[at]
        distinct = list(dict.fromkeys(self._numbers[other] for other in near))
        alike = self._sketches.may_share(one, distinct, _MAY_BE_SAME)
        contents = list(self._contents)
        same = {
            other
            for other, may_be in zip(distinct, alike, strict=True)
            if may_be and nearly_same(contents[one], contents[other], self._pictures)
        }
        return [other for other in near if self._numbers[other] in same]

    def _near_each(self, first: int) -> list[list[int]]:
        """Return what `near` says of some places that follow each other."""
        some, below = slice(first, first + _AT_ONCE), slice(first + 1, None)
        apart = np.abs(self._scores[:, some, None] - self._scores[:, None, below])
        allowed = np.maximum(self._allowed[:, some, None], self._allowed[:, None, below])
        near = np.logical_and.reduce(apart <= allowed)  # in all lanes
        near &= self._rows[some, None] != self._rows[below]
        return [(np.flatnonzero(of[at:]) + first + 1 + at).tolist() for at, of in enumerate(near)]

    def _read(self, wanted: Iterable[int]) -> None:
        missing = [at for at in dict.fromkeys(wanted) if at not in self._numbers]
        if missing:
            units = self._snapshot.units(self._rows[missing].tolist())
            for at, (unit, _) in zip(missing, units, strict=True):
                there = content(unit, self._places[at].part)
                self._numbers[at] = self._contents.setdefault(there, len(self._contents))
            self._sketches.add([there.text for there in list(self._contents)[len(self._sketches) :]])
