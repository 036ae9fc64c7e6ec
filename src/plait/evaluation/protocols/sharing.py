"""What searches have in common: a pool that is a part of another, and one lane for several tasks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from plait.data.collections.pools import Candidate, Pool
from plait.evaluation.pool.lanes import PoolLane, Rows, Scores


class Places:
    """Where each candidate of a large pool stands, in 16 bytes of memory each."""

    def __init__(self, pool: Pool) -> None:
        hashes = _hashes(pool)
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def of(self, pool: Pool) -> Rows | None:
        """Return (N,) the places of another pool's candidates, ascending.

        None where not all are there as they are here, or stand in another order: then the other pool must
        be encoded by itself.
        """
        wanted = _hashes(pool)
        found = np.searchsorted(self._hashes, wanted).clip(max=max(0, len(self._hashes) - 1))
        if not len(self._hashes) or not (self._hashes[found] == wanted).all():
            return None
        places = self._order[found].astype(np.int64)
        return places if bool((np.diff(places) > 0).all()) else None


class SomeQueries:
    """Implements `PoolLane` for some queries of a lane that was made for those of several tasks.

    Args:
        lane: made for all.
        first, count: which of its queries.
    """

    def __init__(self, lane: PoolLane, first: int, count: int) -> None:
        self._lane, self._first = lane, first
        self.name, self.at_once, self.slack = lane.name, lane.at_once, lane.slack
        self.asked: NDArray[np.bool_] = lane.asked[first : first + count]

    def __len__(self) -> int:
        return len(self._lane)

    def blocks(self, queries: Rows) -> Iterator[tuple[int, Tensor]]:
        """Yield blocks of scores, as of the protocol."""
        return self._lane.blocks(queries + self._first)

    def pairs(self, query: int, candidates: Rows) -> Scores:
        """Return scores of some candidates, as of the protocol."""
        return self._lane.pairs(query + self._first, candidates)


def _hashes(pool: Pool) -> NDArray[np.uint64]:
    return np.fromiter((_hash(candidate) for candidate in pool.read()), np.uint64, pool.size)


def _hash(candidate: Candidate) -> int:
    """Return a number for all of a candidate; among six million, two share one with a chance of 1e-6."""
    whole = "\0".join((candidate.id, candidate.side.text, candidate.side.image))
    told = hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(told.digest(), "little")
