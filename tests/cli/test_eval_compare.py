"""plait eval compare, as a person and a build would run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.command_line import plait
from tests.helpers.stored_results import asking, stored_result

from plait.cli.eval_compare import compare
from plait.errors import InputError
from plait.evaluation.runs import write_run

QUERIES = {f"q{n:02d}": "text" if n < 10 else "image" for n in range(20)}
QRELS = {query: {"right": 1} for query in QUERIES}
FIRST = {"right": 2.0, "wrong": 1.0}
SECOND = {"right": 1.0, "wrong": 2.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results "good" and "worse", of which all but two of ten texts came second."""
    root = tmp_path_factory.mktemp("results")
    good = dict.fromkeys(QUERIES, FIRST)
    worse = {query: SECOND if query < "q08" else FIRST for query in QUERIES}
    labels = {"queries": asking(QUERIES), "qrels": QRELS, "measures": ("success@1", "mrr")}
    stored_result(root / "good", {"plait-mini": good, "BM25": worse}, **labels)
    stored_result(root / "worse", {"plait-mini": worse}, **labels)
    write_run(root / "good.run", good)
    write_run(root / "short.run", {query: FIRST for query in QUERIES if query != "q03"})
    (root / "qrels.txt").write_text("".join(f"{query} 0 right 1\n" for query in QUERIES))
    return root


def test_a_person_sees_a_table_of_100_columns_and_who_lost(folder: Path) -> None:
    done = plait("eval", "compare", "good", "worse", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    # eight of ten differ, all one way: 2 of 256 signs are as far from 0; Holm: times 6 tests
    row = lines[lines.index("text, 10 queries") + 1]
    assert row.split() == [
        "success@1",
        "100.0",
        "20.0",
        "-80.0",
        "[-100.0,",
        "-50.0]",
        "0.0078",
        "0.0469",
        "0/2/8",
    ]
    assert "the 5 greatest of 8 losses by success@1" in lines
    assert "no wins by success@1" in lines


def test_thresholds_that_are_not_met_are_named_and_end_with_1(folder: Path) -> None:
    done = plait(
        "eval", "compare", "good", "worse", "--max-drop", "image:mrr=0", "--max-drop", "mrr=0.1",
        "--min", "mrr=0.7", "--no-significant-loss", "--json", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert [gate["met"] for gate in said["gates"]] == [True, True, False, False, False, False, False]
    assert "plait: not met: mrr went from 1.0000 to 0.8000 (-0.2000), and may lose 0.1 at most" in done.stderr
    assert "not met: text:mrr is significantly worse: 1.0000 to 0.6000" in done.stderr
    assert [change["query"] for change in said["losses"]["mrr"]] == sorted(QUERIES)[:8]


def test_a_build_may_hold_one_result_to_thresholds(folder: Path) -> None:
    met = plait("eval", "compare", "worse", "--min", "mrr=0.8", "--min", "text:success@2=1", cwd=folder)
    assert (met.returncode, met.stderr) == (0, "")
    assert "met: mrr is 0.8000, and must be 0.8 or more" in met.stdout
    short = plait("eval", "compare", "short.run", "--qrels", "qrels.txt", "--min", "mrr=1", cwd=folder)
    assert short.returncode == 1
    assert "1 query (q03) without a line in short.run: counted 0" in short.stderr


def test_a_page_is_written_and_a_baseline_can_be_the_other_side(folder: Path) -> None:
    done = plait("eval", "compare", "good::BM25", "good", "--html", "page.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "All 8 wins by success@1" in page
    assert "No losses by success@1" in page


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        (
            ("good.run", "short.run"),
            {"qrels": Path("qrels.txt")},
            r"1 query \(q03\) has an answer in good.run",
        ),
        (("good.run", "short.run"), {}, "name its judgements with --qrels FILE or --collection"),
        (("good", "columns.run"), {}, "columns.run:1: expected 6 columns"),
        (
            ("good", "worse"),
            {"measures": "map"},
            "has no 'map': expected success@1, mrr, or what a run gives",
        ),
        (("good", "worse"), {"least": ["mrr=40"]}, "expected MEASURE=NUMBER"),
        (("good", "worse"), {"html": Path()}, "cannot write .: Is a directory"),
        (("good", "worse"), {"common": True, "zero": True}, "name one of them"),
        (("good", "nowhere"), {}, "nowhere: no such result folder"),
        (("good",), {"max_drop": ["mrr=0.1"]}, "name RUN_A and RUN_B"),
        (("good",), {"html": Path("x.html")}, "name RUN_B too"),
    ],
)
def test_what_cannot_be_used_is_said(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    runs: tuple[str, ...],
    options: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    Path("columns.run").write_text("q00 right 1\n")
    with pytest.raises(InputError, match=message):
        compare(*runs, **options)


def test_a_score_that_is_no_number_ends_with_its_line_and_2(folder: Path) -> None:
    (folder / "nan.run").write_text("q00 Q0 right 1 nan x\n")
    done = plait("eval", "compare", "good", "nan.run", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("plait: nan.run:1: expected ")
    assert done.stderr.count("\n") == 1


def test_a_collection_judges_run_files_and_says_their_kinds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = folder / "bench"
    bench.mkdir()
    (bench / "corpus.jsonl").write_text('{"id": "right", "segments": []}\n{"id": "wrong", "segments": []}\n')
    rows = ({"id": query, "text": query, "kind": kind} for query, kind in QUERIES.items())
    (bench / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (bench / "qrels.tsv").write_text((folder / "qrels.txt").read_text())
    compare(str(folder / "good.run"), collection=str(bench), measures="mrr", as_json=True)
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["kind"], row["value"]["mean"]) for row in rows] == [("text", 1), ("image", 1), ("all", 1)]
