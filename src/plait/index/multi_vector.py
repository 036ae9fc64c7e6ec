"""Exact late interaction over the items of many units: MaxSim, and the dot product as its simplest case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plait.errors import ShapeError
from plait.index.threads import shared_out, workers_for
from plait.scoring.together import Together
from plait.scoring.vectors import Vectors

# OpenBLAS computes products of up to 2^18 multiplications on the calling thread. Larger ones it shares among
# threads that wait for each other by spinning, thousands of times a scan: on a busy machine of two cores a
# scan took 2,181 ms in place of 97. Blocks of that size also stay in the L2 cache.
_UNSHARED = 1 << 18
_WORTH_ALL = 0.5  # from this share of the units on, scoring all is cheaper than gathering what is wanted


@dataclass(frozen=True, slots=True)
class MultiVectors:
    """The vectors of one field for N units, each with any number of items, laid out for scanning.

    Attributes:
        vectors: (tokens, items, width) float32, unit length. Tokens lead, so that the best token is
            found by comparing whole matrices of scores: a third faster than items first.
        offsets: (N + 1,) where each unit's items begin; equal neighbours mean no items.

    Memory: tokens x items x width x 4 bytes, and 16 a unit.
    """

    vectors: Vectors
    offsets: NDArray[np.int64]
    _there: NDArray[np.intp] = field(init=False, repr=False, compare=False)  # units that have items
    _scan: Together[Vectors, Vectors] = field(default_factory=Together, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_there", np.flatnonzero(np.diff(self.offsets)))

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
            mask: (N,) units to score; where it leaves few, only their items are touched. None means all.

        Returns:
            (N,) the weighted sum, over the parts, of the best item's MaxSim divided by the number of
            query tokens; NaN for a unit without items or outside the mask.

        Raises:
            ShapeError: the query or its weights do not fit the field.
        """
        check_query(query, weights, self.vectors.shape[2])
        there = self._there
        rows = there if mask is None else there[mask[there]]
        scores = np.full(len(self), np.nan, np.float32)
        if len(rows) and len(rows) >= _WORTH_ALL * len(there):
            every = weighted(weights, self._scan(self._best_of_all, query))
            scores[rows] = every if mask is None else every[mask[there]]
        elif len(rows):
            items, starts = self._items_of(rows)
            scores[rows] = weighted(weights, best_of(self._similarity([query], items)[0], starts))
        return scores

    def scores_of(self, asked: Sequence[tuple[Vectors, Vectors]]) -> list[NDArray[np.float32]]:
        """Return what `scores` says for each of some queries and their weights, at the cost of few.

        Raises:
            ShapeError: as there.
        """
        for query, weights in asked:
            check_query(query, weights, self.vectors.shape[2])
        found = np.full((len(asked), len(self)), np.nan, np.float32)
        if len(self._there):
            best = self._scan.each(self._best_of_all, [query for query, _ in asked])
            for scores, (_, weights), of in zip(found, asked, best, strict=True):
                scores[self._there] = weighted(weights, of)
        return list(found)

    def item_scores(self, query: Vectors, weights: Vectors, rows: Sequence[int]) -> list[Vectors]:
        """Return, for each row, (items,) the weighted sum over the parts that each of its items has.

        Raises:
            ShapeError: the query or its weights do not fit the field.
        """
        check_query(query, weights, self.vectors.shape[2])
        every = (np.arange(self.offsets[row], self.offsets[row + 1]) for row in rows)
        return [weighted(weights, self._similarity([query], items)[0]) for items in every]

    def item_vectors(self, rows: Sequence[int]) -> list[Vectors]:
        """Return, for each row, (items, tokens, width) its vectors."""
        edges = self.offsets.tolist()
        return [self.vectors[:, edges[row] : edges[row + 1]].transpose(1, 0, 2) for row in rows]

    def _items_of(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the items of some rows, and where each row's begin among them."""
        sizes = self.offsets[rows + 1] - self.offsets[rows]
        starts = np.cumsum(sizes) - sizes
        return np.arange(sizes.sum()) + np.repeat(self.offsets[rows] - starts, sizes), starts

    def _best_of_all(self, queries: Sequence[Vectors]) -> list[Vectors]:
        """Return, for each query, (parts, units that have items) the similarity of a unit's best item."""
        found = [np.empty(0, np.float32)] * len(queries)
        for shape in {query.shape for query in queries}:
            alike = [place for place, query in enumerate(queries) if query.shape == shape]
            every = self._similarity([queries[place] for place in alike])
            for place, similarity in zip(alike, every, strict=True):
                found[place] = best_of(similarity, self.offsets[self._there])
        return found

    def _similarity(
        self, queries: Sequence[Vectors], items: NDArray[np.int64] | None = None
    ) -> list[Vectors]:
        """Return, for each query, (parts, items) MaxSim divided by the number of query tokens.

        Vectors are read from memory once for all queries, each of which is multiplied for itself, in blocks
        that depend on nothing else: so no bit of its scores depends on the others.

        Args:
            queries: of one shape.
            items: those to score; None: all.
        """
        parts, query_tokens, width = queries[0].shape
        every = [np.ascontiguousarray(query.reshape(-1, width).T, np.float32) for query in queries]
        tokens, count = len(self.vectors), self.vectors.shape[1] if items is None else len(items)
        found = [np.empty((parts, count), np.float32) for _ in queries]
        products_each = parts * query_tokens * width
        block = max(8, _UNSHARED // products_each)

        def scan(first: int, last: int) -> None:
            products = np.empty((tokens, min(block, count), parts * query_tokens), np.float32)
            for start in range(first * block, min(last * block, count), block):
                end = min(start + block, count)
                vectors = self.vectors[:, start:end] if items is None else self.vectors[:, items[start:end]]
                for asked, similarity in zip(every, found, strict=True):
                    _multiply(vectors, asked, out=products[:, : end - start])
                    best = _largest(products[:, : end - start]).reshape(-1, parts, query_tokens)
                    similarity[:, start:end] = best.mean(axis=2).T if query_tokens > 1 else best[:, :, 0].T

        workers = workers_for(len(queries) * products_each * tokens * count)
        shared_out(scan, -(-count // block), workers=workers)
        return found


def weighted(weights: Vectors, by_part: Vectors) -> Vectors:
    """Return (n,) the sum over the parts of (parts, n), each times its weight (parts,)."""
    total: Vectors = by_part[0] * np.float32(weights[0])
    for weight, of_part in zip(weights[1:], by_part[1:], strict=True):
        total += of_part * np.float32(weight)
    return total


def best_of(similarity: Vectors, starts: NDArray[np.int64]) -> Vectors:
    """Return (parts, units) the highest of each unit's items (parts, items), which begin at `starts`."""
    if len(starts) == similarity.shape[1]:
        return similarity
    best: Vectors = np.maximum.reduceat(similarity, starts, axis=1)
    return best


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


def _largest(products: Vectors) -> Vectors:
    """Return the largest along axis 0 of (tokens, items, n)."""
    largest: Vectors = products[0] if len(products) == 1 else products.max(axis=0)
    return largest
