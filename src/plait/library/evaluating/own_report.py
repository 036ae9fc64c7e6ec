"""What a library's own questions showed, as lines for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from plait.evaluation.intervals import Interval
from plait.evaluation.recommending import Recommendation
from plait.evaluation.report import Report
from plait.library.evaluating.own import OwnEvaluation

_MEASURES = {"mrr": "mean reciprocal rank", "success@10": "answered among the first ten"}


def to_text(own: OwnEvaluation) -> str:
    """Return tables of every system by kind, what could not be asked, and what is recommended."""
    parts = [_looked_at(own)]
    for measure, title in _MEASURES.items():
        parts.append("\n".join((f"{title} x 100", *_aligned(list(_rows(own, measure))))))
    parts.append("± half of the 95 % interval over questions; - where a system cannot be asked")
    parts += [f"{kind}: {why}" for kind, why in own.questions.short.items()]
    if own.grouped_by == "stretch" and own.recommendation.tried:
        parts.append("documents are few: neighbouring sections stand for one where questions are halved")
    parts.append(recommendation_text(own.recommendation))
    return "\n\n".join(parts) + "\n"


def to_dict(own: OwnEvaluation) -> dict[str, Any]:
    """Return the JSON form."""
    advice = own.recommendation
    return {
        **own.evaluation.to_dict(),
        "looked_at": dict(own.looked_at),
        "short": dict(own.questions.short),
        "seconds": dict(own.seconds),
        "recommendation": {
            **asdict(advice),
            "settings": advice.best.settings if advice.best else None,
            "grouped_by": own.grouped_by,
        },
    }


def recommendation_text(advice: Recommendation) -> str:
    """Return what to do, and what speaks for it."""
    if advice.candidate is None or advice.gain is None:
        return f"Keep the lanes, weights and method that search has: {advice.reason}."
    said = (
        f"{advice.reason}: mean reciprocal rank x 100 {_signed(advice.gain)} on {advice.confirmed_on} "
        f"questions; chosen from {advice.tried} ways to combine lanes on {advice.chosen_on} others "
        f"(kinds: {', '.join(advice.kinds)})"
    )
    if advice.best is None:
        return (
            "Keep the lanes, weights and method that search has. The best of the others, "
            f"{advice.candidate}: {said}."
        )
    return f"Recommended: {advice.best}: {said}. Put into .plait/settings.toml:\n\n{advice.best.settings}"


def _looked_at(own: OwnEvaluation) -> str:
    seen = own.looked_at
    share = "all" if seen["units"] == seen["of units"] else f"{100 * seen['units'] / seen['of units']:.0f} %"
    return (
        f"{len(own.questions.asked):,} questions made from {seen['documents']:,} of {seen['of documents']:,} "
        f"documents, {seen['units']:,} of {seen['of units']:,} sections and pages ({share}). Sentences, "
        "captions and headings that are asked for, and the figures of figure+sentence, are taken out of a "
        "copy of the index; the library is as it was"
    )


def _rows(own: OwnEvaluation, measure: str) -> Iterator[list[str]]:
    """Yield the kinds, how many questions each has, and a row for each system."""
    kinds = own.evaluation.model.kinds
    yield ["", *(kind.kind for kind in kinds)]
    yield ["questions", *(str(kind.queries) for kind in kinds)]
    for name, report in own.evaluation.systems.items():
        yield [name, *_cells(report, measure)]


def _cells(report: Report, measure: str) -> Iterator[str]:
    for kind in report.kinds:
        found = kind.values.get(measure)
        yield "-" if found is None else f"{100 * found.mean:.1f} ±{50 * (found.high - found.low):.1f}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows as lines; the first column stands left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        others = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join((name.ljust(widths[0]), *others))


def _signed(gain: Interval) -> str:
    return f"{100 * gain.mean:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
