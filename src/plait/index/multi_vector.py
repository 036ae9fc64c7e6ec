"""Exact late interaction over the items of many units: MaxSim, and the dot product as its simplest case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.errors import ShapeError
from plait.index.threads import shared_out, workers_for
from plait.scoring.vectors import Vectors

_BLOCK_SCORES = 1 << 16  # query tokens x items scored at a time, so that two blocks stay in the L2 cache


@dataclass(frozen=True, slots=True)
class MultiVectors:
    """The vectors of one field for N units, each with any number of items, laid out for scanning.

    Attributes:
        vectors: (tokens, items, width) float32, unit length. Tokens lead, so that the best token is
            found by comparing whole rows of scores: a third faster than items first.
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
        self._check(query, weights)
        rows = np.flatnonzero(np.diff(self.offsets) if mask is None else mask & (np.diff(self.offsets) > 0))
        scores = np.full(len(self), np.nan, np.float32)
        if not len(rows):
            return scores
        items, starts = self._items_of(rows, whole=mask is None)
        best = np.maximum.reduceat(self._similarity(query, items), starts, axis=1)  # (parts, rows)
        scores[rows] = weights.astype(np.float32) @ best
        return scores

    def best_items(self, query: Vectors, weights: Vectors, rows: Sequence[int]) -> list[int | None]:
        """Return, for each row, the item with the highest weighted sum over the parts; None without items.

        Raises:
            ShapeError: the query or its weights do not fit the field.
        """
        self._check(query, weights)
        best: list[int | None] = []
        for row in rows:
            first, last = self.offsets[row], self.offsets[row + 1]
            similarity = weights @ self._similarity(query, np.arange(first, last))
            best.append(int(similarity.argmax()) if first < last else None)
        return best

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
        asked = np.ascontiguousarray(query.reshape(parts * query_tokens, width), np.float32)
        count = self.vectors.shape[1] if items is None else len(items)
        similarity = np.empty((parts, count), np.float32)

        def scan(first: int, last: int) -> None:
            block = max(256, _BLOCK_SCORES // len(asked))
            best = np.empty((len(asked), min(block, last - first)), np.float32)
            other = np.empty_like(best)
            for start in range(first, last, block):
                stop = min(start + block, last)
                chosen = slice(start, stop) if items is None else items[start:stop]
                self._best_tokens(asked, chosen, best[:, : stop - start], other[:, : stop - start])
                by_part = best[:, : stop - start].reshape(parts, query_tokens, stop - start)
                by_part.mean(axis=1, out=similarity[:, start:stop])

        shared_out(scan, count, workers=workers_for(asked.size * len(self.vectors) * count))
        return similarity

    def _best_tokens(
        self, asked: Vectors, chosen: slice | NDArray[np.int64], best: Vectors, other: Vectors
    ) -> None:
        """Write into best (asked, chosen) each query token's highest dot product with an item's tokens."""
        for token, vectors in enumerate(self.vectors):
            np.matmul(asked, vectors[chosen].T, out=other if token else best)
            if token:
                np.maximum(best, other, out=best)

    def _check(self, query: Vectors, weights: Vectors) -> None:
        if query.ndim != 3 or 0 in query.shape[:2]:
            raise ShapeError(f"expected a query of (parts, tokens, width), got {query.shape}")
        if query.shape[2] != self.vectors.shape[2]:
            raise ShapeError(
                f"the query has {query.shape[2]} dims, the stored vectors {self.vectors.shape[2]}: "
                "were both encoded by the same model?"
            )
        if weights.shape != query.shape[:1]:
            raise ShapeError(
                f"expected one weight for each of {query.shape[0]} parts, got shape {weights.shape}"
            )
