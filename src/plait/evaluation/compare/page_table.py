"""The table of a report as HTML: every kind and measure, with the interval drawn."""

from __future__ import annotations

from collections.abc import Sequence

from plait.evaluation.compare.comparing import Row
from plait.evaluation.compare.page_cards import words
from plait.evaluation.compare.wording import hundredths, p_value, signed
from plait.evaluation.intervals import Interval

_NAMES = ("kind", "measure")
_NUMBERS = ("queries", "A", "B", "B - A", "95 % interval", "", "p", "Holm", "wins / ties / losses")
_SIGNIFICANT = 0.05  # after Holm's correction: coloured


def table_html(rows: Sequence[Row]) -> str:
    """Return a heading and a table, the rows of a kind together."""
    names = "".join(f'<th class="name">{name}</th>' for name in _NAMES)
    numbers = "".join(f"<th>{name}</th>" for name in _NUMBERS)
    largest = max(abs(bound) for row in rows for bound in (row.difference.low, row.difference.high))
    bodies = "".join(
        f'<tbody class="kind">{"".join(_row(row, largest) for row in rows if row.kind == kind)}</tbody>'
        for kind in dict.fromkeys(row.kind for row in rows)
    )
    head = f"<thead><tr>{names}{numbers}</tr></thead>"
    return f'<h2>All measures</h2>\n<div class="wide"><table>{head}{bodies}</table></div>\n'


def _row(row: Row, largest: float) -> str:
    difference = row.difference
    way = "" if row.corrected > _SIGNIFICANT else "worse" if difference.mean < 0 else "better"
    cells = (
        difference.count,
        hundredths(row.a),
        hundredths(row.b),
        f'<strong class="{way}">{signed(difference.mean)}</strong>',
        f"{signed(difference.low)} to {signed(difference.high)}",
        _bar(difference, largest, way),
        words(p_value(row.p)),
        words(p_value(row.corrected)),
        f"{row.wins} / {row.ties} / {row.losses}",
    )
    names = "".join(f'<td class="name">{words(name)}</td>' for name in (row.kind, row.measure))
    return f"<tr>{names}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def _bar(interval: Interval, largest: float, way: str) -> str:
    """Return a drawing of an interval: 0 in the middle, `largest` at both edges."""
    scale = 70 / largest if largest else 0
    low, mean, high = (75 + scale * value for value in (interval.low, interval.mean, interval.high))
    return (
        f'<svg viewBox="0 0 150 18" class="{way}" aria-hidden="true">'
        '<line class="axis" x1="75" y1="0" x2="75" y2="18"/>'
        f'<line class="bounds" x1="{low:.1f}" y1="9" x2="{high:.1f}" y2="9"/>'
        f'<circle class="mean" cx="{mean:.1f}" cy="9" r="4"/></svg>'
    )
