"""BM25 of a unit with what stands around it: its neighbours in the document, and its headings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from plait.errors import InputError
from plait.index.bm25 import Bm25, query_terms
from plait.index.languages import language_named
from plait.index.lexical import term_hash, words
from plait.index.text_segments import Placed, Rows, TermRows, compacted, segments_of
from plait.schema import Unit

# Chosen on nine permissive manuals; each left out in turn, fits of the three differ by 0.1 at most.
_OWN, _NEIGHBOURS, _HEADINGS = 0.25, 0.4, 0.35
_KEPT_BYTES = 12 << 20  # for 30 words that most of 100,000 units have: two thirds of what queries look at
_BLOCK_UNITS = 32  # 4 to 32 and whole pages do equally well; so many keep a long book from being one page

Number = TypeVar("Number", np.float32, np.int32, np.uint16)


class SurroundedBm25:
    """A weighted mean of three BM25 scores of N units, which stay as they are: changes give a new one.

    A section rarely repeats the words of the page it stands on, and a heading says more than a sentence:

        score(u) = 0.25 BM25(u) + 0.4 BM25(block of u) + 0.35 BM25(headings of u),

    where a block is up to 32 neighbouring units of one document. Each has its own statistics. A unit that
    shares no word with the query scores 0, whatever stands around it.

    Memory: 3 bytes for each distinct word of each unit, 12 for each distinct word of each segment, and
    about 25 a unit: some 390 a unit of 67 distinct words. And however many units there are, at most 16 MB
    for the words asked lately that most of them have. Safe to use from several threads.

    Args:
        placed: segments of the units, and which unit each of theirs is; every unit in one.
        language: whose stems the terms are.
    """

    def __init__(self, placed: Sequence[Placed] = (), *, language: str = "english") -> None:
        self._language = language_named(language)
        self._placed = tuple(placed)
        self._size = sum(len(rows) for _, rows in placed)
        segments = [segment for segment, _ in placed]
        self._own = Bm25([one.own for one in segments], kept_bytes=_KEPT_BYTES)
        self._neighbours = Bm25([one.blocks for one in segments], kept_bytes=_KEPT_BYTES // 4)
        self._headings = Bm25([one.headings for one in segments], [one.copies for one in segments])

    @classmethod
    def of(cls, units: Sequence[Unit], *, language: str = "english") -> SurroundedBm25:
        """Return the scores' source for units, those of one document one after the other."""
        documents: dict[str, int] = {}
        owners = [documents.setdefault(unit.document_id, len(documents)) for unit in units]
        batch = TermRows.of(units, np.arange(len(units), dtype=np.int32), language=language)
        kept = np.full(len(units), -1, np.int32)
        return cls(language=language).changed(kept, [batch], owners=np.array(owners, np.int32))

    def __len__(self) -> int:
        return self._size

    def changed(self, kept: Rows, batches: Iterable[TermRows], *, owners: Rows) -> SurroundedBm25:
        """Return the scores' source after some documents came or went; its scores are those of one made anew.

        The units may stand in another order than before. Takes time for what came, for what is joined
        with it, and for the segments that units went from.

        Args:
            kept: (N,) for each unit now, which it was before; -1 for a new one. A document is kept whole.
            batches: the terms of the new units, in any order.
            owners: (N,) the document of each unit now; units of one document are neighbours, in order.

        Raises:
            InputError: the batches are not the new units, or a document was kept in part.
        """
        blocks = blocks_of(owners)
        stayed = self._stayed(kept)
        new = np.flatnonzero(kept < 0).astype(np.int32)
        each_once = sum(len(rows) for _, rows in stayed) + len(new) == len(kept)
        if not each_once or not all(_whole(segment.block_of, blocks, rows) for segment, rows in stayed):
            raise InputError(
                "a unit was kept twice, or a document in part: keep each unit once and a document whole, "
                "or give the terms of all its units as new"
            )
        came = segments_of(batches, new, blocks, language=self._language)
        return SurroundedBm25(compacted([*stayed, *compacted(came)]), language=self._language)

    def scores(
        self,
        texts: Sequence[str],
        weights: Sequence[float] | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float32]:
        """Return (N,) scores, the weighted sum over the texts; 0 where the unit itself shares no word.

        Args:
            weights: one number a text; None means 1 each.
            mask: (N,) units to score, the others are NaN; None means all. Statistics are those of all.
        """
        terms = query_terms(texts, weights, language=self._language)
        asked = [bm25.asked(terms) for bm25 in (self._own, self._neighbours, self._headings)]
        scores = np.zeros(self._size, np.float32)
        wanted = None if mask is None else [mask.take(rows) for _, rows in self._placed]
        own = self._own.item_scores(asked[0], np.concatenate(wanted) if wanted else None)
        around = _NEIGHBOURS * self._neighbours.item_scores(asked[1])
        headings = _HEADINGS * self._headings.item_scores(asked[2])
        firsts = zip(self._own.firsts, self._neighbours.firsts, self._headings.firsts, strict=True)
        for (segment, rows), (unit, block, heading) in zip(self._placed, firsts, strict=True):
            of_units = own[unit : unit + len(rows)]
            found = _found(of_units)
            of_units = _at(of_units, found)
            mean = _OWN * of_units
            mean += around[block:].take(_at(segment.block_of, found))
            mean += headings[heading:].take(_at(segment.heading_of, found))
            mean *= of_units > 0
            scores[_at(rows, found).astype(np.intp)] = mean
        if mask is not None:
            np.copyto(scores, np.nan, where=~mask)
        return scores

    def word_weights(self, texts: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
        """Return what each word of a query counts: its texts' weights times its inverse document frequency.

        Words, as `lexical.words` gives them, that no unit has are not there.
        """
        named: dict[str, float] = {}
        for text, weight in zip(texts, weights, strict=True):
            for word in words(text, language=self._language):
                named[word] = named.get(word, 0.0) + weight
        numbers = {word: term_hash(word) for word in named}
        found = self._own.weights([(numbers[word], weight) for word, weight in named.items()])
        return {word: found[number] for word, number in numbers.items() if number in found}

    def _stayed(self, kept: Rows) -> list[Placed]:
        """Return what is left of the segments, and which unit each of theirs is now."""
        now = np.full(self._size, -1, np.int32)
        places = np.flatnonzero(kept >= 0)
        now[kept[places]] = places
        stayed = []
        for segment, rows in self._placed:
            stays = now[rows] >= 0
            if stays.any():
                left = segment if stays.all() else segment.only(stays)
                stayed.append((left, now[rows][stays]))
        return stayed


def blocks_of(owners: Rows) -> Rows:
    """Return (N,) the block of each unit, from 0: each document in runs of 32 units.

    Args:
        owners: (N,) the document of each unit; units of one document are neighbours.
    """
    if not len(owners):
        return np.empty(0, np.int32)
    begins = np.flatnonzero(np.diff(owners, prepend=-1))
    places = np.arange(len(owners)) - np.repeat(begins, np.diff(begins, append=len(owners)))
    return (np.cumsum(places % _BLOCK_UNITS == 0) - 1).astype(np.int32)


def _found(own: NDArray[np.float32]) -> NDArray[np.intp] | None:
    """Return the places of the units that score; None where many do, and to look at all costs less."""
    scores = own > 0
    return np.flatnonzero(scores) if 3 * np.count_nonzero(scores) < len(own) else None


def _at(values: NDArray[Number], places: NDArray[np.intp] | None) -> NDArray[Number]:
    return values if places is None else values.take(places)


def _whole(block_of: NDArray[np.uint16], blocks: Rows, rows: Rows) -> bool:
    """Return whether the units of a segment stand in the same blocks together as before.

    Args:
        block_of: (U,) the block of each of its units before.
        blocks: (N,) the block of every unit now.
        rows: (U,) which of them the units of the segment are.
    """
    now = blocks[rows]
    same_edges = np.array_equal(np.diff(now) != 0, np.diff(block_of) != 0)
    return same_edges and np.array_equal(np.bincount(blocks)[now], np.bincount(block_of)[block_of])
