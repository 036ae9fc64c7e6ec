"""What an evaluation found, as values, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from plait.errors import InputError
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
        values: measure -> its mean over them, with a 95 % interval; {} when the system is not made for any
            of them.
        latency_ms: None when the answers came from a file.
        unasked: how many of them the system is not made for; each counts as 0 in `values`.
    """

    kind: str
    queries: int
    values: Mapping[str, Interval]
    latency_ms: Latency | None = None
    unasked: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """How well a collection was answered.

    Attributes:
        kinds: in the order of the collection; where there are several, "all" is the last.
        per_query: query id -> measure -> value, of every judged query; 0 for one that was not asked.
        run: what was answered.
        failed: query id -> why it could not be asked; each scored 0.
        unjudged: queries left out because nothing is relevant to them.
        seed: of the intervals.
        unasked: ids of the queries that the system is not made for.
    """

    collection: str
    kinds: tuple[KindReport, ...]
    per_query: Mapping[str, Mapping[str, float]]
    run: Run
    failed: Mapping[str, str]
    unjudged: int
    seed: int
    unasked: frozenset[str] = frozenset()

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of what was measured, in order."""
        return tuple(next(iter(self.per_query.values()), {}))

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
            "unasked": sorted(self.unasked),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, run: Run | None = None) -> Report:
        """Return the report that `to_dict` gave.

        Args:
            run: what was answered, if it is at hand.

        Raises:
            InputError: `values` is not of that form.
        """
        try:
            return cls(
                collection=str(values["collection"]),
                kinds=tuple(_kind(report) for report in values["kinds"]),
                per_query={query: dict(of_query) for query, of_query in values["per_query"].items()},
                run={} if run is None else run,
                failed=dict(values["failed"]),
                unjudged=int(values["unjudged"]),
                seed=int(values["seed"]),
                unasked=frozenset(values["unasked"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"not a stored report ({error!r}): expected what Report.to_dict gives; evaluate again"
            ) from error

    def to_markdown(self) -> str:
        """Return a table: a row for each kind, measures x 100 with intervals, latency at the end."""
        head = ["kind", "queries", *self.measures, "median ms", "95 % ms"]
        rows = [[*_cells(report, self.measures)] for report in self.kinds]
        return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def _kind(values: Mapping[str, Any]) -> KindReport:
    latency = values["latency_ms"]
    return KindReport(
        kind=values["kind"],
        queries=values["queries"],
        values={name: Interval(**interval) for name, interval in values["values"].items()},
        latency_ms=None if latency is None else Latency(**latency),
        unasked=values["unasked"],
    )


def _cells(report: KindReport, names: Sequence[str]) -> list[str]:
    latency = report.latency_ms
    times = ["-", "-"] if latency is None else [f"{latency.p50:.0f}", f"{latency.p95:.0f}"]
    found = [str(report.values[name]) if report.values else "-" for name in names]
    return [report.kind, str(report.queries), *found, *times]
