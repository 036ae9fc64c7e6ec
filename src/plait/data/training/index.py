"""Documents of JSONL files found by their ids, without the documents in memory."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from plait.data.training.examples import BadRow
from plait.data.training.fields import id_of
from plait.data.training.lines import Row, json_rows, parsed
from plait.errors import InputError

_SHOWN_PROBLEMS = 1000


class LineIndex:
    """Knows where in JSONL files the row of each id begins.

    Holds 16 bytes of memory a row, and some 50 while it is made; making it reads the files once.

    Attributes:
        problems: lines without an id, and ids of an earlier, different row, of which the first counts;
            no more than the first 1000.

    Args:
        files: read in order.
        key: the field that holds the id, compared as a string.
    """

    def __init__(self, files: Sequence[Path], *, key: str) -> None:
        self._files = tuple(files)
        self._key = key
        self._starts = array("Q")  # of each file, among the bytes of all
        self.problems: list[BadRow] = []
        hashes, offsets = array("Q"), array("Q")
        begin = 0
        for file in self._files:
            self._starts.append(begin)
            for name, offset in self._named(json_rows(file)):
                hashes.append(_hash(name))
                offsets.append(begin + offset)
            begin += file.stat().st_size + 1
        order = np.argsort(np.frombuffer(hashes, dtype=np.uint64), kind="stable")
        self._hashes: NDArray[np.uint64] = np.frombuffer(hashes, dtype=np.uint64)[order]
        self._offsets: NDArray[np.uint64] = np.frombuffer(offsets, dtype=np.uint64)[order]
        self._note_repeated()

    def __len__(self) -> int:
        return len(self._hashes)

    @contextmanager
    def reading(self) -> Iterator[LineReader]:
        """Give a reader of the rows; the files are open meanwhile."""
        with ExitStack() as stack:
            yield LineReader(self, [stack.enter_context(file.open("rb")) for file in self._files])

    def rows(self, streams: Sequence[BinaryIO], name: str) -> Iterator[Row]:
        """Yield the rows that have an id, in the files' order.

        Args:
            streams: the files, open.
        """
        wanted = np.uint64(_hash(name))
        first = int(np.searchsorted(self._hashes, wanted))
        last = int(np.searchsorted(self._hashes, wanted, side="right"))
        for position in range(first, last):
            row = self._row(streams, int(self._offsets[position]))
            if id_of(row.values, self._key) == name:  # else another id of the same hash
                yield row

    def _row(self, streams: Sequence[BinaryIO], offset: int) -> Row:
        number = bisect_right(self._starts, offset) - 1
        stream, begin = streams[number], offset - self._starts[number]
        stream.seek(begin)
        return Row(f"{self._files[number]}:byte {begin}", parsed(stream.readline()), begin)

    def _named(self, rows: Iterable[Row | BadRow]) -> Iterator[tuple[str, int]]:
        """Yield the id and the offset of each row; note what has none."""
        for row in rows:
            if isinstance(row, BadRow):
                self._note(row)
                continue
            try:
                name = id_of(row.values, self._key)
            except InputError as error:
                self._note(BadRow(row.place, str(error)))
            else:
                yield name, row.offset

    def _note(self, problem: BadRow) -> None:
        if len(self.problems) < _SHOWN_PROBLEMS:
            self.problems.append(problem)

    def _note_repeated(self) -> None:
        """Note rows that differ from an earlier one of the same id."""
        twice = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        with self.reading() as reader:
            for hashed in np.unique(self._hashes[twice])[:_SHOWN_PROBLEMS]:
                first = int(np.searchsorted(self._hashes, hashed))
                name = id_of(self._row(reader.streams, int(self._offsets[first])).values, self._key)
                kept, *others = self.rows(reader.streams, name)
                for other in others:
                    if other.values != kept.values:
                        reason = f"the id {name!r} is that of an earlier, different row, which counts"
                        self._note(BadRow(other.place, reason))


class LineReader:
    """Reads rows of an index while its files are open."""

    def __init__(self, index: LineIndex, streams: Sequence[BinaryIO]) -> None:
        self.index = index
        self.streams = streams

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the first row of an id; None where there is none.

        Raises:
            InputError: the file has changed since it was indexed.
        """
        return next((row.values for row in self.index.rows(self.streams, name)), None)


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
