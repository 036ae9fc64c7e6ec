"""Segments: units with the postings of their texts, of the blocks they stand in and of their headings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.errors import InputError
from plait.index.bm25 import postings_of
from plait.index.lexical import term_counts
from plait.index.postings import MOST_ITEMS, GroupedPostings, Numbers, Postings
from plait.schema import Unit

_PIECE_UNITS = 8192  # sorted at once; eight of them fill a segment

Rows = NDArray[np.int32]


@dataclass(frozen=True, eq=False, slots=True)
class TermRows:
    """The words of R units, as the index stores them.

    Attributes:
        rows: (R,) which unit each is.
        sizes: (R,) how many distinct terms each has.
        hashes: (postings,) the terms of the first unit, then those of the second: `lexical.term_counts`.
        counts: (postings,) how often each occurs.
        lengths: (R,) words in each unit.
        headings: (R,) title and headings of each unit, see `heading_text`.
    """

    rows: Rows
    sizes: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    counts: NDArray[np.uint16]
    lengths: NDArray[np.uint32]
    headings: NDArray[np.object_]

    @classmethod
    def of(cls, units: Sequence[Unit], rows: Rows, *, language: str = "english") -> TermRows:
        """Return the words of units."""
        every = [term_counts(unit.text, language=language) for unit in units]
        return cls(
            rows,
            np.array([len(hashes) for hashes, _, _ in every], np.int64),
            np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, _, _ in every)]),
            np.concatenate([np.empty(0, np.uint16), *(counts for _, counts, _ in every)]),
            np.array([length for _, _, length in every], np.uint32),
            np.array([heading_text(unit.title, unit.section) for unit in units], np.object_),
        )

    @classmethod
    def together(cls, parts: Sequence[TermRows]) -> TermRows:
        """Return the units of several, one after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def take(self, places: NDArray[np.intp]) -> TermRows:
        """Return some of the units, in the order asked."""
        sizes = self.sizes[places]
        begins = np.cumsum(self.sizes) - self.sizes
        postings = np.arange(sizes.sum()) + np.repeat(begins[places] - (np.cumsum(sizes) - sizes), sizes)
        return TermRows(
            self.rows[places],
            sizes,
            self.hashes[postings],
            self.counts[postings],
            self.lengths[places],
            self.headings[places],
        )


@dataclass(frozen=True, eq=False)
class TextSegment:
    """Up to 65,536 units in whole blocks, with postings of their own numbering.

    Attributes:
        own: the terms of U units.
        block_of: (U,) the block each stands in, from 0, ascending.
        headings: the terms of the distinct headings.
        heading_of: (U,) which of them each unit has.
    """

    own: Postings
    block_of: Numbers
    headings: Postings
    heading_of: Numbers

    def __len__(self) -> int:
        return len(self.block_of)

    @cached_property
    def blocks(self) -> GroupedPostings:
        """The terms of the blocks."""
        return GroupedPostings.of(self.own, self.block_of)

    @cached_property
    def copies(self) -> NDArray[np.int64]:
        """(headings,) how many units have each."""
        return np.bincount(self.heading_of, minlength=len(self.headings.lengths))

    @classmethod
    def of(cls, units: TermRows, blocks: Rows, *, language: str) -> TextSegment:
        """Return a segment of units.

        Args:
            blocks: (R,) the block of each unit, ascending.
        """
        headings = {text: number for number, text in enumerate(dict.fromkeys(units.headings.tolist()))}
        places = np.repeat(np.arange(len(units.rows), dtype=np.int32), units.sizes)
        return cls(
            Postings.of(units.hashes, units.counts, places, units.lengths),
            _from_zero(blocks),
            postings_of([term_counts(text, language=language) for text in headings]),
            np.array([headings[text] for text in units.headings], np.uint16),
        )

    @classmethod
    def joined(cls, first: TextSegment, second: TextSegment) -> TextSegment:
        """Return the units of one segment, then those of another."""
        blocks = first.block_of[-1] + np.uint16(1)
        headings = np.uint16(len(first.headings.lengths))
        return cls(
            Postings.joined(first.own, second.own),
            np.concatenate([first.block_of, second.block_of + blocks]),
            Postings.joined(first.headings, second.headings),
            np.concatenate([first.heading_of, second.heading_of + headings]),
        )

    def only(self, kept: NDArray[np.bool_]) -> TextSegment:
        """Return some of the units; blocks stay whole or go.

        Args:
            kept: (U,) True at the units that stay.
        """
        heading_of = self.heading_of[kept]
        used = np.bincount(heading_of, minlength=len(self.headings.lengths)) > 0
        return TextSegment(
            self.own.only(kept),
            _from_zero(self.block_of[kept]),
            self.headings.only(used),
            _from_zero(heading_of),
        )


