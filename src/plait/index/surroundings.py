"""BM25 of a unit with what stands around it: its neighbours in the document, and its headings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plait.index.lexical import Bm25, term_counts
from plait.schema import Unit

# Chosen on nine permissive manuals; each left out in turn, fits of the three differ by 0.1 at most.
_OWN, _NEIGHBOURS, _HEADINGS = 0.25, 0.4, 0.35
_BLOCK_UNITS = 32  # 4 to 32 and whole pages do equally well; so many keep a long book from being one page

Hashes = NDArray[np.uint64]
Counts = NDArray[np.uint16]
Rows = NDArray[np.int32]


class SurroundedBm25:
    """A weighted mean of three BM25 scores of N units.

    A section rarely repeats the words of the page it stands on, and a heading says more than a sentence:

        score(u) = 0.25 BM25(u) + 0.4 BM25(block of u) + 0.35 BM25(headings of u),

    where a block is up to 32 neighbouring units of one document. Each has its own statistics. A unit that
    shares no word with the query scores 0, whatever stands around it.

    Args:
        own: BM25 of the units.
        neighbours: BM25 of the blocks.
        headings: BM25 of the units' titles and headings.
        blocks: (N,) the block of each unit.
    """

    def __init__(self, own: Bm25, neighbours: Bm25, headings: Bm25, blocks: Rows) -> None:
        self._own = own
        self._neighbours = neighbours
        self._headings = headings
        self._blocks = blocks

    @classmethod
    def of_postings(
        cls,
        hashes: Hashes,
        counts: Counts,
        units: Rows,
        lengths: NDArray[np.uint32],
        *,
        owners: Rows,
        headings: Sequence[str],
    ) -> SurroundedBm25:
        """Return the scores' source for units given by their terms.

        Args:
            hashes, counts, units, lengths: as of `Bm25`.
            owners: (N,) the document of each unit, from 0; units of one document are neighbours, in order.
            headings: title and headings of each unit.
        """
        blocks = blocks_of(owners)
        return cls(
            Bm25(hashes, counts, units, lengths),
            _of_blocks(hashes, counts, units, lengths, blocks),
            Bm25.of([term_counts(heading) for heading in headings]),
            blocks,
        )

    @classmethod
    def of(cls, units: Sequence[Unit]) -> SurroundedBm25:
        """Return the scores' source for units, those of one document one after the other."""
        every = [term_counts(unit.text) for unit in units]
        sizes = [len(hashes) for hashes, _, _ in every]
        documents: dict[str, int] = {}
        return cls.of_postings(
            np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, _, _ in every)]),
            np.concatenate([np.empty(0, np.uint16), *(counts for _, counts, _ in every)]),
            np.repeat(np.arange(len(every), dtype=np.int32), sizes),
            np.array([length for _, _, length in every], np.uint32),
            owners=np.array([documents.setdefault(u.document_id, len(documents)) for u in units], np.int32),
            headings=[heading_text(unit.title, unit.section) for unit in units],
        )

    def scores(self, texts: Sequence[str], weights: Sequence[float] | None = None) -> NDArray[np.float32]:
        """Return (N,) scores, the weighted sum over the texts; 0 where the unit itself shares no word.

        Args:
            weights: one number a text; None means 1 each.
        """
        own = self._own.scores(texts, weights)
        around = self._neighbours.scores(texts, weights)[self._blocks]
        headings = self._headings.scores(texts, weights)
        mean = _OWN * own + _NEIGHBOURS * around + _HEADINGS * headings
        return np.where(own > 0, mean, 0).astype(np.float32)


def heading_text(title: str, section: Sequence[str]) -> str:
    """Return a unit's title and headings, outermost first, each once."""
    return " > ".join(dict.fromkeys(part for part in (title, *section) if part))


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


def _of_blocks(
    hashes: Hashes, counts: Counts, units: Rows, lengths: NDArray[np.uint32], blocks: Rows
) -> Bm25:
    """Return BM25 over blocks: a term occurs in one as often as in its units together."""
    size = int(blocks[-1]) + 1 if len(blocks) else 0
    of_postings = blocks[units]
    order = np.lexsort((of_postings, hashes))
    hashes, of_postings = hashes[order], of_postings[order]
    begins = np.flatnonzero((np.diff(hashes, prepend=0) != 0) | (np.diff(of_postings, prepend=-1) != 0))
    summed = np.add.reduceat(counts[order].astype(np.int64), begins) if len(begins) else counts[:0]
    of_blocks = np.bincount(blocks, weights=lengths, minlength=size).astype(np.uint32)
    most = np.iinfo(np.uint16).max
    return Bm25(hashes[begins], np.minimum(summed, most).astype(np.uint16), of_postings[begins], of_blocks)
