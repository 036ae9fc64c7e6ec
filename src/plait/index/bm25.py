"""BM25 over the terms of many items, kept in segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.index.lexical import Terms, term_hash, words
from plait.index.postings import MOST_ITEMS, Holders, Numbers, Postings, Source

_AT_ONCE = 1 << 15  # postings; more at a time, and the allocator returns the memory after every step


@dataclass(frozen=True, slots=True)
class Asked:
    """One term of a query.

    Attributes:
        weight: what its saturated frequency counts.
        holders: for each segment, the items that hold it, and how often.
    """

    weight: np.float32
    holders: Sequence[Holders]


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
    ) -> None:
        self._segments = segments
        self._copies = copies
        self._language = language
        lengths = [part.lengths for part in segments]
        times = copies or [np.ones(len(one), np.int64) for one in lengths]
        self._size = sum(int(one.sum()) for one in times)
        total = sum(int(one @ many) for one, many in zip(lengths, times, strict=True))
        mean = max(total / self._size, 1.0) if self._size else 1.0
        self._held_back = [k1 * (1 - b + b * one.astype(np.float64) / mean) for one in lengths]

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

    def scores(self, texts: Sequence[str], weights: Sequence[float] | None = None) -> NDArray[np.float32]:
        """Return (N,) scores, the weighted sum over the texts; 0 where no term matches.

        Args:
            weights: one number a text; None means 1 each.
        """
        asked = self.asked(query_terms(texts, weights, language=self._language))
        scores = [self.segment_scores(segment, asked) for segment in range(len(self._segments))]
        return np.concatenate([np.empty(0, np.float32), *scores])

    def asked(self, terms: Sequence[tuple[int, float]]) -> list[Asked]:
        """Return the terms of a query that occur here.

        Args:
            terms: as `query_terms` gives them.
        """
        hashes = np.array([term for term, _ in terms], np.uint64)
        of_terms = zip(*(part.holders(hashes) for part in self._segments), strict=True)
        return [
            Asked(np.float32(weight * self._idf(many)), holders)
            for (_, weight), holders in zip(terms, of_terms, strict=False)  # no segments, no holders
            if (many := self._count(holders))
        ]

    def weights(self, terms: Sequence[tuple[int, float]]) -> dict[int, float]:
        """Return what each term of a query that occurs here counts, as in `Asked`."""
        hashes = np.array([term for term, _ in terms], np.uint64)
        of_terms = zip(*(part.holders(hashes) for part in self._segments), strict=True)
        return {
            term: weight * self._idf(many)
            for (term, weight), holders in zip(terms, of_terms, strict=False)  # no segments, no holders
            if (many := self._count(holders))
        }

    def segment_scores(
        self, segment: int, asked: Sequence[Asked], wanted: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Return the scores of the items of one segment; 0 where no term matches.

        Args:
            wanted: (items of the segment,) others may be left at 0; None means all.
        """
        held_back = self._held_back[segment]
        total = np.zeros(len(held_back), np.float32)
        for term in asked:
            for items, counts in _pieces(*term.holders[segment], wanted):
                often = counts.astype(np.float64)
                impacts = often / (often + held_back[items])
                total[items] += impacts.astype(np.float32) * term.weight  # no item occurs twice
        return total

    def _count(self, holders: Sequence[Holders]) -> int:
        """Return how many items hold a term."""
        if self._copies is None:
            return sum(len(items) for items, _ in holders)
        return sum(int(copies[items].sum()) for copies, (items, _) in zip(self._copies, holders, strict=True))

    def _idf(self, holders: int) -> float:
        return float(np.log1p((self._size - holders + 0.5) / (holders + 0.5)))


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


def _pieces(
    items: Numbers, counts: NDArray[Any], wanted: NDArray[np.bool_] | None
) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Yield the wanted of a term's holders, some thousands at a time."""
    for start in range(0, len(items), _AT_ONCE):
        here, often = items[start : start + _AT_ONCE], counts[start : start + _AT_ONCE]
        if wanted is not None:
            inside = np.flatnonzero(wanted[here])
            here, often = here[inside], often[inside]
        yield here.astype(np.intp), often
