"""Examples on their way into Arrow, and the report of what was left out."""

from __future__ import annotations

import json
import tracemalloc

import pyarrow
import pytest
from datasets import Dataset

from plait.data.training.arrow import SCHEMA, write_examples
from plait.data.training.examples import BadRow, Example, Side
from plait.data.training.jsonl import JsonlSource
from plait.data.training.report import BadKind, ReadReport, SourceCount, Tally


class Given:
    """A source of given rows."""

    def __init__(self, name, *rows):
        self.name = name
        self.rows = rows

    def __iter__(self):
        return iter(self.rows)


FULL = Example(
    "7",
    Side("q", "/a/red.png"),
    (Side("p"), Side("", "/b.png")),
    label="thing",
    grades=(0.5, 2.0),
    teacher=(1.0, -1.0),
    source="part",
)


def test_rows_are_written_as_the_columns_promise(tmp_path):
    plain = Example("x", Side("é"), (Side("d"),))
    report = write_examples([Given("a", FULL), Given("b", plain)], tmp_path / "rows.arrow")
    rows = Dataset.from_file(str(tmp_path / "rows.arrow"))
    assert rows.column_names == SCHEMA.names
    assert list(rows) == [
        {
            "query": {"text": "q", "image": "/a/red.png"},
            "documents": [{"text": "p", "image": ""}, {"text": "", "image": "/b.png"}],
            "label": "thing",
            "grades": [0.5, 2.0],
            "teacher": [1.0, -1.0],
            "id": "7",
            "source": "part",
        },
        {
            "query": {"text": "é", "image": ""},
            "documents": [{"text": "d", "image": ""}],
            "label": "",
            "grades": [],
            "teacher": [],
            "id": "x",
            "source": "b",
        },
    ]
    assert report == ReadReport((SourceCount("part", 1, 0), SourceCount("b", 1, 0)))


def test_bad_rows_are_counted_by_reason_and_placed():
    tally = Tally()
    tally.add_good("a")
    for k in range(5):
        tally.add_bad("a", BadRow(f"f:{k}", f"image 'x{k}.png' does not exist in '/it\\'s here'"))
    tally.add_bad("b", BadRow("g:1", "2 grades for 1,000.5 documents"))
    tally.add_bad("b", BadRow("g:2", "13 grades for 4 documents"))
    report = tally.report(repeated=2, examples=("a: 1", "a: 2"), entities=2)
    assert report.sources == (SourceCount("a", 1, 5), SourceCount("b", 0, 2))
    assert report.bad_kinds == (
        BadKind("image 'x0.png' does not exist in '/it\\'s here'", 5, ("f:0", "f:1", "f:2")),
        BadKind("2 grades for 1,000.5 documents", 2, ("g:1", "g:2")),
    )
    assert (report.rows, report.bad, report.bad_share) == (1, 7, 7 / 8)
    assert str(report).splitlines() == [
        "1 rows, 7 left out (87.5%)",
        "  a: 1 rows, 5 left out",
        "  b: 0 rows, 2 left out",
        "  left out 5: image 'x0.png' does not exist in '/it\\'s here'",
        "    at f:0, f:1, f:2, ...",
        "  left out 2: 2 grades for 1,000.5 documents",
        "    at g:1, g:2",
        "  2 rows with the id of an earlier one: a: 1, a: 2",
    ]
    assert ReadReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_kinds_of_reason_are_bounded():
    tally = Tally()
    for k in range(1000):
        tally.add_bad("a", BadRow(str(k), "reason " + "x" * (k + 1)))
    report = tally.report(repeated=0, examples=(), entities=0)
    assert len(report.bad_kinds) == 201
    assert report.bad_kinds[0] == BadKind("other reasons", 800, ("200", "201", "202"))
    assert report.bad == 1000


def test_repeated_ids_are_counted_within_a_source(tmp_path):
    def row(name):
        return Example(name, Side("q"), (Side("d"),))

    rows = [row(str(k)) for k in range(600)]
    report = write_examples(
        [Given("a", *rows, *rows[:3], row("0")), Given("b", rows[0])], tmp_path / "rows.arrow"
    )
    assert report.repeated_ids == 4
    assert report.repeated_examples == ("a: 0", "a: 1", "a: 2", "a: 0")


@pytest.mark.parametrize(
    ("rows", "entities"),
    [
        ([], 0),
        ([Example("1", Side("q"), (Side("d"),))], 1),
        ([Example(str(k), Side(f"q{k}"), (Side("d"), Side(f"n{k}"))) for k in range(3)], 1),
        ([Example(str(k), Side("q"), (Side(f"d{k}"),), label="same") for k in range(3)], 1),
        ([Example(str(k), Side("q"), (Side(f"d{k}"),)) for k in range(3)], 2),
        ([Example("1", Side("q"), (Side("d"),)), Example("2", Side("q"), (Side("d"),), label="l")], 2),
    ],
)
def test_it_is_told_whether_all_positives_are_the_same(tmp_path, rows, entities):
    assert write_examples([Given("a", *rows)], tmp_path / "rows.arrow").entities == entities


def test_every_row_is_watched(tmp_path):
    seen = []
    sources = [Given("a", FULL, BadRow("p", "r")), Given("b", BadRow("p", "r", source="c"))]
    write_examples(sources, tmp_path / "rows.arrow", watch=lambda *now: seen.append(now))
    assert seen == [("part", 1, 0), ("a", 1, 1), ("c", 1, 2)]


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """10,000 rows of 4 kB, 40 MB in all, pass through less than 8 MB."""
    file = tmp_path / "rows.jsonl"
    with file.open("w") as lines:
        for k in range(10_000):
            lines.write(json.dumps({"id": k, "query": f"q{k}", "positive": f"{k} " + "x" * 4000}) + "\n")
    source = JsonlSource(file)
    tracemalloc.start()
    pyarrow_before = pyarrow.total_allocated_bytes()
    report = write_examples([source], tmp_path / "rows.arrow")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.rows == 10_000
    assert (tmp_path / "rows.arrow").stat().st_size > 40_000_000
    assert peak < 8_000_000
    assert pyarrow.total_allocated_bytes() - pyarrow_before < 8_000_000
