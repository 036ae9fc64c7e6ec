"""Reports: as JSON and back, as a table, and several systems side by side."""

from __future__ import annotations

import json

import pytest

from plait.errors import InputError
from plait.evaluation.intervals import Interval
from plait.evaluation.report import KindReport, Latency, Report
from plait.evaluation.tables import table

ALL = Interval(0.5, 0.25, 0.75, 4)
REPORT = Report(
    collection="kitchen",
    kinds=(
        KindReport("text", 2, {"mrr": Interval(1.0, 1.0, 1.0, 2)}, Latency(3.4, 5.6, 7.0)),
        KindReport("image", 2, {}, unasked=2),
        KindReport("all", 4, {"mrr": ALL}, unasked=2),
    ),
    per_query={"q1": {"mrr": 1.0}, "q2": {"mrr": 1.0}, "q3": {"mrr": 0.0}, "q4": {"mrr": 0.0}},
    run={"q1": {"d": 1.0}},
    failed={"q2": "too long"},
    unjudged=3,
    seed=7,
    unasked=frozenset({"q3", "q4"}),
)


def test_a_stored_report_is_loaded_as_it_was() -> None:
    stored = json.loads(json.dumps(REPORT.to_dict()))
    assert Report.from_dict(stored, run=REPORT.run) == REPORT
    assert Report.from_dict(stored).run == {}


@pytest.mark.parametrize(
    "damage",
    [
        {"kinds": [{"kind": "text"}]},
        {"per_query": [1]},
        {"seed": None},
        {"unasked": 3},
        {"kinds": [{**REPORT.to_dict()["kinds"][0], "values": {"mrr": {"mean": 1.0}}}]},
    ],
)
def test_what_is_no_stored_report_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(InputError, match="not a stored report"):
        Report.from_dict(REPORT.to_dict() | damage)
    with pytest.raises(InputError, match="'collection'"):
        Report.from_dict({})


def test_a_table_has_a_row_for_each_kind() -> None:
    assert REPORT.to_markdown().splitlines() == [
        "| kind | queries | mrr | median ms | 95 % ms |",
        "| --- | --- | --- | --- | --- |",
        "| text | 2 | 100.0 [100.0, 100.0] | 3 | 6 |",
        "| image | 2 | - | - | - |",
        "| all | 4 | 50.0 [25.0, 75.0] | - | - |",
    ]


def test_systems_stand_side_by_side() -> None:
    pictures = KindReport("image", 2, {"mrr": Interval(0.4, 0.1, 0.6, 2)})
    other = Report("kitchen", (pictures,), {"q3": {"mrr": 0.4}}, {}, {}, 0, 7)
    assert table({"BM25": REPORT, "im|age": other}).splitlines() == [
        "| system | text (2): mrr | image (2): mrr | all (4): mrr |",
        "| --- | --- | --- | --- |",
        "| BM25 | 100.0 [100.0, 100.0] | - | 50.0 [25.0, 75.0] |",
        "| im\\|age | - | 40.0 [10.0, 60.0] | - |",
    ]


def test_a_table_of_chosen_kinds_and_measures() -> None:
    assert table({"BM25": REPORT}, kinds=["all"], measures=["success@1", "mrr"]).splitlines() == [
        "| system | all (4): success@1 | all (4): mrr |",
        "| --- | --- | --- |",
        "| BM25 | - | 50.0 [25.0, 75.0] |",
    ]
