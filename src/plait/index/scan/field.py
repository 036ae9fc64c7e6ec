"""A vector field too large to hold: rough scores of all its units from small codes, exact ones from disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Mask, Scores
from plait.index.multi_vector import check_query
from plait.index.scan import kernels
from plait.index.scan.costs import Costs
from plait.index.scan.segment import Segment
from plait.scoring.together import Together
from plait.scoring.vectors import VectorField, Vectors

_AT_A_TIME = 256  # units whose vectors are read together: 2 MB of 32 x 128 in half precision
_WORTH_ALL = 0.3  # from this share on, scoring a whole segment is cheaper than gathering what is wanted

Rows = NDArray[np.intp]
Units = NDArray[np.int64] | NDArray[np.int32]


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

    Memory: what the segments map, and 6 bytes a unit.

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
        self._scan: Together[Vectors, list[Vectors]] = Together()

    def __len__(self) -> int:
        return self._size

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
        scores = np.full(self._size, np.nan, np.float32)
        kernels.prepare()  # which is not the cost of a search
        if mask is None:
            for piece, similarity in zip(
                self._pieces, self._scan(self._rough_everywhere, query), strict=True
            ):
                scores[piece.rows] = weights.astype(np.float32) @ similarity
            return scores, False
        with self._costs.rough(allowed):
            for piece in self._pieces:
                wanted = np.flatnonzero(mask[piece.rows])
                if len(wanted):
                    similarity = _rough(piece.segment, piece.units[wanted], query)
                    scores[piece.rows[wanted]] = weights.astype(np.float32) @ similarity
        return scores, False

    def exact_scores(self, query: Vectors, weights: Vectors, rows: Rows) -> Scores:
        """Return (rows,) the exact scores of some units, NaN for one without items.

        Raises:
            ShapeError: the query or its weights do not fit the field.
        """
        check_query(query, weights, self._field.width)
        scores = np.full(len(rows), np.nan, np.float32)
        with self._costs.exact(len(rows)):
            for places, segment, units in self._read_from(rows):
                items, starts = segment.items_of(units)
                best = _best(kernels.exact(segment.read(items), query), starts)
                scores[places] = weights.astype(np.float32) @ best
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
        for places, segment, units in self._read_from(np.asarray(rows, np.intp)):
            items, starts = segment.items_of(units)
            similarity = weights.astype(np.float32) @ kernels.exact(segment.read(items), query)
            for place, of_unit in zip(places.tolist(), np.split(similarity, starts[1:]), strict=True):
                scores[place] = of_unit
        return scores

    def item_vectors(self, rows: Sequence[int]) -> list[Vectors]:
        """Return, for each row, (items, tokens, width) its stored vectors."""
        found = [np.empty((0, self._field.tokens, self._field.width), np.float32)] * len(rows)
        for places, segment, units in self._read_from(np.asarray(rows, np.intp)):
            items, starts = segment.items_of(units)
            read = segment.read(items).astype(np.float32)
            for place, of_unit in zip(places.tolist(), np.split(read, starts[1:]), strict=True):
                found[place] = of_unit
        return found

    def _rough_everywhere(self, queries: Sequence[Vectors]) -> list[list[Vectors]]:
        """Return, for each query, (parts, units) the rough similarity of each piece's units.

        The codes of all units are read from memory once for all queries, which is most of what it costs.
        """
        found: list[list[Vectors]] = [[] for _ in queries]
        for tokens in {query.shape[1] for query in queries}:
            alike = [place for place, query in enumerate(queries) if query.shape[1] == tokens]
            asked = np.concatenate([queries[place] for place in alike])
            edges = np.cumsum([len(queries[place]) for place in alike])[:-1]
            with self._costs.rough(len(alike) * self._size):
                for piece in self._pieces:
                    of_queries = np.split(_rough(piece.segment, piece.units, asked), edges)
                    for place, similarity in zip(alike, of_queries, strict=True):
                        found[place].append(similarity)
        return found

    def _read_from(self, rows: Rows) -> Iterator[tuple[Rows, Segment, Units]]:
        """Yield which of some rows lie in a segment, and as which of its units; a thousand at a time."""
        numbers = self._piece_of[rows]
        for number, piece in enumerate(self._pieces):
            here = np.flatnonzero(numbers == number)
            units = self._unit_of[rows[here]]
            order = np.argsort(units, kind="stable")  # as they lie on the disk
            for first in range(0, len(here), _AT_A_TIME):
                some = order[first : first + _AT_A_TIME]
                yield here[some], piece.segment, units[some]


def _rough(segment: Segment, units: Units, query: Vectors) -> Vectors:
    """Return (parts, units) the rough similarity of each unit's best item."""
    count = len(segment.keys)
    if len(units) < _WORTH_ALL * count:
        items, starts = segment.items_of(units)
        return _best(kernels.rough(segment.planes, segment.scales, query, items), starts)
    best = _best(kernels.rough(segment.planes, segment.scales, query), segment.offsets[:-1])
    return best if len(units) == count and (np.diff(units) == 1).all() else best[:, units]


def _best(similarity: Vectors, starts: NDArray[np.int64]) -> Vectors:
    """Return (parts, units) the highest of each unit's items, which begin at `starts`."""
    if len(starts) == similarity.shape[1]:
        return similarity
    best: Vectors = np.maximum.reduceat(similarity, starts, axis=1)
    return best
