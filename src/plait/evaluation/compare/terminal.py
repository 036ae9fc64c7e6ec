"""A comparison, or one result alone, as text for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Sequence

from plait.evaluation.compare.comparing import Change, Comparison, Row
from plait.evaluation.compare.standing import Standing
from plait.evaluation.compare.wording import hundredths, p_value, signed

_HEAD = ("measure", "A", "B", "B - A [95 % interval]", "p", "Holm", "win/tie/loss")
_HEAD_OF_ONE = ("measure", "mean [95 % interval]")
_QUERY, _KIND = 60, 16  # characters of their names
_LISTED = 5


def comparison_text(comparison: Comparison, *, by: str) -> str:
    """Return the names, the table, and the queries that lost and won most by one measure."""
    rows = comparison.rows
    lines = [f"A  {comparison.a.name}", f"B  {comparison.b.name}", ""]
    kinds = [(row.kind, row.difference.count) for row in rows]
    lines += _by_kind(_aligned([_HEAD, *map(_cells, rows)]), kinds)
    for title, changes in (("losses", comparison.losses(by)), ("wins", comparison.wins(by))):
        lines += _listed(title, by, changes)
    return "\n".join(lines)


def standings_text(name: str, standings: Sequence[Standing]) -> str:
    """Return the name of a result and its table."""
    cells = [(one.measure, str(one.value)) for one in standings]
    kinds = [(one.kind, one.value.count) for one in standings]
    return "\n".join([name, "", *_by_kind(_aligned([_HEAD_OF_ONE, *cells]), kinds)])


def _cells(row: Row) -> tuple[str, ...]:
    change = row.difference
    return (
        row.measure,
        hundredths(row.a),
        hundredths(row.b),
        f"{signed(change.mean)} [{signed(change.low)}, {signed(change.high)}]",
        p_value(row.p),
        p_value(row.corrected),
        f"{row.wins}/{row.ties}/{row.losses}",
    )


def _by_kind(lines: Sequence[str], kinds: Sequence[tuple[str, int]]) -> list[str]:
    """Return a table under headings: its head, then the lines of each kind, of so many queries.

    The kinds stand above their lines, not in a column: with long names it would be too wide.
    """
    head, *rows = lines
    under = [f"  {head}"]
    for place, (line, (kind, count)) in enumerate(zip(rows, kinds, strict=True)):
        if not place or kinds[place - 1] != (kind, count):
            under.append(f"{_cut(kind, _QUERY)}, {count} {'query' if count == 1 else 'queries'}")
        under.append(f"  {line}")
    return under


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _listed(title: str, by: str, changes: Sequence[Change]) -> list[str]:
    if not changes:
        return ["", f"no {title} by {by}"]
    which = f"the {_LISTED} greatest of {len(changes)}" if len(changes) > _LISTED else f"all {len(changes)}"
    rows = [
        (
            _cut(change.query, _QUERY),
            f"{hundredths(change.a)} -> {hundredths(change.b)}",
            _cut(change.kind, _KIND),
        )
        for change in changes[:_LISTED]
    ]
    return ["", f"{which} {title} by {by}", *(f"  {line}" for line in _aligned(rows))]


def _cut(name: str, length: int) -> str:
    """Return a name in one line, of so many characters at most, and without what would steer a terminal."""
    line = "".join(mark if mark.isprintable() else "?" for mark in " ".join(name.split()))
    return line if len(line) <= length else line[: length - 1] + "…"
