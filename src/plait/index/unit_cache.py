"""What was read last of a store, kept so that a search, its next page and its explanation read it once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Generic, TypeVar

_MOST = 2048  # units; of manuals, about 20 MB

T = TypeVar("T")


class LastRead(Generic[T]):
    """Things by what names their content. Safe to use from several threads.

    Args:
        most: things that are kept; those not asked for longest go first.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[int, T] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def known(self, keys: Sequence[int]) -> dict[int, T]:
        """Return those that are here, by their keys."""
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        return found

    def keep(self, things: Mapping[int, T]) -> None:
        """Keep things by their keys."""
        with self._lock:
            self._kept.update(things)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
