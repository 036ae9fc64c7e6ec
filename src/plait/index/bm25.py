"""BM25 over the terms of many items, kept in segments."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.index.frequent import FrequentImpacts
from plait.index.lexical import Terms, term_hash, words
from plait.index.postings import MOST_ITEMS, Holders, Numbers, Postings, Source

_COUNTED = 1 << 12  # terms whose holders are remembered, in less than a megabyte
_AT_ONCE = 1 << 15  # postings; more at a time, and the allocator returns the memory after every step

Frequencies = NDArray[np.float64]
Part = tuple[int, Numbers, NDArray[Any], np.float32]  # place of the first item, items, counts, weight


@dataclass(frozen=True, slots=True)
class Asked:
    """One term of a query.

    Attributes:
        weight: what its saturated frequency counts.
        holders: for each segment, the items that hold it, and how often.
        impacts: (items,) its saturated frequency in each, segment by segment, where that is kept.
    """

    weight: np.float32
    holders: Sequence[Holders]
    impacts: NDArray[np.float32] | None = None


class Bm25:
    """BM25 over N items, with Lucene's inverse document frequency.

    A term t of a query gives an item u

        idf(t) * tf / (tf + k1 * (1 - b + b * |u| / mean |u|)),
        idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5)),

    where tf is how often t occurs in u, df how many items hold t and |u| how many words u has. A term
    asked twice counts twice. The statistics are those of all segments together, whatever is filtered
    later, so that scores do not depend on how items are divided into segments.

    Args:
        segments: the terms of some of the items each.
        copies: for each segment, how many equal items each of its items stands for; None means 1 each.
        k1: how soon repeating a term stops helping.
        b: how much a long item is held back, in [0, 1].
        language: as the terms were made.
        kept_bytes: how much memory frequent terms may take that were asked, see `FrequentImpacts`.

    Source: Robertson & Zaragoza, The Probabilistic Relevance Framework (2009), in the form Lucene
    uses since version 8.
    """

    def __init__(
        self,
        segments: Sequence[Source],
        copies: Sequence[NDArray[np.int64]] | None = None,
        *,
        k1: float = 1.5,
        b: float = 0.75,
        language: str = "english",
        kept_bytes: int = 0,
    ) -> None:
        self._segments = segments
        self._copies = copies
        self._language = language
        lengths = np.concatenate([np.empty(0), *(part.lengths for part in segments)])  # as float64
        times = np.concatenate(copies) if copies else np.ones(len(lengths), np.int64)
        self._size = int(times.sum())
        mean = max(float(lengths @ times) / self._size, 1.0) if self._size else 1.0
        self._held_back = k1 * (1 - b + b * lengths / mean)
        self._bounds = [0, *accumulate(len(part.lengths) for part in segments)]
        self._counted: dict[int, int] = {}
        self._frequent = FrequentImpacts(len(lengths), most_bytes=kept_bytes)

    @classmethod
    def of(
        cls, items: Sequence[Terms], *, k1: float = 1.5, b: float = 0.75, language: str = "english"
    ) -> Bm25:
        """Return BM25 over items given by their `term_counts`."""
        firsts = range(0, len(items), MOST_ITEMS)
        segments = [postings_of(items[first : first + MOST_ITEMS]) for first in firsts]
        return cls(segments, k1=k1, b=b, language=language)

    def __len__(self) -> int:
        return self._size

    @property
    def firsts(self) -> list[int]:
        """Where the items of each segment begin among all."""
        return self._bounds[:-1]

    def scores(self, texts: Sequence[str], weights: Sequence[float] | None = None) -> NDArray[np.float32]:
        """Return (N,) scores, the weighted sum over the texts; 0 where no term matches.

        Args:
            weights: one number a text; None means 1 each.
        """
        return self.item_scores(self.asked(query_terms(texts, weights, language=self._language)))

    def asked(self, terms: Sequence[tuple[int, float]]) -> list[Asked]:
        """Return the terms of a query that occur here.

        Args:
            terms: as `query_terms` gives them.
        """
        return [
            Asked(np.float32(weight * self._idf(many)), holders, self._kept(term, many, holders))
            for (term, weight), many, holders in self._found(terms)
        ]

    def weights(self, terms: Sequence[tuple[int, float]]) -> dict[int, float]:
        """Return what each term of a query that occurs here counts, as in `Asked`."""
        counts = {term: many for term, _ in terms if (many := self._counted.get(term)) is not None}
        rest = [one for one in terms if one[0] not in counts]
        counts |= {term: many for (term, _), many, _ in self._found(rest)}
        return {term: weight * self._idf(counts[term]) for term, weight in terms if counts.get(term)}

    def item_scores(
        self, asked: Sequence[Asked], wanted: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Return the scores of all items, those of one segment after the other; 0 where no term matches.

        Args:
            wanted: (items,) the others get 0; None means all.
        """
        return self._scores(range(len(self._segments)), asked, wanted)

    def segment_scores(
        self, segment: int, asked: Sequence[Asked], wanted: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Return the scores of the items of one segment; 0 where no term matches.

        Args:
            wanted: (items of the segment,) the others get 0; None means all.
        """
        return self._scores(range(segment, segment + 1), asked, wanted)

    def _scores(
        self, segments: range, asked: Sequence[Asked], wanted: NDArray[np.bool_] | None
    ) -> NDArray[np.float32]:
        here = slice(self._bounds[segments.start], self._bounds[segments.stop])
        total = np.zeros(here.stop - here.start, np.float32)
        waiting: list[Asked] = []
        for term in asked:  # in this order whatever is kept, or sums would be rounded otherwise
            if term.impacts is None:
                waiting.append(term)
            else:
                self._add(total, segments, waiting, wanted)
                waiting.clear()
                total += term.impacts[here] * term.weight
        self._add(total, segments, waiting, wanted)
        if wanted is not None:
            total *= wanted
        return total

    def _add(
        self,
        total: NDArray[np.float32],
        segments: range,
        asked: Sequence[Asked],
        wanted: NDArray[np.bool_] | None,
    ) -> None:
        """Add what each of some terms gives the items of segments, one term after the other."""
        first = self._bounds[segments.start]
        held_back = self._held_back[first : first + len(total)]
        parts = (
            (self._bounds[segment] - first, *term.holders[segment], term.weight)
            for term in asked
            for segment in segments
        )
        for items, counts, weights in _together(parts):
            if wanted is not None:
                inside = np.flatnonzero(wanted.take(items))
                items, counts, weights = items.take(inside), counts.take(inside), weights.take(inside)
            np.add.at(total, items, _saturated(counts, held_back.take(items)) * weights)

    def _kept(self, term: int, many: int, holders: Sequence[Holders]) -> NDArray[np.float32] | None:
        """Return the impacts of a term on every item, if they are kept."""

        def impacts() -> NDArray[np.float32]:
            every = np.zeros(len(self._held_back), np.float32)
            asked = Asked(np.float32(1), holders)
            self._add(every, range(len(self._segments)), [asked], None)
            return every

        return self._frequent.of(term, many, impacts)

    def _found(
        self, terms: Sequence[tuple[int, float]]
    ) -> Iterator[tuple[tuple[int, float], int, Sequence[Holders]]]:
        """Yield each term that occurs here, how many items hold it, and which of each segment do."""
        hashes = np.array([term for term, _ in terms], np.uint64)
        of_segments = [part.holders(hashes) for part in self._segments] if terms else []
        counts = [
            sum(many) for many in zip(*(self._counts(*one) for one in enumerate(of_segments)), strict=True)
        ]
        if len(self._counted) > _COUNTED:
            self._counted.clear()
        self._counted.update(zip(hashes.tolist(), counts, strict=False))  # no segments, no counts
        for term, many, holders in zip(terms, counts, zip(*of_segments, strict=True), strict=False):
            if many:
                yield term, many, holders

    def _counts(self, segment: int, holders: Sequence[Holders]) -> list[int]:
        """Return how many items of a segment hold each of some terms."""
        counts = [len(items) for items, _ in holders]
        if self._copies is not None and any(counts):
            held = [place for place, many in enumerate(counts) if many]
            copies = self._copies[segment].take(np.concatenate([items for items, _ in holders]))
            begins = [0, *accumulate(counts[place] for place in held[:-1])]
            for place, many in zip(held, np.add.reduceat(copies, begins).tolist(), strict=True):
                counts[place] = many
        return counts

    def _idf(self, holders: int) -> float:
        return math.log1p((self._size - holders + 0.5) / (holders + 0.5))


def query_terms(
    texts: Sequence[str], weights: Sequence[float] | None = None, *, language: str = "english"
) -> list[tuple[int, float]]:
    """Return the numbers of a query's terms, and what each counts: its text's weight a time.

    Args:
        weights: one number a text; None means 1 each.
    """
    return [
        (term_hash(term), weight * times)
        for text, weight in zip(texts, weights or [1.0] * len(texts), strict=True)
        for term, times in Counter(words(text, language=language)).items()
    ]


def postings_of(items: Sequence[Terms]) -> Postings:
    """Return the postings of up to 65,536 items given by their `term_counts`."""
    sizes = np.array([len(hashes) for hashes, _, _ in items], np.int64)
    return Postings.of(
        np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, _, _ in items)]),
        np.concatenate([np.empty(0, np.uint16), *(counts for _, counts, _ in items)]),
        np.repeat(np.arange(len(items), dtype=np.int32), sizes),
        np.array([length for _, _, length in items], np.uint32),
    )


def _together(parts: Iterable[Part]) -> Iterator[tuple[NDArray[np.intp], Frequencies, NDArray[np.float32]]]:
    """Yield the postings of several, some thousands at a time: items, how often, and the terms' weights."""
    some: list[Part] = []
    held = 0
    for first, items, counts, weight in parts:
        for start in range(0, len(items), _AT_ONCE):
            piece = slice(start, start + _AT_ONCE)
            size = min(len(items) - start, _AT_ONCE)
            if held + size > _AT_ONCE:
                yield _joined(some)
                some, held = [], 0
            some.append((first, items[piece], counts[piece], weight))
            held += size
    if some:
        yield _joined(some)


def _joined(parts: Sequence[Part]) -> tuple[NDArray[np.intp], Frequencies, NDArray[np.float32]]:
    firsts, of_items, of_counts, weights = zip(*parts, strict=True)
    sizes = [len(items) for items in of_items]
    items = np.concatenate(of_items, dtype=np.intp)
    items += np.repeat(firsts, sizes)
    return items, np.concatenate(of_counts, dtype=np.float64), np.repeat(weights, sizes)


def _saturated(counts: Frequencies, held_back: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return tf / (tf + what an item's length holds back)."""
    return np.divide(counts, counts + held_back).astype(np.float32)
