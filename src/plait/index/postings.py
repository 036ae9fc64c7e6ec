"""Postings: which items hold a term, and how often; what BM25 counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

MOST_ITEMS = 1 << 16  # what uint16 can number
MOST_COUNT = 65_535  # what uint16 holds; BM25 saturates long before
_MANY = 1 << 11  # holders; to store the groups of rarer terms too saves little time for its memory
_AT_ONCE = (
    16  # terms of fewer holders than that, so that what is held while their groups are found is bounded
)

Numbers = NDArray[np.uint16]
Holders = tuple[Numbers, NDArray[Any]]


class Source(Protocol):
    """What BM25 needs to know of up to 65,536 items."""

    @property
    def lengths(self) -> NDArray[np.uint32]:
        """(N,) words in each item."""
        ...

    def holders(self, terms: NDArray[np.uint64]) -> list[Holders]:
        """Return, for each term, the items that hold it, ascending, and how often it occurs in each."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class Postings:
    """The terms of up to 65,536 items, term by term: 3 bytes for each term of an item, rarely 4.

    The items of term t are `items[offsets[t] : offsets[t + 1]]`.

    Attributes:
        hashes: (terms,) the numbers of the distinct terms, ascending.
        offsets: (terms + 1,) where the postings of each term begin.
        items: (postings,) who holds the term, ascending within it.
        counts: (postings,) how often; uint8 where that suffices, else uint16.
        lengths: (N,) words in each item.
    """

    hashes: NDArray[np.uint64]
    offsets: NDArray[np.uint32]
    items: Numbers
    counts: NDArray[Any]
    lengths: NDArray[np.uint32]

    @classmethod
    def of(
        cls,
        hashes: NDArray[np.uint64],
        counts: NDArray[np.uint16],
        items: NDArray[np.int32],
        lengths: NDArray[np.uint32],
    ) -> Postings:
        """Return postings given item by item.

        Args:
            hashes: (postings,) every term of every item, once for each item it occurs in.
            counts: (postings,) how often it occurs there.
            items: (postings,) in which item, ascending.
            lengths: (N,) words in each item.
        """
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        begins = np.flatnonzero(_changes(ordered))
        offsets = np.append(begins, len(ordered)).astype(np.uint32)
        return cls(ordered[begins], offsets, items.astype(np.uint16)[order], _small(counts[order]), lengths)

    @classmethod
    def joined(cls, first: Postings, second: Postings) -> Postings:
        """Return the postings of both together, the items of the second numbered after those of the first."""
        hashes = np.union1d(first.hashes, second.hashes)
        sizes = np.zeros((2, len(hashes)), np.int64)
        for part, of_part in zip((first, second), sizes, strict=True):
            of_part[np.searchsorted(hashes, part.hashes)] = np.diff(part.offsets)
        offsets = np.concatenate([[0], np.cumsum(sizes.sum(0))])
        from_second = np.repeat(np.tile([False, True], len(hashes)), sizes.T.reshape(-1))
        items = np.empty(len(from_second), np.uint16)
        counts = np.empty(len(from_second), np.result_type(first.counts, second.counts))
        for part, here, before in ((first, ~from_second, 0), (second, from_second, len(first.lengths))):
            items[here] = part.items + np.uint16(before)
            counts[here] = part.counts
        return cls(
            hashes, offsets.astype(np.uint32), items, counts, np.concatenate([first.lengths, second.lengths])
        )

    def only(self, kept: NDArray[np.bool_]) -> Postings:
        """Return the postings of some items, renumbered in their order.

        Args:
            kept: (N,) True at the items that stay.
        """
        stays = kept[self.items]
        offsets = np.concatenate([[0], np.cumsum(stays, dtype=np.uint32)])[self.offsets]
        used = offsets[1:] > offsets[:-1]
        numbers = (np.cumsum(kept) - 1).astype(np.uint16)
        return Postings(
            self.hashes[used],
            np.append(offsets[:-1][used], offsets[-1]).astype(np.uint32),
            numbers[self.items[stays]],
            self.counts[stays],
            self.lengths[kept],
        )

    def holders(self, terms: NDArray[np.uint64]) -> list[Holders]:
        """Return, for each term, the items that hold it, ascending, and how often it occurs in each."""
        begins = self.offsets.take(self.hashes.searchsorted(terms, side="left")).tolist()
        ends = self.offsets.take(self.hashes.searchsorted(terms, side="right")).tolist()
        return [(self.items[a:b], self.counts[a:b]) for a, b in zip(begins, ends, strict=True)]


@dataclass(frozen=True, eq=False, slots=True)
class GroupedPostings:
    """The terms of groups of items: a term occurs in a group as often as in its items together.

    The groups of a term that few items hold are found when it is asked.

    Attributes:
        items: the terms of N items.
        groups: (N,) the group of each, from 0, ascending.
        frequent: the groups of the terms that many items hold, and the lengths of all groups.
    """

    items: Postings
    groups: Numbers
    frequent: Postings

    @classmethod
    def of(cls, items: Postings, groups: Numbers) -> GroupedPostings:
        """Return the postings of groups of items."""
        sizes = np.diff(items.offsets)
        hashes = items.hashes[sizes >= _MANY]
        found = [one for holders in items.holders(hashes) for one in _summed([holders], groups)]
        offsets = np.cumsum([0, *(len(numbers) for numbers, _ in found)]).astype(np.uint32)
        numbers = np.concatenate([np.empty(0, np.uint16), *(numbers for numbers, _ in found)])
        counts = np.concatenate([np.empty(0, np.uint16), *(counts for _, counts in found)])
        lengths = np.bincount(groups, weights=items.lengths).astype(np.uint32)
        return cls(items, groups, Postings(hashes, offsets, numbers, _small(counts), lengths))

    @property
    def lengths(self) -> NDArray[np.uint32]:
        """(groups,) words in each group."""
        return self.frequent.lengths

    def holders(self, terms: NDArray[np.uint64]) -> list[Holders]:
        """Return, for each term, the groups that hold it, ascending, and how often it occurs in each."""
        found, items = self.frequent.holders(terms), self.items.holders(terms)
        rare = [place for place in range(len(terms)) if len(items[place][0]) and not len(found[place][0])]
        for start in range(0, len(rare), _AT_ONCE):
            places = rare[start : start + _AT_ONCE]
            for place, holders in zip(
                places, _summed([items[one] for one in places], self.groups), strict=True
            ):
                found[place] = holders
        return found


def _summed(terms: Sequence[Holders], groups: Numbers) -> list[Holders]:
    """Return, for each term that some items hold, their groups, and how often it occurs in each."""
    bounds = [0, *accumulate(len(items) for items, _ in terms)]
    of_items = groups.take(np.concatenate([items for items, _ in terms]))
    changes = _changes(of_items)
    changes[bounds[:-1]] = True
    begins = changes.nonzero()[0]
    counts = np.add.reduceat(np.concatenate([counts for _, counts in terms]), begins, dtype=np.int64)
    held, often = of_items.take(begins), np.minimum(counts, MOST_COUNT).astype(np.uint16)
    return [(held[a:b], often[a:b]) for a, b in pairwise(begins.searchsorted(bounds).tolist())]


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a value differs from the one before; the first one does."""
    changes = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes


def _small(counts: NDArray[Any]) -> NDArray[Any]:
    return counts.astype(np.uint8 if counts.max(initial=0) < 256 else np.uint16)
