"""The paper's table with our rows above the published ones, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plait.evaluation.protocols.published import Column, PublishedRow, PublishedTable

_MOST_COLUMNS = 12  # of a table with a row a system; wider ones are printed with a row a column

Place = tuple[str, str, str]  # task, pool, measure


@dataclass(frozen=True, slots=True)
class OurRow:
    """What a system of ours reached.

    Attributes:
        values: (task, pool, measure) -> mean over all queries of the task, in [0, 1]; what it could not be
            asked, and what was not run, is not there.
    """

    system: str
    values: Mapping[Place, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilledTable:
    """A published table with our rows.

    Attributes:
        remarks: on our rows, such as that not all queries were asked.
    """

    published: PublishedTable
    ours: Sequence[OurRow]
    remarks: Sequence[str] = ()

    def to_markdown(self) -> str:
        """Return the table, its sources and what there is to say of it; "-" where a figure is not there."""
        table = self.published
        rows = [["system", *(column.title for column in table.columns), *self._mean_title(), "from"]]
        rows += [[row.system, *self._cells(row), *self._mean(row), "ours"] for row in self.ours]
        rows += [
            [
                row.system,
                *map(_hundredths, row.values),
                *([_hundredths(row.mean)] if table.has_mean else []),
                f"[{row.source}]",
            ]
            for row in table.rows
            if _is_told_in_full(row)
        ]
        if len(table.columns) > _MOST_COLUMNS:
            rows = [list(column) for column in zip(*rows, strict=True)]
        said = [f"[{key}] {source}" for key, source in table.sources.items()]
        title = [f"## {table.title}"] if table.title else []
        lines = "\n".join(f"- {line}" for line in (*self.remarks, *table.notes, *self._means_alone(), *said))
        return "\n\n".join([*title, _aligned(rows), lines])

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; every value in hundredths, null where it is not there."""
        table = self.published
        return {
            "title": table.title,
            "columns": [
                {"title": one.title, "task": one.task, "pool": one.pool, "measure": one.measure}
                for one in table.columns
            ],
            "ours": [
                {
                    "system": row.system,
                    "values": [_times_100(row.values.get(_place(column))) for column in table.columns],
                    "mean": _times_100(self._mean_of(row)),
                    "tasks": len(self._known(row)),
                }
                for row in self.ours
            ],
            "published": [
                {"system": row.system, "values": list(row.values), "mean": row.mean, "source": row.source}
                for row in table.rows
            ],
            "sources": dict(table.sources),
            "remarks": [*self.remarks, *table.notes],
        }

    def _cells(self, row: OurRow) -> list[str]:
        return [_hundredths(_times_100(row.values.get(_place(one)))) for one in self.published.columns]

    def _mean_title(self) -> list[str]:
        return ["mean"] if self.published.has_mean else []

    def _mean(self, row: OurRow) -> list[str]:
        """Return the cell of a row's mean, which says so where it is not over all columns."""
        if not self.published.has_mean:
            return []
        known, every = len(self._known(row)), len(self.published.columns)
        mean = _hundredths(_times_100(self._mean_of(row)))
        return [mean if known in (0, every) else f"{mean} ({known} of {every})"]

    def _means_alone(self) -> list[str]:
        """Return a sentence of the systems of which only the mean was published."""
        rows = [row for row in self.published.rows if not _is_told_in_full(row)]
        told = ", ".join(f"{row.system} {_hundredths(row.mean)} [{row.source}]" for row in rows)
        return [f"Of others the mean is known: {told}."] if rows else []

    def _mean_of(self, row: OurRow) -> float | None:
        known = self._known(row)
        return sum(known) / len(known) if known and self.published.has_mean else None

    def _known(self, row: OurRow) -> list[float]:
        return [row.values[_place(one)] for one in self.published.columns if _place(one) in row.values]


def _is_told_in_full(row: PublishedRow) -> bool:
    """Return whether more than a row's mean was published."""
    return any(value is not None for value in row.values)


def _place(column: Column) -> Place:
    return column.task, column.pool, column.measure


def _times_100(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _hundredths(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown whose columns stand under each other."""
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    ruled = [rows[0], ["-" * width for width in widths], *rows[1:]]
    padded = (
        [
            text.ljust(width) if n == 0 else text.rjust(width)
            for n, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in ruled
    )
    return "\n".join("| " + " | ".join(row) + " |" for row in padded)
