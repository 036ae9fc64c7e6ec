"""What the terms that most items hold give each item, kept once computed."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

_OFTEN = 8  # of so many items one must hold a term; adding up whole rows of rarer ones takes longer

Impacts = NDArray[np.float32]


class FrequentImpacts:
    """The impacts of the terms that most of N items hold: the part of a score that no query changes.

    Which terms those are shows as they are asked: where there is no room, a term takes the place of one
    that fewer items hold. Safe to use from several threads, none of which waits while another computes.

    Memory: at most `most_bytes`; 4 bytes an item for each term.

    Args:
        items: N.
    """

    def __init__(self, items: int, *, most_bytes: int) -> None:
        self._most = most_bytes // (4 * max(1, items))
        self._enough = items // _OFTEN + 1 if self._most else items + 1  # so many holders, and it is kept
        self._kept: dict[int, tuple[int, Impacts]] = {}
        self._changing = Lock()

    def of(self, term: int, holders: int, impacts: Callable[[], Impacts]) -> Impacts | None:
        """Return a term's impacts; None if it is not, or not to be, among those kept.

        Args:
            holders: how many items hold it.
            impacts: returns them, computed.
        """
        kept = self._kept.get(term)
        if kept is None and holders >= self._enough:
            kept = holders, impacts()
            self._keep(term, kept)
        return kept[1] if kept else None

    def _keep(self, term: int, kept: tuple[int, Impacts]) -> None:
        with self._changing:
            self._kept[term] = kept
            rarest = min(self._kept, key=lambda one: self._kept[one][0])
            if len(self._kept) > self._most:
                self._enough = self._kept.pop(rarest)[0] + 1
