"""The units that were read last, kept so that a search, its next page and its explanation read them once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock

from plait.schema import Unit

_MOST = 2048  # units; of manuals, about 20 MB


class UnitCache:
    """Units by what names their content. Safe to use from several threads.

    Args:
        most: units that are kept; those not asked for longest go first.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._units: OrderedDict[int, Unit] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._units)

    def known(self, keys: Sequence[int]) -> dict[int, Unit]:
        """Return those that are here, by their keys."""
        with self._lock:
            found = {key: self._units[key] for key in keys if key in self._units}
            for key in found:
                self._units.move_to_end(key)
        return found

    def keep(self, units: Mapping[int, Unit]) -> None:
        """Keep units by their keys."""
        with self._lock:
            self._units.update(units)
            while len(self._units) > self._most:
                self._units.popitem(last=False)
