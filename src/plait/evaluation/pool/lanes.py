"""What scores a pool for some queries: one signal a lane, a block of candidates at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Scores = NDArray[np.float32]
Rows = NDArray[np.int64]


class PoolLane(Protocol):
    """One signal over Q queries and a pool of N candidates.

    Attributes:
        name: "bm25", "text", "image", "image_tokens", "ret", ...
        asked: (Q,) False for queries that ask nothing of this lane: pictures of BM25, words of "image".
        at_once: how many queries `blocks` best takes at a time.
        slack: how many more candidates than are wanted must be scored again by `pairs`, because `blocks`
            rounds; 0 where both say the same to the last bit.
    """

    @property
    def name(self) -> str: ...
    @property
    def asked(self) -> NDArray[np.bool_]: ...
    @property
    def at_once(self) -> int: ...
    @property
    def slack(self) -> int: ...

    def __len__(self) -> int:
        """Return N."""
        ...

    def blocks(self, queries: Rows) -> Iterator[tuple[int, Tensor]]:
        """Yield where a block begins, and (queries, candidates of the block) float32, higher is better.

        Blocks go through the pool in order, without gaps. A candidate that has nothing to compare is a
        column of NaN; BM25 gives 0 where no word matches. Memory holds one block.

        Args:
            queries: which of the Q, all of them asked.
        """
        ...

    def pairs(self, query: int, candidates: Rows) -> Scores:
        """Return (candidates,) scores of some candidates for one query; they do not depend on blocks.

        Args:
            candidates: their places in the pool, ascending.
        """
        ...
