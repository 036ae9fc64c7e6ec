"""A collection on disk: documents, queries, a filter, and how near the tenth nearest document is.

    documents.npy   (N, tokens, width) float16, unit length
    added.npy       (1000, tokens, width) more of the same, for measuring what adding them takes
    queries.npy     (Q, tokens, width) float32, unit length
    groups.npy      (N,) uint8 in 0..49: "group = g" lets 2 % of the documents through
    truth.npy       (2, Q) float32, the score of the tenth nearest document: of all, and within the filter
    sizes.json      what was asked for; written last

The filter of query q is "group = q mod 50". Only NumPy is needed here: engines read it in environments of
their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GROUPS = 50
K = 10


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection, its arrays mapped, not read."""

    folder: Path

    @property
    def documents(self) -> NDArray[np.float16]:
        return self._mapped("documents")

    @property
    def added(self) -> NDArray[np.float16]:
        return self._mapped("added")

    @property
    def queries(self) -> NDArray[np.float32]:
        return self._mapped("queries")

    @property
    def groups(self) -> NDArray[np.uint8]:
        return self._mapped("groups")

    @property
    def tenth(self) -> NDArray[np.float32]:
        """(2, Q) the score of the tenth nearest document: of all, and within the filter."""
        return self._mapped("truth")

    @property
    def wanted(self) -> NDArray[np.uint8]:
        """(Q,) the group that each query is filtered to."""
        return (np.arange(len(self.queries)) % GROUPS).astype(np.uint8)

    def blocks(self, at_once: int) -> Iterator[tuple[int, NDArray[np.float16], list[int]]]:
        """Yield the place of the first document, (n, tokens, width) documents, and the group of each."""
        first = 0
        for block in read(self.folder / "documents.npy", at_once=at_once):
            yield first, block, self.groups[first : first + len(block)].tolist()
            first += len(block)

    def _mapped(self, name: str) -> NDArray[Any]:
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")


def write(path: Path, blocks: Iterable[NDArray[np.float16]], shape: tuple[int, ...]) -> None:
    """Write an array that comes in blocks, with the memory of one."""
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(block.tobytes())


def read(path: Path, *, at_once: int) -> Iterator[NDArray[Any]]:
    """Yield an array in blocks; read, not mapped, so that it does not count as resident memory."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, kind = np.lib.format.read_array_header_1_0(file)
        size = int(np.prod(shape[1:]))
        for first in range(0, shape[0], at_once):
            count = min(at_once, shape[0] - first)
            yield np.fromfile(file, kind, count * size).reshape(count, *shape[1:])
