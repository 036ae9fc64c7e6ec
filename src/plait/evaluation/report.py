"""What an evaluation found, as values, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from plait.evaluation.intervals import Interval
from plait.schema import Run


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one query took, in milliseconds: the median, and what 95 and 99 in a hundred stay under."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class KindReport:
    """The queries of one kind.

    Attributes:
        queries: how many were judged.
        values: measure -> its mean over them, with a 95 % interval.
        latency_ms: None when the answers came from a file.
    """

    kind: str
    queries: int
    values: Mapping[str, Interval]
    latency_ms: Latency | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How well a collection was answered.

    Attributes:
        kinds: in the order of the collection; where there are several, "all" is the last.
        per_query: query id -> measure -> value.
        run: what was answered.
        failed: query id -> why it could not be asked; each scored 0.
        unjudged: queries left out because nothing is relevant to them.
        seed: of the intervals.
    """

    collection: str
    kinds: tuple[KindReport, ...]
    per_query: Mapping[str, Mapping[str, float]]
    run: Run
    failed: Mapping[str, str]
    unjudged: int
    seed: int

    def of(self, kind: str) -> KindReport:
        """Return the report of one kind.

        Raises:
            KeyError: there are no such queries.
        """
        found = {report.kind: report for report in self.kinds}
        if kind not in found:
            raise KeyError(f"no queries of the kind {kind!r}: there are {', '.join(found)}")
        return found[kind]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, without the run: `runs.write_run` keeps that."""
        return {
            "collection": self.collection,
            "kinds": [asdict(report) for report in self.kinds],
            "per_query": {query: dict(values) for query, values in self.per_query.items()},
            "failed": dict(self.failed),
            "unjudged": self.unjudged,
            "seed": self.seed,
        }

    def to_markdown(self) -> str:
        """Return a table: a row for each kind, measures x 100 with intervals, latency at the end."""
        names = list(self.kinds[0].values)
        head = ["kind", "queries", *names, "median ms", "95 % ms"]
        rows = [[*_cells(report, names)] for report in self.kinds]
        return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def _cells(report: KindReport, names: list[str]) -> list[str]:
    latency = report.latency_ms
    times = ["-", "-"] if latency is None else [f"{latency.p50:.0f}", f"{latency.p95:.0f}"]
    return [report.kind, str(report.queries), *(str(report.values[name]) for name in names), *times]
