"""The table of a terminal: no wider than 100 columns, whatever the names."""

from __future__ import annotations

from dataclasses import replace

from plait.evaluation.compare.comparing import Change, compare
from plait.evaluation.compare.results import Result
from plait.evaluation.compare.terminal import comparison_text
from plait.evaluation.intervals import Interval


def test_the_widest_rows_and_names_fit_in_100_columns(results: list[Result]) -> None:
    found = compare(*results, measures=["mrr"])
    row = replace(
        found.rows[0],
        kind="a kind " * 20,
        measure="pseudo-recall@500",
        a=1.0,
        b=1.0,
        difference=Interval(-1.0, -1.0, -1.0, 30000),
        wins=10000,
        ties=10000,
        losses=10000,
    )
    change = Change("a \x1b[31mquery\n" * 40, row.kind, 1.0, 0.0)
    text = comparison_text(replace(found, rows=(row,), changes={"mrr": (change,)}), by="mrr")
    assert "-100.0 [-100.0, -100.0]" in text
    assert "100.0 -> 0.0" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_each_kind_stands_above_its_rows_once(results: list[Result]) -> None:
    lines = comparison_text(compare(*results), by="mrr").splitlines()
    heads = [line for line in lines if line.endswith(" queries")]
    assert heads == ["text, 3 queries", "image, 2 queries", "all, 5 queries"]
