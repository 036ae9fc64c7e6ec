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

Codes = Sequence[int] | NDArray[np.int32]

_NEAR = 0.05  # raw scores of near duplicates differ by no more than this,
_NEAR_SHARE = 0.15  # or than this share of the larger: BM25 has no upper end


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
        said = [[place.lanes.get(lane, np.nan) for lane in lanes] for place in places]
        self._scores = np.array(said, np.float64).reshape(len(places), len(lanes))
        self._near: dict[int, list[int]] = {}
        self._contents: dict[int, Content] = {}

    def ahead(self, k: int) -> None:
        """Read at once what the first k places will be compared with, as long as none of them is folded."""
        near = {at: self.near(at) for at in range(min(k, len(self._places)))}
        self._read(one for at, others in near.items() if others for one in (at, *others))

    def near(self, at: int) -> list[int]:
        """Return the places below one, of other units, that may be nearly the same."""
        if at not in self._near:
            near = np.flatnonzero(_near(self._scores[at + 1 :], self._scores[at])) + at + 1
            self._near[at] = near[self._rows[near] != self._rows[at]].tolist()
        return self._near[at]

    def same(self, at: int, left: NDArray[np.bool_]) -> list[int]:
        """Return those of the places that are left that are nearly the same as one above them."""
        near = [other for other in self.near(at) if left[other]]
        if not near:
            return []
        self._read((at, *near))
        one = self._contents[at]
        return [other for other in near if nearly_same(one, self._contents[other], self._pictures)]

    def _read(self, wanted: Iterable[int]) -> None:
        missing = [at for at in dict.fromkeys(wanted) if at not in self._contents]
        if missing:
            units = self._snapshot.units(self._rows[missing].tolist())
            for at, (unit, _) in zip(missing, units, strict=True):
                self._contents[at] = content(unit, self._places[at].part)


def _near(scores: NDArray[np.float64], one: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (places,) True where every lane says nearly what it says of one, or nothing of both.

    Args:
        scores: (places, lanes), NaN where a lane has nothing to say.
        one: (lanes,).
    """
    allowed = np.maximum(_NEAR, _NEAR_SHARE * np.maximum(np.abs(scores), np.abs(one)))
    in_lanes = (np.abs(scores - one) <= allowed) | (np.isnan(scores) & np.isnan(one))
    near: NDArray[np.bool_] = np.all(in_lanes, axis=1)
    return near
