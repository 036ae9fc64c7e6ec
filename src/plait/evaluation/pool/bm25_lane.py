"""The lane of words: BM25 over a pool that is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from plait.evaluation.pool.lanes import Rows, Scores
from plait.evaluation.systems import BM25
from plait.index.bm25 import Asked, Bm25, postings_of, query_terms
from plait.index.lexical import term_counts
from plait.index.postings import MOST_ITEMS, Postings


class Bm25Lane:
    """BM25 of queries' words over the words of N candidates.

    Memory holds 3 bytes for each distinct word of a candidate, and 12 for each candidate and for each
    distinct word of 65,536 candidates: 85 bytes for a candidate of 20 words.

    Attributes:
        name, asked, at_once, slack: as of `PoolLane`.

    Args:
        texts: the words of each candidate, in the order of the pool; "" where it has none.
        queries: their words; "" asks nothing.
        language: of all of them, as of `index.lexical.words`.
    """

    name = BM25
    at_once = 64
    slack = 0

    def __init__(self, texts: Iterable[str], queries: Sequence[str], *, language: str = "english") -> None:
        self._queries, self._language = queries, language
        self._segments = list(_segments(texts, language))
        self._bm25 = Bm25(self._segments, language=language)
        self._bounds = np.cumsum([0, *(len(segment.lengths) for segment in self._segments)]).tolist()
        self.asked = np.array([bool(query.strip()) for query in queries], np.bool_)

    def __len__(self) -> int:
        return len(self._bm25)

    def blocks(self, queries: Rows) -> Iterator[tuple[int, Tensor]]:
        asked = [self._asked(query) for query in queries.tolist()]
        for segment, (first, last) in enumerate(zip(self._bounds, self._bounds[1:], strict=False)):
            scores = np.empty((len(asked), last - first), np.float32)
            for row, terms in zip(scores, asked, strict=True):
                row[:] = self._bm25.segment_scores(segment, terms)
            yield first, torch.from_numpy(scores)

    def pairs(self, query: int, candidates: Rows) -> Scores:
        asked = self._asked(query)
        cuts = np.searchsorted(candidates, self._bounds)
        scores = np.zeros(len(candidates), np.float32)
        for segment, first in enumerate(self._bounds[:-1]):
            here = slice(cuts[segment], cuts[segment + 1])
            if here.start < here.stop:
                wanted = np.zeros(self._bounds[segment + 1] - first, np.bool_)
                wanted[candidates[here] - first] = True
                of_segment = self._bm25.segment_scores(segment, asked, wanted)
                scores[here] = of_segment[candidates[here] - first]
        return scores

    def _asked(self, query: int) -> list[Asked]:
        return self._bm25.asked(query_terms([self._queries[query]], language=self._language))


def _segments(texts: Iterable[str], language: str) -> Iterator[Postings]:
    terms = (term_counts(text, language=language) for text in texts)
    while items := list(islice(terms, MOST_ITEMS)):
        yield postings_of(items)
