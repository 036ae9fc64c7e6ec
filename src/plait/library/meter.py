"""How far an `add` is: told file by file, and within what takes long."""

from __future__ import annotations

from dataclasses import replace

from plait.library.reports import Progress, ProgressCallback


class Meter:
    """Adds up what is done.

    Args:
        tell: called after each step; None tells nobody.
        total, bytes_total: how many files there are in all, and their size.
    """

    def __init__(self, tell: ProgressCallback | None = None, *, total: int = 0, bytes_total: int = 0) -> None:
        self._tell = tell
        self._at = Progress(0, total, "", 0, bytes_total, 0)

    def advance(self, source: str, *, files: int = 0, size: int = 0, pages: int = 0) -> None:
        """Add what was done; `source` is what it was done to."""
        at = self._at
        self._at = replace(
            at, done=at.done + files, source=source, bytes_done=at.bytes_done + size, pages=at.pages + pages
        )
        if self._tell is not None:
            self._tell(self._at)
