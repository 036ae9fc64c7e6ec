"""A lane of vectors on disk: late interaction, or with one vector a side the inner product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plait.encode.side_vectors import Vectors
from plait.errors import ShapeError
from plait.evaluation.pool.lanes import Rows, Scores
from plait.evaluation.pool.stores import Stores
from plait.scoring.maxsim import maxsim

_MOST_QUERIES = 4096
_QUERY_NUMBERS = 2**24  # of queries' vectors, held at a time; 64 MB
_BLOCK_NUMBERS = 2**23  # of candidates' vectors; 32 MB
_SCORES = 2**24  # of a block; 64 MB
_SIMILARITIES = 2**24  # of tokens; 64 MB


class VectorLane:
    """MaxSim divided by the number of query tokens, of vectors that stay on disk.

    A candidate may have several vectors, of windows or of tokens; of one vector a side, the score is their
    inner product, or the best window's. `blocks` adds up in single precision. `pairs` adds up in double
    precision what is stored in half: of unit vectors, such sums lose nothing, so its scores are the
    same to the last bit in any order of adding.

    Attributes:
        name, asked, at_once, slack: as of `PoolLane`.

    Args:
        queries: one without a vector asks nothing.
        candidates: one after another; each may hold many.
        rows: places in all of them that are the pool, ascending; None means all.
        asked: (Q,) which queries ask anything; None means all.
        device: of torch.

    Raises:
        ShapeError: queries and candidates differ in width.
    """

    slack = 64

    def __init__(
        self,
        name: str,
        queries: Vectors,
        candidates: Sequence[Vectors],
        *,
        rows: Rows | None = None,
        asked: NDArray[np.bool_] | None = None,
        device: str = "cpu",
    ) -> None:
        self.name = name
        self._queries, self._stores, self._device = Stores([queries]), Stores(candidates, rows), device
        if self._queries.width != self._stores.width:
            raise ShapeError(
                f"queries have {self._queries.width} dims, candidates {self._stores.width}: "
                "were both sides encoded by the same model?"
            )
        has = self._queries.counts > 0
        self.asked: NDArray[np.bool_] = has if asked is None else has & asked
        longest = int(self._queries.counts.max(initial=1))
        self.at_once = min(_MOST_QUERIES, max(1, _QUERY_NUMBERS // (longest * self._queries.width)))

    def __len__(self) -> int:
        return len(self._stores)

    def blocks(self, queries: Rows) -> Iterator[tuple[int, Tensor]]:
        counts = self._queries.counts[queries]
        asked, _ = padded(self._to_device(self._queries.read(queries)), counts)
        divisor = torch.from_numpy(counts).to(self._device)[:, None]
        size = _BLOCK_NUMBERS // self._stores.width
        for first, last in self._stores.cuts(vectors=size, sides=max(1, _SCORES // len(queries))):
            vectors = self._to_device(self._stores.read(np.arange(first, last)))
            yield first, _scored(asked, vectors, self._stores.counts[first:last]).div_(divisor)

    def pairs(self, query: int, candidates: Rows) -> Scores:
        asked = self._queries.read(np.array([query])).astype(np.float64)
        vectors = self._stores.read(candidates).astype(np.float64)
        counts = self._stores.counts[candidates]
        has = counts > 0
        scores = np.full(len(candidates), np.nan)
        if has.any():
            begins = (np.cumsum(counts) - counts)[has]
            scores[has] = np.maximum.reduceat(asked @ vectors.T, begins, axis=1).sum(0) / len(asked)
        return scores.astype(np.float32)

    def _to_device(self, numbers: NDArray[np.float16]) -> Tensor:
        return torch.from_numpy(numbers).to(self._device).float()


def padded(vectors: Tensor, counts: NDArray[np.int64]) -> tuple[Tensor, Tensor | None]:
    """Return (N, n, d) of N sides, zeros at padding; and (N, n) their mask, None where nothing is padded.

    Args:
        vectors: (T, d) of all sides, one after another.
        counts: (N,) how many each has, at least 1 of one of them.
    """
    longest = int(counts.max())
    if (counts == longest).all():
        return vectors.view(len(counts), longest, -1), None
    mask = torch.from_numpy(np.arange(longest) < counts[:, None]).to(vectors.device)
    sides = vectors.new_zeros(len(counts), longest, vectors.shape[1])
    sides[mask] = vectors
    return sides, mask


def _scored(queries: Tensor, vectors: Tensor, counts: NDArray[np.int64]) -> Tensor:
    """Return (Q, N) MaxSim; NaN for sides without a vector.

    Args:
        queries: (Q, q, d), zeros at padding.
        vectors: (T, d) of N sides, one after another.
        counts: (N,) how many each has.
    """
    scores = torch.full((len(queries), len(counts)), torch.nan, device=vectors.device)
    classes = np.ceil(np.log2(np.maximum(counts, 1)))  # of one class, padding at most doubles the vectors
    classes[counts == 0] = -1
    for one in np.unique(classes[counts > 0]):
        mine = classes == one
        if mine.all():
            _score_into(scores, queries, *padded(vectors, counts))
            continue
        of_mine = vectors[torch.from_numpy(np.repeat(mine, counts)).to(vectors.device)]
        some = scores.new_empty(len(queries), int(mine.sum()))
        _score_into(some, queries, *padded(of_mine, counts[mine]))
        scores[:, torch.from_numpy(mine).to(vectors.device)] = some
    return scores


def _score_into(scores: Tensor, queries: Tensor, sides: Tensor, mask: Tensor | None) -> None:
    """Write (Q, N) MaxSim, as many queries at a time as memory is meant for."""
    at_once = max(1, _SIMILARITIES // (queries.shape[1] * sides.shape[0] * sides.shape[1]))
    for start in range(0, len(queries), at_once):
        scores[start : start + at_once] = maxsim(queries[start : start + at_once], sides, mask)
