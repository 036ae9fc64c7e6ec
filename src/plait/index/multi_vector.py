"""Exact late interaction over the items of many units: MaxSim, and the dot product as its simplest case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.errors import ShapeError
from plait.index.threads import shared_out, workers_for
from plait.scoring.vectors import Vectors

# OpenBLAS computes products of up to 2^18 multiplications on the calling thread. Larger ones it shares among
# threads that wait for each other by spinning, thousands of times a scan: on a busy machine of two cores a
# scan took 2,181 ms in place of 97. Blocks of that size also stay in the L2 cache.
_UNSHARED = 1 << 18


@dataclass(frozen=True, slots=True)
class MultiVectors:
    """The vectors of one field for N units, each with any number of items, laid out for scanning.

    Attributes:
        vectors: (tokens, items, width) float32, unit length. Tokens lead, so that the best token is
            found by comparing whole matrices of scores: a third faster than items first.
        offsets: (N + 1,) where each unit's items begin; equal neighbours mean no items.

    Memory: tokens x items x width x 4 bytes.
    """

    vectors: Vectors
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, units: Sequence[Vectors], *, tokens: int, width: int) -> MultiVectors:
        """Return the field of some units, each (items, tokens, width)."""
        flat = np.concatenate([np.empty((0, tokens, width), np.float32), *units])
        sizes = np.array([0, *(len(unit) for unit in units)], np.int64)
        return cls(np.ascontiguousarray(flat.transpose(1, 0, 2), np.float32), np.cumsum(sizes))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def scores(
        self, query: Vectors, weights: Vectors, mask: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Score every unit by its best item.

        Args:
            query: (parts, tokens, width), unit length; its tokens need not be as many as the items'.
            weights: (parts,).
            mask: (N,) units to score; only their items are touched. None means all.

        Returns:
            (N,) the weighted sum, over the parts, of the best item's MaxSim divided by the number of
            query tokens; NaN for a unit without items or outside the mask.

        Raises:
            ShapeError: the query or its weights do not fit the field.
        """
        check_query(query, weights, self.vectors.shape[2])
        rows = np.flatnonzero(np.diff(self.offsets) if mask is None else mask & (np.diff(self.offsets) > 0))
        scores = np.full(len(self), np.nan, np.float32)
        if not len(rows):
            return scores
        items, starts = self._items_of(rows, whole=mask is None)
        best = np.maximum.reduceat(self._similarity(query, items), starts, axis=1)  # (parts, rows)
        scores[rows] = weights.astype(np.float32) @ best
        return scores

    def item_scores(self, query: Vectors, weights: Vectors, rows: Sequence[int]) -> list[Vectors]:
        """Return, for each row, (items,) the weighted sum over the parts that each of its items has.

        Raises:
            ShapeError: the query or its weights do not fit the field.
        """
        check_query(query, weights, self.vectors.shape[2])
        return [
            weights.astype(np.float32)
            @ self._similarity(query, np.arange(self.offsets[row], self.offsets[row + 1]))
            for row in rows
        ]

    def item_vectors(self, rows: Sequence[int]) -> list[Vectors]:
        """Return, for each row, (items, tokens, width) its vectors."""
        edges = self.offsets.tolist()
        return [self.vectors[:, edges[row] : edges[row + 1]].transpose(1, 0, 2) for row in rows]

    def _items_of(
        self, rows: NDArray[np.intp], *, whole: bool
    ) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
        """Return the items of some rows (None: all there are), and where each row's begin among them."""
        sizes = self.offsets[rows + 1] - self.offsets[rows]
        starts = np.cumsum(sizes) - sizes
        if whole:
            return None, starts
        return np.arange(sizes.sum()) + np.repeat(self.offsets[rows] - starts, sizes), starts

    def _similarity(self, query: Vectors, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        """Return (parts, items) MaxSim divided by the number of query tokens."""
        parts, query_tokens, width = query.shape
        asked = np.ascontiguousarray(query.reshape(parts * query_tokens, width).T, np.float32)
        tokens, count = len(self.vectors), self.vectors.shape[1] if items is None else len(items)
        similarity = np.empty((parts, count), np.float32)

        def scan(first: int, last: int) -> None:
            block = max(1, min(last - first, max(8, _UNSHARED // asked.size)))
            products = np.empty((tokens, block, parts * query_tokens), np.float32)
            best = np.empty(products.shape[1:], np.float32)
            for start in range(first, last, block):
                size = min(block, last - start)
                chosen = slice(start, start + size) if items is None else items[start : start + size]
                _multiply(self.vectors[:, chosen], asked, out=products[:, :size])
                np.maximum.reduce(products[:, :size], axis=0, out=best[:size])
                by_part = best[:size].reshape(size, parts, query_tokens)
                similarity[:, start : start + size] = by_part.mean(axis=2).T

        shared_out(scan, count, workers=workers_for(asked.size * tokens * count))
        return similarity


def check_query(query: Vectors, weights: Vectors, width: int) -> None:
    """Refuse a query that vectors of a width cannot be compared with.

    Raises:
        ShapeError: it is not (parts, tokens, width), or has not one weight a part.
    """
    if query.ndim != 3 or 0 in query.shape[:2]:
        raise ShapeError(f"expected a query of (parts, tokens, width), got {query.shape}")
    if query.shape[2] != width:
        raise ShapeError(
            f"the query has {query.shape[2]} dims, the stored vectors {width}: "
            "were both encoded by the same model?"
        )
    if weights.shape != query.shape[:1]:
        raise ShapeError(f"expected one weight for each of {query.shape[0]} parts, got shape {weights.shape}")


def _multiply(vectors: Vectors, asked: Vectors, *, out: Vectors) -> None:
    """Write into out (tokens, items, n) the products of (tokens, items, width) and (width, n)."""
    if asked.shape[1] == 1:  # item by item: OpenBLAS shares even a small matrix-vector product among threads
        np.matmul(vectors[:, :, None], asked, out=out[:, :, None])
    else:
        np.matmul(vectors, asked, out=out)
