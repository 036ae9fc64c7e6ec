"""What scores a pool for some queries: one signal a lane, a block of candidates at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Rows = NDArray[np.int64]


class PoolLane(Protocol):
    """One signal over Q queries and a pool of N candidates.

    Attributes:
        name: "bm25", "text", "image", "image_tokens", "ret", ...
        asked: (Q,) False for queries that ask nothing of this lane: pictures of BM25, words of "image".
    """

    @property
    def name(self) -> str: ...
    @property
    def asked(self) -> NDArray[np.bool_]: ...

    def __len__(self) -> int:
        """Return N."""
        ...

    def blocks(self, queries: Rows) -> Iterator[tuple[int, Scores]]:
        """Yield where a block begins, and (queries, candidates of the block) scores, higher is better.

        Blocks go through the pool in order, without gaps. NaN where a candidate has nothing to compare;
        BM25 gives 0 where no word matches. Memory holds one block.

        Args:
            queries: which of the Q, all of them asked.
        """
        ...

    def pairs(self, query: int, candidates: Rows) -> Scores:
        """Return (candidates,) what `blocks` says of some candidates for one query."""
        ...
