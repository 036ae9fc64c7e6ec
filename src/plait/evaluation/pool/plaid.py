"""The approximate search that published late-interaction figures were made with: centroids first, as PLAID.

Token vectors are clustered. A query looks only at candidates with a token in one of the clusters nearest to
one of its own tokens; of these, what their tokens' centroids say leaves fewer and fewer, and only the last
are scored. What the official release stores in 8 bits a number after that is here the vectors themselves in
float16, which are nearer to the truth by less than those bits can tell.

Source: Santhanam et al., PLAID (arXiv 2205.09707); widths and sizes as in ColBERT's published code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import log2, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plait.encode.side_vectors import Vectors
from plait.errors import InputError
from plait.evaluation.pool.lanes import PoolLane, Rows
from plait.evaluation.pool.searching import Top

_ROUNDS = 4
_NUMBERS = 2**24  # similarities held at a time, 64 MB
_TOKENS = 2**15  # read at a time


@dataclass(frozen=True, slots=True)
class Width:
    """How wide a search looks.

    Attributes:
        cells: clusters that each query token looks into.
        threshold: centroids that no query token is so similar to are passed over at first.
        candidates: how many are left after the first look; of these a quarter is scored.
    """

    cells: int
    threshold: float
    candidates: int

    @classmethod
    def of(cls, k: int) -> Width:
        """Return what the official search takes for k hits: more hits make it look wider."""
        if k <= 10:
            return cls(1, 0.5, 256)
        if k <= 100:
            return cls(2, 0.45, 1024)
        return cls(4, 0.4, max(4 * k, 4096))


class Plaid:
    """Clusters of the token vectors of N candidates, and who has tokens in each.

    Memory: 4 bytes a token, 4 for each candidate of each cluster, and the centroids; while it is made, the
    sampled tokens, of about 16 * sqrt(120 N) candidates, in float32.

    Args:
        candidates: stores one after another, in the pool's order.
        clusters: None: as many as the official indexer makes.
        seed: of the sample and the first centroids.
        device: of torch, for clustering.
        watch: called with how many tokens were assigned, and how many there are.

    Raises:
        InputError: no candidate has a vector.
    """

    def __init__(
        self,
        candidates: Sequence[Vectors],
        *,
        clusters: int | None = None,
        seed: int = 0,
        device: str = "cpu",
        watch: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        counts = np.concatenate([np.diff(store.starts) for store in candidates])
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        if not self._starts[-1]:
            raise InputError("no candidate has a vector: there is nothing to search")
        sample = _sampled(candidates, counts, np.random.default_rng(seed))
        wanted = clusters or partitions(len(counts), int(self._starts[-1]))
        self.centroids = _clustered(sample, wanted, seed, device)
        self._codes = self._assigned(candidates, device, watch)
        self._offsets, self._holders = self._inverted(counts)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def top(
        self, lane: PoolLane, tokens: Callable[[int], NDArray[np.float32]], queries: Rows, *, k: int
    ) -> Top:
        """Return the best k candidates that are found for some queries.

        Args:
            lane: over the same pool; gives the scores of those that are left.
            tokens: gives the (q, d) token vectors of a query.
            queries: of those that ask nothing of the lane, nothing is found.
            k: also says how wide is looked, see `Width.of`.
        """
        k = min(k, len(self))
        places = np.zeros((len(queries), k), np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        for row, query in enumerate(queries.tolist()):
            if not lane.asked[query]:
                continue
            left = np.sort(self.candidates(tokens(query), Width.of(k)))
            exact = lane.pairs(query, left)
            best = np.lexsort((left, -exact))[:k]
            places[row, : len(best)], scores[row, : len(best)] = left[best], exact[best]
        return Top(places, scores)

    def candidates(self, query: NDArray[np.float32], width: Width) -> Rows:
        """Return the candidates that a query's (q, d) tokens leave to be scored, in no order."""
        similar = query @ self.centroids.T  # (q, centroids)
        cells = min(width.cells, len(self.centroids))
        nearest = np.unique(np.argpartition(-similar, cells - 1, axis=1)[:, :cells])
        found = np.unique(
            np.concatenate([self._holders[self._offsets[c] : self._offsets[c + 1]] for c in nearest])
        ).astype(np.int64)
        if len(found) > width.candidates:
            near = similar.max(0) >= width.threshold
            found = _best(found, self._approximate(found, similar, near), width.candidates)
        if len(found) > width.candidates // 4:
            found = _best(found, self._approximate(found, similar, None), width.candidates // 4)
        return found

    def _approximate(
        self, candidates: Rows, similar: NDArray[np.float32], near: NDArray[np.bool_] | None
    ) -> NDArray[np.float32]:
        """Return (candidates,) MaxSim over the centroids of their tokens, those that are near only.

        A query token for which a candidate has no such centroid counts as wholly dissimilar, -1.
        """
        scores = np.empty(len(candidates), np.float32)
        columns = similar.T if near is None else np.where(near[:, None], similar.T, np.float32(-1))
        counts = self._starts[candidates + 1] - self._starts[candidates]
        ends = np.cumsum(counts)
        begin = 0
        while begin < len(candidates):
            seen = ends[begin - 1] if begin else 0
            most = seen + max(_NUMBERS // columns.shape[1], int(counts[begin]))
            end = int(np.searchsorted(ends, most, side="right"))
            part = slice(begin, end)
            firsts = np.concatenate([[0], np.cumsum(counts[part])[:-1]])
            where = np.arange(counts[part].sum()) + np.repeat(
                self._starts[candidates[part]] - firsts, counts[part]
            )
            best = np.maximum.reduceat(columns[self._codes[where]], firsts, axis=0)
            scores[part] = best.sum(1)
            begin = end
        return scores

    def _assigned(
        self, candidates: Sequence[Vectors], device: str, watch: Callable[[int, int], None]
    ) -> NDArray[np.int32]:
        """Return (T,) the nearest centroid of each token."""
        codes = np.empty(int(self._starts[-1]), np.int32)
        centroids, halves = _with_halves(torch.from_numpy(self.centroids).to(device))
        done = 0
        for block in _blocks(candidates):
            vectors = torch.from_numpy(block).to(device)
            codes[done : done + len(block)] = _nearest(vectors, centroids, halves).cpu().numpy()
            done += len(block)
            watch(done, len(codes))
        return codes

    def _inverted(self, counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return (centroids + 1,) offsets and the candidates that have a token in each cluster, once each."""
        owners = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        pairs = np.unique(self._codes.astype(np.int64) * len(counts) + owners)
        offsets = np.searchsorted(pairs, np.arange(len(self.centroids) + 1) * len(counts))
        return offsets, (pairs % len(counts)).astype(np.int32)


def partitions(candidates: int, tokens: int) -> int:
    """Return into how many clusters the official indexer divides so many tokens."""
    wanted: int = 2 ** int(log2(16 * sqrt(tokens)))
    return max(1, min(wanted, tokens, _sample_size(candidates) * max(1, tokens // candidates)))


def _sample_size(candidates: int) -> int:
    return min(candidates, 1 + int(16 * sqrt(120 * candidates)))


def _sampled(candidates: Sequence[Vectors], counts: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
    """Return (tokens, d) float32 of candidates at random."""
    filled = np.flatnonzero(counts)
    drawn = np.sort(rng.permutation(filled)[: _sample_size(len(counts))])
    ends = np.cumsum([len(store) for store in candidates])
    found = []
    for place in drawn.tolist():
        store = int(np.searchsorted(ends, place, side="right"))
        before = int(ends[store - 1]) if store else 0
        found.append(candidates[store].of(place - before))
    return torch.from_numpy(np.concatenate(found).astype(np.float32))


def _clustered(sample: Tensor, count: int, seed: int, device: str) -> NDArray[np.float32]:
    """Return (count, d) centroids of unit length: k-means of a few rounds, begun at tokens at random."""
    vectors = sample.to(device)
    count = min(count, len(vectors))
    order = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(seed))[:count]
    centroids = vectors[order.to(device)].clone()
    for _ in range(_ROUNDS):
        nearest = _nearest(vectors, *_with_halves(centroids))
        sums = torch.zeros_like(centroids).index_add_(0, nearest, vectors)
        members = torch.bincount(nearest, minlength=count)[:, None]
        centroids = torch.where(members > 0, sums / members.clamp(min=1), centroids)
    found: NDArray[np.float32] = torch.nn.functional.normalize(centroids, dim=1).cpu().numpy()
    return found


def _with_halves(centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Return centroids, and half of each one's squared length: x c - c c / 2 is largest at the nearest."""
    return centroids, centroids.square().sum(1) / 2


def _nearest(vectors: Tensor, centroids: Tensor, halves: Tensor) -> Tensor:
    """Return (T,) the nearest centroid of each vector."""
    at_once = max(1, _NUMBERS // len(centroids))
    parts = [vectors[start : start + at_once] for start in range(0, len(vectors), at_once)]
    return torch.cat([(part @ centroids.T - halves).argmax(1) for part in parts])


def _blocks(candidates: Sequence[Vectors]) -> Iterator[NDArray[np.float32]]:
    """Yield all tokens in order, some at a time."""
    for store in candidates:
        for start in range(0, int(store.starts[-1]), _TOKENS):
            yield np.asarray(store.numbers[start : start + _TOKENS], np.float32)


def _best(candidates: Rows, scores: NDArray[np.float32], count: int) -> Rows:
    """Return the candidates with the highest scores; of equal ones the first."""
    return candidates[np.argsort(-scores, kind="stable")[:count]]
