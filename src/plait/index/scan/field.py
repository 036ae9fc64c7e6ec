"""A vector field too large to hold: rough scores of all its units from small codes, exact ones from disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Mask, Scores
from plait.index.multi_vector import best_of, check_query, weighted
from plait.index.scan import kernels
from plait.index.scan.costs import Costs
from plait.index.scan.scan_planes import planes_for
from plait.index.scan.segment import Segment
from plait.scoring.together import Together
from plait.scoring.vectors import VectorField, Vectors

_AT_A_TIME = 256  # units whose vectors are read together: 2 MB of 32 x 128 in half precision
_WORTH_ALL = 0.3  # from this share on, scoring all is cheaper than gathering what is wanted

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Piece:
    """The units of a snapshot that one segment holds.

    Attributes:
        segment: where their vectors lie.
        rows: (units,) their places in the snapshot.
        units: (units,) their places in the segment, ascending.
    """

    segment: Segment
    rows: NDArray[np.int64]
    units: NDArray[np.int64]


class ScannedField:
    """The vectors of one field for N units, in segments; the counterpart of `MultiVectors`.

    Rough scores rank each unit by a few pooled vectors of each item, in 8 bits: about half a kilobyte for
    32 tokens of 128 numbers. Exact scores are those of the stored half-precision vectors, which are read
    for the units asked and not kept.

    Memory: what the segments map, 10 bytes a unit and 8 an item.

    Args:
        field: the field.
        size: N.
        pieces: every unit that has items, in one of them.
    """

    def __init__(self, field: VectorField, size: int, pieces: Sequence[Piece]) -> None:
        self._field = field
        self._size = size
        self._costs = Costs()
        self._pieces = [piece for piece in pieces if len(piece.rows)]
        self._piece_of = np.full(size, -1, np.int16)
        self._unit_of = np.zeros(size, np.int32)
        for number, piece in enumerate(self._pieces):
            self._piece_of[piece.rows] = number
            self._unit_of[piece.rows] = piece.units
        self._rows_of_items = [_rows_of_items(piece, size) for piece in self._pieces]
        self._nothing = np.where(self._piece_of >= 0, -np.inf, np.nan).astype(np.float32)
        self._scan: Together[Vectors, Vectors] = Together()

    def __len__(self) -> int:
        return self._size

    @property
    def pools(self) -> bool:
        """Whether rough scores are of pooled vectors, of which an item has fewer than tokens."""
        return planes_for(self._field.tokens_kept) < self._field.tokens_kept

    def rough_scores(self, query: Vectors, weights: Vectors, mask: Mask | None = None) -> tuple[Scores, bool]:
        """Score every unit by its pooled vectors, or exactly where the mask leaves so few that it is cheaper.

        Args:
            query: (parts, tokens, width), unit length.
            weights: (parts,).
            mask: (N,) units to score; None means all.

        Returns:
            (N,) approximations of `scores`, or those scores themselves; NaN for a unit without items or
            outside the mask; and whether they are exact.

        Raises:
            ShapeError: the query or its weights do not fit the field.
        """
        check_query(query, weights, self._field.width)
        there = self._piece_of >= 0
        allowed = int(np.count_nonzero(there if mask is None else there & mask))
        if self._costs.prefers_exact(allowed):
            return self.scores(query, weights, mask), True
        kernels.prepare()  # which is not the cost of a search
        if mask is None or allowed >= _WORTH_ALL * np.count_nonzero(there):
            scores = weighted(weights, self._scan(self._rough_everywhere, query))
            return scores if mask is None else np.where(mask, scores, np.float32(np.nan)), False
        scores = np.full(self._size, np.nan, np.float32)
        with self._costs.rough(allowed):
            for piece in self._pieces:
                wanted = np.flatnonzero(mask[piece.rows])
                if len(wanted):
                    items, starts = piece.segment.items_of(piece.units[wanted])
                    similarity = kernels.rough(piece.segment.planes, piece.segment.scales, query, items)
                    scores[piece.rows[wanted]] = weighted(weights, best_of(similarity, starts))
        return scores, False

    def rough_scores_of(self, asked: Sequence[tuple[Vectors, Vectors]]) -> list[tuple[Scores, bool]]:
        """Return what `rough_scores` says for each of some queries and their weights, at the cost of few.

        Raises:
            ShapeError: as there.
        """
        for query, weights in asked:
            check_query(query, weights, self._field.width)
        if self._costs.prefers_exact(int(np.count_nonzero(self._piece_of >= 0))):
            return [(self.scores(query, weights), True) for query, weights in asked]
        kernels.prepare()
        best = self._scan.each(self._rough_everywhere, [query for query, _ in asked])
        return [(weighted(weights, of), False) for (_, weights), of in zip(asked, best, strict=True)]

    def exact_scores(self, query: Vectors, weights: Vectors, rows: Rows) -> Scores:
        """Return (rows,) the exact scores of some units, NaN for one without items.

        Raises:
            ShapeError: the query or its weights do not fit the field.
        """
        check_query(query, weights, self._field.width)
        scores = np.full(len(rows), np.nan, np.float32)
        with self._costs.exact(len(rows)):
            for places, vectors, starts in self._read(rows):
                scores[places] = weighted(weights, best_of(kernels.exact(vectors, query), starts))
        return scores

    def scores(self, query: Vectors, weights: Vectors, mask: Mask | None = None) -> Scores:
        """Score every unit exactly; reads the whole field, or of it what the mask lets through.

        Raises:
            ShapeError: the query or its weights do not fit the field.
        """
        there = self._piece_of >= 0
        rows = np.flatnonzero(there if mask is None else there & mask)
        scores = np.full(self._size, np.nan, np.float32)
        scores[rows] = self.exact_scores(query, weights, rows)
        return scores

    def item_scores(self, query: Vectors, weights: Vectors, rows: Sequence[int]) -> list[Vectors]:
        """Return, for each row, (items,) the weighted sum over the parts that each of its items has.

        Raises:
            ShapeError: the query or its weights do not fit the field.
        """
        check_query(query, weights, self._field.width)
        scores: list[Vectors] = [np.empty(0, np.float32)] * len(rows)
        for places, vectors, starts in self._read(np.asarray(rows, np.intp)):
            similarity = weighted(weights, kernels.exact(vectors, query))
            for place, of_unit in zip(places.tolist(), np.split(similarity, starts[1:]), strict=True):
                scores[place] = of_unit
        return scores

    def item_vectors(self, rows: Sequence[int]) -> list[Vectors]:
        """Return, for each row, (items, tokens, width) its stored vectors."""
        found = [np.empty((0, self._field.tokens, self._field.width), np.float32)] * len(rows)
        for places, vectors, starts in self._read(np.asarray(rows, np.intp)):
            read = np.split(vectors.astype(np.float32), starts[1:])
            for place, of_unit in zip(places.tolist(), read, strict=True):
                found[place] = of_unit
        return found

    def _rough_everywhere(self, queries: Sequence[Vectors]) -> list[Vectors]:
        """Return, for each query, (parts, N) the rough similarity of each unit's best item.

        The codes of all units are read from memory once for all queries, which is most of what it costs.
        """
        found = [np.empty(0, np.float32)] * len(queries)
        for tokens in {query.shape[1] for query in queries}:
            alike = [place for place, query in enumerate(queries) if query.shape[1] == tokens]
            asked = np.concatenate([queries[place] for place in alike])
            edges = np.cumsum([len(queries[place]) for place in alike])[:-1]
            with self._costs.rough(len(alike) * self._size):
                best = np.split(self._best_everywhere(asked), edges)
            for place, of_query in zip(alike, best, strict=True):
                found[place] = of_query
        return found

    def _best_everywhere(self, query: Vectors) -> Vectors:
        """Return (parts, N) the rough similarity of each unit's best item; NaN for one without items."""
        best = np.empty((len(query), self._size + 1), np.float32)  # the last is of units that are no more
        best[:, :-1], best[:, -1] = self._nothing, -np.inf
        for piece, rows in zip(self._pieces, self._rows_of_items, strict=True):
            similarity = kernels.rough(piece.segment.planes, piece.segment.scales, query)
            for of_part, found in zip(best, similarity, strict=True):
                np.maximum.at(of_part, rows, found)
        return best[:, :-1]

    def _read(self, rows: Rows) -> Iterator[tuple[Rows, NDArray[np.float16], NDArray[np.int64]]]:
        """Yield the vectors of some rows, a few hundred units at a time.

        Those are the places among the rows, the vectors (items, tokens, width), and where each unit's begin.
        """
        numbers, units = self._piece_of[rows], self._unit_of[rows]
        order = np.lexsort((units, numbers))  # as they lie on the disk
        order = order[np.count_nonzero(numbers < 0) :]
        for first in range(0, len(order), _AT_A_TIME):
            some = order[first : first + _AT_A_TIME]
            edges = np.searchsorted(numbers[some], np.arange(len(self._pieces) + 1))
            every, sizes = [], []
            for piece, begin, end in zip(self._pieces, edges, edges[1:], strict=False):
                if begin < end:
                    items, starts = piece.segment.items_of(units[some[begin:end]])
                    every.append(piece.segment.read(items))
                    sizes.append(np.diff(starts, append=len(items)))
            yield some, np.concatenate(every), _starts(np.concatenate(sizes))


def _rows_of_items(piece: Piece, size: int) -> Rows:
    """Return (items of the segment,) the row each belongs to; `size` for those of units that are no more."""
    rows = np.full(len(piece.segment.keys), size, np.intp)
    rows[piece.units] = piece.rows
    return np.repeat(rows, np.diff(piece.segment.offsets))


def _starts(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    starts: NDArray[np.int64] = np.cumsum(sizes) - sizes
    return starts
