"""One accepted file, and how far the library has come with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

JobState = Literal["waiting", "adding", "added", "failed"]


@dataclass(frozen=True, slots=True)
class Job:
    """One accepted file.

    Attributes:
        id: 16 hexadecimal digits; cannot be guessed.
        name: under which it is kept.
        source: what its document is called in the library.
        bytes: its size.
        done, total, bytes_done, bytes_total, pages: progress, as in `library.Progress`; small files that are
            added together tell none.
        note: what it waits for, if not for its turn.
        reason, remedy: why it failed, and what the user can do.
        report: what became of it once it was read: ids of its "documents" (an archive or a message has
            several), how many were "added", "updated", "unchanged" or "shown" (a picture that a document of
            the library shows), their "units" and "figures", and the first hundred "failed" and "warnings",
            as in `library.AddReport`.
        created, started, ended: when, in ISO 8601, UTC; "" where it is not so far.
        breakdowns: how often whoever added it broke down.
    """

    id: str
    name: str
    source: str
    state: JobState = "waiting"
    bytes: int = 0
    done: int = 0
    total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    pages: int = 0
    note: str = ""
    reason: str = ""
    remedy: str = ""
    report: Mapping[str, Any] | None = None
    created: str = ""
    started: str = ""
    ended: str = ""
    breakdowns: int = 0

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in ("added", "failed")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def now() -> str:
    """Return the time in ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
