"""Who did what, and when: one line a request, for the owner to read.

.plait/audit/
├── audit.jsonl     a JSON object a line, about in the order in which answers ended
├── audit.1.jsonl   the lines before those, and so on
└── lock

It tells names of keys, routes, ids and sizes; never a token or key, a query, or what a document says.
A request never waits for it, and never fails for it: lines are written by a thread of their own, and what
the disk does not take is counted and dropped.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

FOLDER = "audit"
_NAME = "audit"
_MOST_WAITING = 10_000
_MOST_AT_ONCE = 500
_GATHERING = 0.2  # seconds that a line may wait for others: locking and opening the file is most of the work
_LONGEST_ID = 200
_MOST_IDS = 50

_log = logging.getLogger("plait.serve")


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, as it is told.

    Attributes:
        key: name of the caller's key; "" where nobody knows who it was.
        tenant: whose documents it was about.
        address: where it came from.
        method: of HTTP.
        route: the route's template, as "/units/{unit_id}/page"; "" where there is none.
        status: of the answer.
        ids: documents, units, jobs it was about.
        bytes_in, bytes_out: of the bodies.
        seconds: from its head to the end of its answer.
    """

    key: str
    tenant: str
    address: str
    method: str
    route: str
    status: int
    ids: tuple[str, ...]
    bytes_in: int
    bytes_out: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, stamped with the time."""
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "key": self.key,
            "tenant": self.tenant,
            "address": self.address,
            "method": self.method[:20],
            "route": self.route,
            "status": self.status,
            "ids": [one[:_LONGEST_ID] for one in self.ids[:_MOST_IDS]],
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "seconds": round(self.seconds, 4),
        }


class Audit:
    """The audit log of one library.

    Args:
        folder: the `.plait` folder.
        max_bytes: a file that has reached this size is set aside.
        kept: files set aside that are kept; the oldest goes first.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 10_000_000, kept: int = 9) -> None:
        self._folder = folder / FOLDER
        self._max_bytes = max_bytes
        self._kept = kept
        self._waiting: deque[dict[str, Any]] = deque()
        self._are_some = threading.Event()
        self._is_over = threading.Event()
        self._dropped = 0
        self._writer: threading.Thread | None = None

    def note(self, entry: Entry) -> None:
        """Take a line; it is on its way to the disk when this returns."""
        if self._writer is None:
            self._is_over.clear()
            self._writer = threading.Thread(target=self._write_all, name="plait-audit", daemon=True)
            self._writer.start()
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped += 1
            return
        self._waiting.append(entry.to_dict())
        if not self._are_some.is_set():  # waking a thread that is awake costs as much as waking it
            self._are_some.set()

    def close(self) -> None:
        """Write what is waiting, and stop."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._is_over.set()
            self._are_some.set()
            writer.join(5)

    def _write_all(self) -> None:
        """Write lines as they come, many at a time where they come fast, until it is over."""
        is_over = False
        while not is_over:
            self._are_some.wait()
            is_over = self._is_over.wait(_GATHERING)
            self._are_some.clear()  # before they are taken, so that none is missed that comes meanwhile
            while self._waiting:
                most = min(len(self._waiting), _MOST_AT_ONCE)
                self._write([self._waiting.popleft() for _ in range(most)])

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        dropped, self._dropped = self._dropped, 0
        told = [*rows, {"dropped": dropped}] if dropped else rows
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in told)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with FileLock(self._folder / "lock", timeout=10):  # another process may serve the library too
                self._append(lines.encode("utf-8", "backslashreplace"))
        except OSError as error:  # filelock's Timeout is one
            self._dropped += dropped + len(rows)
            _log.error("the audit log cannot be written: %s", error)

    def _append(self, lines: bytes) -> None:
        file = self._file(0)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(file, flags, 0o600)
        with os.fdopen(handle, "ab") as opened:
            opened.write(lines)
            is_full = opened.tell() >= self._max_bytes
        if is_full:
            for number in range(self._kept, 0, -1):
                if (older := self._file(number - 1)).exists():
                    older.replace(self._file(number))

    def _file(self, number: int) -> Path:
        return self._folder / (f"{_NAME}.{number}.jsonl" if number else f"{_NAME}.jsonl")
