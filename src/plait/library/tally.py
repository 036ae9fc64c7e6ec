"""What has happened so far in an `add`; becomes its report."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from plait.errors import ReadError
from plait.library.reports import AddReport, Failure


@dataclass(slots=True)
class Tally:
    """Counts of one `add`; see `AddReport` for what they mean."""

    started: float = field(default_factory=time.monotonic)
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    shown: int = 0
    removed: int = 0
    units: int = 0
    figures: int = 0
    tables: int = 0
    pages: int = 0
    windows: int = 0
    truncated: int = 0
    failed: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def fail(self, error: ReadError) -> None:
        """Note a file that was skipped."""
        self.failed.append(Failure(error.source, error.reason, error.remedy))

    def report(self) -> AddReport:
        """Return the report."""
        return AddReport(
            added=self.added,
            updated=self.updated,
            unchanged=self.unchanged,
            shown=self.shown,
            removed=self.removed,
            failed=tuple(self.failed),
            warnings=tuple(self.warnings),
            units=self.units,
            figures=self.figures,
            tables=self.tables,
            pages=self.pages,
            windows=self.windows,
            truncated=self.truncated,
            seconds=time.monotonic() - self.started,
        )