Placed = tuple[TextSegment, Rows]


def heading_text(title: str, section: Sequence[str]) -> str:
    """Return a unit's title and headings, outermost first, each once."""
    return " > ".join(dict.fromkeys(part for part in (title, *section) if part))


def segments_of(batches: Iterable[TermRows], rows: Rows, blocks: Rows, *, language: str) -> Iterator[Placed]:
    """Yield segments of 8,192 units at most, and which unit each of theirs is.

    Held at once: some 20,000 units, and those whose block is not complete yet.

    Args:
        batches: the units in any order, each once.
        rows: which units they are in all; every block wholly or not at all.
        blocks: (N,) the block of each unit, ascending.

    Raises:
        InputError: the batches are other units than `rows`.
    """
    lacking = np.bincount(blocks[rows], minlength=int(blocks[-1]) + 1 if len(blocks) else 0)
    waiting: list[TermRows] = []
    held, enough = 0, _PIECE_UNITS
    for batch in batches:
        np.subtract.at(lacking, blocks[batch.rows], 1)
        waiting.append(batch)
        held += len(batch.rows)
        if held < enough:
            continue
        pool = TermRows.together(waiting)
        *full, _ = _runs(pool, np.flatnonzero(lacking[blocks[pool.rows]] == 0), blocks)
        yield from (_placed(pool.take(run), blocks, language) for run in full)
        rest = pool.take(np.setdiff1d(np.arange(held), np.concatenate([[], *full]).astype(np.intp)))
        waiting, held = [rest], len(rest.rows)
        enough = max(_PIECE_UNITS, 2 * held)  # else what waits for its block would be copied for each batch
    if lacking.any():
        raise InputError(f"{int(np.abs(lacking).sum())} units came without their terms, or twice")
    if waiting:
        pool = TermRows.together(waiting)
        for run in _runs(pool, np.arange(held), blocks):
            yield _placed(pool.take(run), blocks, language)


def compacted(placed: Iterable[Placed]) -> list[Placed]:
    """Return the same units in fewer segments: neighbours of like size are joined while one can number both.

    Each unit is joined a number of times that grows with the logarithm of a segment's size.
    """
    kept: list[Placed] = []
    for one in placed:
        kept.append(one)
        while len(kept) > 1 and _alike(len(kept[-2][0]), len(kept[-1][0])):
            (second, second_rows), (first, first_rows) = kept.pop(), kept.pop()
            kept.append((TextSegment.joined(first, second), np.concatenate([first_rows, second_rows])))
    return kept


def _alike(earlier: int, later: int) -> bool:
    return earlier < 2 * later and earlier + later <= MOST_ITEMS


def _runs(pool: TermRows, places: NDArray[np.intp], blocks: Rows) -> list[NDArray[np.intp]]:
    """Return places of a pool in the order of their units, in runs of whole blocks and of 8,192 at most."""
    places = places[np.argsort(pool.rows[places])]
    of_places = blocks[pool.rows[places]]
    cuts = [0]
    while cuts[-1] + _PIECE_UNITS < len(places):
        cuts.append(int(np.searchsorted(of_places, of_places[cuts[-1] + _PIECE_UNITS])))
    return np.split(places, cuts[1:])


def _placed(units: TermRows, blocks: Rows, language: str) -> Placed:
    return TextSegment.of(units, blocks[units.rows], language=language), units.rows


def _from_zero(numbers: NDArray[Any]) -> Numbers:
    """Return the numbers with those that do not occur left out."""
    return np.unique(numbers, return_inverse=True)[1].astype(np.uint16)
