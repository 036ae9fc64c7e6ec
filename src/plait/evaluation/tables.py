"""Several systems on one collection, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plait.evaluation.report import Report


def table(
    systems: Mapping[str, Report],
    *,
    kinds: Sequence[str] | None = None,
    measures: Sequence[str] | None = None,
) -> str:
    """Return a Markdown table: a row for each system, a column for each measure of each kind of query.

    Values are means x 100 with their 95 % intervals; "-" where a system is not made for any query of the
    kind, or was not asked any.

    Args:
        systems: name -> its report, all on the same queries.
        kinds: which, in this order; None: all, in the order in which the reports have them.
        measures: which, in this order; None: all that were measured.
    """
    if kinds is None:
        kinds = list(dict.fromkeys(one.kind for report in systems.values() for one in report.kinds))
    if measures is None:
        measures = list(dict.fromkeys(name for report in systems.values() for name in report.measures))
    columns = [(kind, measure) for kind in kinds for measure in measures]
    sizes = {one.kind: one.queries for report in systems.values() for one in report.kinds}
    head = ["system", *(f"{kind} ({sizes.get(kind, 0)}): {measure}" for kind, measure in columns)]
    rows = [[name, *_cells(report, columns)] for name, report in systems.items()]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, *rows)]
    return "\n".join((lines[0], "| --- " * len(head) + "|", *lines[1:]))


def _cells(report: Report, columns: Sequence[tuple[str, str]]) -> list[str]:
    values = {one.kind: one.values for one in report.kinds}
    found = [values.get(kind, {}).get(measure) for kind, measure in columns]
    return ["-" if one is None else str(one) for one in found]
