"""Which scan files are made into one, and what the new one holds of each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain

import numpy as np

from plait.index.scan.scan_lookup import Places
from plait.index.scan.scan_writing import Block
from plait.index.scan.segment import Segment

_TIER = 8  # this many files of one size become one of the next
_MOST = 65_536  # units a merged file has at most
_FULL = _MOST // 2  # units from which on a file is merged with no other
_DEAD = 0.2  # share of a file's units that may be dead before it is written anew
_AT_ONCE = 1024  # items copied at a time


def regrouped(units: Sequence[int], alive: Sequence[int], *, purge: bool = False) -> list[list[int]]:
    """Return the groups of files of which each is to become one new file.

    Files of like size are merged eight at a time, so that a vector is written about twice however many small
    files come, and there are never many files. A file with a fifth of its units dead is written anew.

    Args:
        units: how many each file has.
        alive: how many of them are still wanted; a file with none is in no group.
        purge: one dead unit is reason enough.
    """
    groups = [[file] for file, wanted in enumerate(alive) if wanted]
    size = 1
    while size < _FULL:
        groups = _merged(groups, alive, size, min(size * _TIER, _FULL))
        size *= _TIER
    allowed = 0 if purge else _DEAD
    return [
        group
        for group in groups
        if len(group) > 1 or units[group[0]] - alive[group[0]] > allowed * units[group[0]]
    ]


def blocks_of(segment: Segment, units: Places) -> Iterator[Block]:
    """Yield some units of a segment, a thousand items at a time.

    Args:
        units: (M,) ascending.
    """
    sizes = np.diff(segment.offsets)[units]
    edges = np.flatnonzero(np.diff(np.cumsum(sizes) // _AT_ONCE)) + 1
    for some, of_some in zip(np.split(units, edges), np.split(sizes, edges), strict=True):
        items, _ = segment.items_of(some)
        codes = segment.planes[:, items]
        yield Block(segment.keys[some], of_some, segment.read(items), codes, segment.scales[items])


def _merged(groups: list[list[int]], alive: Sequence[int], least: int, below: int) -> list[list[int]]:
    """Return the groups after merging those of `least` to `below` units, eight or what fits at a time."""

    def total(group: list[int]) -> int:
        return sum(alive[file] for file in group)

    merged = [group for group in groups if not least <= total(group) < below]
    alike = sorted((group for group in groups if least <= total(group) < below), key=total)
    while len(alike) >= _TIER:
        fitting = bisect_right(list(accumulate(map(total, alike[:_TIER]))), _MOST)
        merged.append(list(chain.from_iterable(alike[:fitting])))
        alike = alike[fitting:]
    return merged + alike
