"""Rows of a table that may be damaged, read in another process that may die of it."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plait.errors import LibraryError
from plait.library.row_reader import FAILED, asked, opened

_ROWS = 512  # read at a time; a unit is some ten kilobytes
_SECONDS = 120.0  # without a byte of an answer
_DEATHS = 100  # a new process costs a second; after so many, what cannot be read is not narrowed down


class UnreadableError(LibraryError):
    """Some rows cannot be read."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table.

    Attributes:
        rows: the cells of those that can be read, with "_rowid"; None where that is none.
        unreadable: row ids of the others.
        reason: why those cannot be read.
    """

    rows: pa.Table | None
    unreadable: tuple[int, ...] = ()
    reason: str = ""


class GuardedRows:
    """One version of a library's table. Use it in a `with` statement.

    Args:
        store: the folder of the database.
        trusted: its files are known to be whole: rows are read in this process, which saves the start of
            another.
    """

    def __init__(self, store: Path, *, trusted: bool = False) -> None:
        self._store = store
        self._trusted = trusted
        self._table: Any = None
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0

    def ids(self) -> NDArray[np.uint64]:
        """Return the ids of all rows.

        Raises:
            UnreadableError: the table cannot be opened.
        """
        found: NDArray[np.uint64] = self._ask(None, ["_rowid"])["_rowid"].to_numpy()
        return np.sort(found)

    def chunks(self, ids: NDArray[np.uint64]) -> Iterator[Chunk]:
        """Yield rows, some hundred at a time, in the order of their ids, with all columns."""
        for begin in range(0, len(ids), _ROWS):
            yield from self._narrowed(ids[begin : begin + _ROWS].tolist())

    def take(self, ids: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Return some rows, with "_rowid".

        Raises:
            UnreadableError: one of them cannot be read.
        """
        return self._ask(list(ids), None if columns is None else list(columns))

    @property
    def is_weary(self) -> bool:
        """Whether so many processes have died that no more is tried for a single row."""
        return self._deaths > _DEATHS

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def __enter__(self) -> GuardedRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _narrowed(self, ids: list[int]) -> Iterator[Chunk]:
        """Yield rows; where they cannot be read together, each half on its own."""
        try:
            yield Chunk(self.take(ids))
        except UnreadableError as error:
            if len(ids) == 1 or self.is_weary:
                yield Chunk(None, tuple(ids), str(error))
            else:
                middle = len(ids) // 2
                yield from self._narrowed(ids[:middle])
                yield from self._narrowed(ids[middle:])

    def _ask(self, ids: list[int] | None, columns: list[str] | None) -> pa.Table:
        return self._read(ids, columns) if self._trusted else self._asked(ids, columns)

    def _read(self, ids: list[int] | None, columns: list[str] | None) -> pa.Table:
        try:
            self._table = self._table or opened(self._store)
            return asked(self._table, rows=ids, columns=columns)
        except (OSError, RuntimeError, ValueError, pa.ArrowException) as error:
            raise UnreadableError(f"{type(error).__name__}: {error}".splitlines()[0][:200]) from error

    def _asked(self, ids: list[int] | None, columns: list[str] | None) -> pa.Table:
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"rows": ids, "columns": columns}).encode() + b"\n")
            process.stdin.flush()
            size = int.from_bytes(self._received(8), "little")
            answer = self._received(size & ~FAILED)
        except OSError as error:
            self._deaths += 1
            self.close()
            raise UnreadableError(f"LanceDB broke down reading it ({error})") from error
        if size & FAILED:
            raise UnreadableError(answer.decode("utf-8", "replace"))
        with pa.ipc.open_stream(answer) as stream:
            return stream.read_all()

    def _received(self, size: int) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        pieces: list[bytes] = []
        while (left := size - sum(map(len, pieces))) > 0:
            if not select.select([self._process.stdout], [], [], _SECONDS)[0]:
                raise TimeoutError(f"no answer for {_SECONDS:.0f} s")
            piece = self._process.stdout.read1(left)  # type: ignore[attr-defined]
            if not piece:
                raise BrokenPipeError("it ended")
            pieces.append(piece)
        return b"".join(pieces)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            script = str(Path(__file__).with_name("row_reader.py"))
            command: list[Any] = [sys.executable, "-P", script, str(self._store)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process
