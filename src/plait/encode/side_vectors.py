"""Vectors of many queries or documents in a file that grows a chunk at a time, and outlives a kill."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.data.training.examples import Side

CHUNK = 256  # sides that are written together, or not at all

TEXT, IMAGE, BOTH = 0, 1, 2  # what a side is of; see `kind_of`
WHOLE, WITHOUT_PICTURE, NOTHING = 0, 1, 2  # what could be read of a side

_SIDE = np.dtype([("tokens", "<i4"), ("state", "<i4"), ("content", "<u8")])
_NUMBER = np.dtype("<f2")


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a model made of a side.

    Attributes:
        vectors: (n, d) float16; n is 0 where nothing could be read.
        state: WHOLE; WITHOUT_PICTURE, which could not be opened; or NOTHING.
        content: a hash of the words and of the picture's bytes.
    """

    vectors: NDArray[np.float16]
    state: int
    content: int


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of N sides, on disk.

    Attributes:
        numbers: (T, d) of all sides, one after another; a memory map.
        starts: (N + 1,) where each side's begin.
        states: (N,) as of `Encoded`.
        contents: (N,) as of `Encoded`.
    """

    numbers: NDArray[np.float16]
    starts: NDArray[np.int64]
    states: NDArray[np.int32]
    contents: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.states)

    def of(self, side: int) -> NDArray[np.float16]:
        """Return (n, d)."""
        return self.numbers[self.starts[side] : self.starts[side + 1]]

    @property
    def damaged(self) -> int:
        """How many sides had a picture that could not be opened, or nothing that the model reads."""
        return int(np.count_nonzero(self.states))


class VectorFile:
    """Vectors on their way to disk: two files, whose whole chunks stay whatever happens.

    Args:
        folder: there already.
        name: what the files are called.
        width: d.
        total: N, how many sides there will be.

    Raises:
        OSError: they cannot be read or written.
    """

    def __init__(self, folder: Path, name: str, *, width: int, total: int) -> None:
        self._numbers, self._sides = folder / f"{name}.vectors", folder / f"{name}.sides"
        self._width, self._total = width, total
        for file in (self._numbers, self._sides):
            if not file.exists():
                file.touch()
        self._forget_half_chunks()

    def __len__(self) -> int:
        return self._sides.stat().st_size // _SIDE.itemsize

    def append(self, sides: Sequence[Encoded]) -> None:
        """Add a chunk: `CHUNK` sides, or fewer as the last."""
        rows = np.zeros(len(sides), dtype=_SIDE)
        for row, side in zip(rows, sides, strict=True):
            row["tokens"], row["state"], row["content"] = len(side.vectors), side.state, side.content
        numbers = np.concatenate([side.vectors for side in sides]).astype(_NUMBER)
        # In this order: sides that are listed have their vectors on disk.
        _append(self._numbers, numbers.tobytes())
        _append(self._sides, rows.tobytes())

    def read(self) -> Vectors:
        """Return all that was added."""
        sides = np.fromfile(self._sides, dtype=_SIDE)
        starts = np.concatenate([[0], np.cumsum(sides["tokens"], dtype=np.int64)])
        shape = (int(starts[-1]), self._width)
        numbers: Any = (
            np.memmap(self._numbers, dtype=_NUMBER, mode="r", shape=shape)
            if shape[0]
            else np.zeros(shape, _NUMBER)
        )
        return Vectors(numbers, starts, sides["state"].copy(), sides["content"].copy())

    def _forget_half_chunks(self) -> None:
        """Cut off what a killed process had not finished."""
        sides = np.fromfile(self._sides, dtype=_SIDE)
        whole = len(sides) if len(sides) == self._total else len(sides) - len(sides) % CHUNK
        stored = self._numbers.stat().st_size // (self._width * _NUMBER.itemsize)
        if stored < sides["tokens"][:whole].sum(dtype=np.int64):
            whole = 0  # a disk that lost what it had confirmed
        tokens = int(sides["tokens"][:whole].sum(dtype=np.int64))
        _cut(self._sides, whole * _SIDE.itemsize)
        _cut(self._numbers, tokens * self._width * _NUMBER.itemsize)


def kind_of(side: Side) -> int:
    """Return what a side is of: TEXT, IMAGE or BOTH."""
    if not side.image:
        return TEXT
    return BOTH if side.text.strip() else IMAGE


def _cut(file: Path, size: int) -> None:
    if file.stat().st_size != size:
        os.truncate(file, size)


def _append(file: Path, data: bytes) -> None:
    with file.open("ab") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
