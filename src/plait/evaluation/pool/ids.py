"""The ids of millions of candidates in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator


class Ids:
    """N ids by place: 8 bytes each and their own, where a string of a list takes 66 and more.

    Args:
        names: in the order of the pool.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._bytes, self._ends = bytearray(), array("Q", [0])
        for name in names:
            self._bytes += name.encode("utf-8", "surrogatepass")
            self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: int) -> str:
        return self._bytes[self._ends[place] : self._ends[place + 1]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return (self[place] for place in range(len(self)))
