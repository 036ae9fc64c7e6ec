"""An evaluation as a person reads it: a page of Markdown, or lines on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from plait.data.collections.problems import summary
from plait.evaluation.intervals import Interval
from plait.evaluation.report import KindReport, Report

if TYPE_CHECKING:
    from plait.evaluation.manifest import Manifest
    from plait.evaluation.stored import Evaluation

_LONGEST_NAME = 26


def to_markdown(evaluation: Evaluation) -> str:
    """Return a page: all systems beside each other for each kind of query, and what they come from."""
    manifest = evaluation.manifest
    parts = [f"# {evaluation.model_name} on {evaluation.collection}", _counts(evaluation) + "."]
    for kind in evaluation.model.kinds:
        head, *rows = _table(evaluation, kind, str)
        lines = [_markdown_row(row) for row in (head, ["---"] * len(head), *rows)]
        parts += [f"## {_title(kind)}", "\n".join(lines)]
    parts += ["Means x 100 with 95 % bootstrap intervals over queries.", _latency(evaluation)]
    if said := problem_lines(evaluation):
        parts += ["## Left out", "\n".join(f"- {line}" for line in said)]
    parts += ["## Where it comes from", "\n".join(f"- {line}" for line in _origin(manifest))]
    return "\n\n".join(part for part in parts if part) + "\n"


def to_text(evaluation: Evaluation) -> str:
    """Return lines for a terminal: a table of all systems for each kind of query, and latency."""
    tables = [
        [[_title(kind), *head], *rows]
        for kind in evaluation.model.kinds
        for (_, *head), *rows in [_table(evaluation, kind, _brief)]
    ]
    widths = [max(map(len, column)) for column in zip(*(row for rows in tables for row in rows), strict=True)]
    parts = [f"{evaluation.collection}: {_counts(evaluation)}"]
    parts += ["\n".join(_aligned(row, widths) for row in rows) for rows in tables]
    parts.append(
        "means x 100 with 95 % intervals over queries; - where a system is not made for such queries"
    )
    return "\n\n".join(parts) + "\n" + _latency(evaluation)


def problem_lines(evaluation: Evaluation) -> list[str]:
    """Return what was left out: lines that say how much of each sort, and the first places."""
    lines = summary(evaluation.problems).replace("\n    at ", ", at ").splitlines()
    model = evaluation.model
    if model.unjudged:
        lines.append(f"{_number(model.unjudged, 'query', 'queries')} without a relevant document, not asked")
    if model.failed:
        first, why = next(iter(model.failed.items()))
        count = _number(len(model.failed), "query", "queries")
        lines.append(f"{count} that could not be asked, scored 0; the first, {first}: {why}")
    return lines


def _counts(evaluation: Evaluation) -> str:
    kinds = Counter(query.kind for query in evaluation.queries)
    each = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    return f"{_number(len(evaluation.queries), 'judged query', 'judged queries')} ({each})"


def _title(kind: KindReport) -> str:
    return f"{kind.kind} ({kind.queries:,})"


def _table(evaluation: Evaluation, kind: KindReport, cell: Callable[[Interval], str]) -> list[list[str]]:
    """Return the head and a row for each system."""
    measures = evaluation.model.measures
    rows = [
        [_shortened(name), *_cells(report, kind.kind, measures, cell)]
        for name, report in evaluation.systems.items()
    ]
    return [["system", *measures], *rows]


def _cells(
    report: Report, kind: str, measures: Sequence[str], cell: Callable[[Interval], str]
) -> Iterator[str]:
    values: Mapping[str, Interval] = next((one.values for one in report.kinds if one.kind == kind), {})
    for measure in measures:
        yield cell(values[measure]) if measure in values else "-"


def _brief(interval: Interval) -> str:
    return f"{_hundredths(interval.mean, 1)} [{_hundredths(interval.low)}, {_hundredths(interval.high)}]"


def _hundredths(value: float, digits: int = 0) -> str:
    return "100" if value == 1 else f"{100 * value:.{digits}f}"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return a row in columns, the first flush left."""
    first, *others = cells
    numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
    return "  ".join((first.ljust(widths[0]), *numbers)).rstrip()


def _latency(evaluation: Evaluation) -> str:
    taken = evaluation.model.kinds[-1].latency_ms
    if taken is None:
        return ""
    return (
        f"{_shortened(evaluation.model_name)} took {taken.p50:.0f} ms a query (median; "
        f"95 % under {taken.p95:.0f}, 99 % under {taken.p99:.0f})"
    )


def _origin(manifest: Manifest) -> Iterator[str]:
    yield f"collection `{manifest.collection}`, fingerprint `{manifest.collection_fingerprint[:16]}`"
    yield f"model `{manifest.model}`, fingerprint `{manifest.model_fingerprint[:16]}`"
    said = [f"{name} {_said(value)}" for name, value in manifest.options.items() if _is_told(name, value)]
    yield f"options: {', '.join(said)}; the rest is in manifest.json"
    yield f"seed {manifest.seed}; {manifest.seconds:.0f} s in all"
    yield f"versions: {', '.join(f'{name} {value}' for name, value in manifest.versions.items())}"
    yield f"machine: {', '.join(f'{name} {value}' for name, value in manifest.machine.items())}"
    if manifest.command:
        yield f"command: `plait {' '.join(manifest.command)}`"


def _is_told(name: str, value: object) -> bool:
    """Whether an option is worth a reader's time: what was left as it is, and settings, are not."""
    return value is not None and value is not False and not name.startswith("settings.")


def _said(value: object) -> str:
    if isinstance(value, list):
        return " + ".join(map(str, value))
    return str(value)[:16]


def _number(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else "…" + name[-(_LONGEST_NAME - 1) :]
