"""Run files: what is written is read, and a bad line is named. So for judgement files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.collections.problems import Problems
from plait.data.collections.trec import read_qrels, write_qrels
from plait.errors import InputError, MissingPathError
from plait.evaluation.runs import read_run, write_run

ids = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Z", "C"]), min_size=1)
spaced_ids = st.builds(" ".join, st.lists(ids, min_size=1, max_size=3))


@settings(max_examples=50, deadline=None)
@given(
    run=st.dictionaries(
        spaced_ids,
        st.dictionaries(spaced_ids, st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    )
)
def test_a_written_run_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]]
) -> None:
    path = tmp_path_factory.mktemp("run") / "a.run"
    write_run(path, run)
    assert read_run(path) == run


@settings(max_examples=50, deadline=None)
@given(qrels=st.dictionaries(spaced_ids, st.dictionaries(spaced_ids, st.integers(-2, 9), min_size=1)))
def test_written_judgements_are_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, qrels: dict[str, dict[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("qrels") / "qrels.tsv"
    write_qrels(path, qrels)
    assert read_qrels(path) == qrels


def test_a_run_is_written_best_first_with_ranks_and_tag(tmp_path: Path) -> None:
    write_run(tmp_path / "r", {"q1": {"a": 0.5, "b": 2.0}}, tag="mine")
    assert (tmp_path / "r").read_text() == "q1 Q0 b 1 2.0 mine\nq1 Q0 a 2 0.5 mine\n"


def test_ids_with_spaces_are_kept_apart_by_tabs_in_the_whole_file(tmp_path: Path) -> None:
    write_run(tmp_path / "r", {"q1": {"a b.pdf#page=2": 0.5}, "q2": {"c": 1.0}})
    assert (tmp_path / "r").read_text().splitlines() == [
        "q1\tQ0\ta b.pdf#page=2\t1\t0.5\tplait",
        "q2\tQ0\tc\t1\t1.0\tplait",
    ]


def test_ranks_that_do_not_follow_the_scores_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("q Q0 a 2 0.5 t\nq Q0 b 7 0.9 t\nq Q0 c 1 0.1 t\n")
    assert read_run(tmp_path / "r") == {"q": {"a": 0.5, "b": 0.9, "c": 0.1}}


def test_judgements_of_four_and_of_five_columns_tabs_and_spaces_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "qrels.txt"
    path.write_bytes("\ufeff9:1 0 9:1 1 0\r\n9:1 0 9:2 0 0\n\n9:2\t0\ta b.pdf#page=12\t2\n".encode())
    assert read_qrels(path) == {"9:1": {"9:1": 1, "9:2": 0}, "9:2": {"a b.pdf#page=12": 2}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"q 0 d", r":2: expected 4 or 5 columns \(query 0 document grade\), got 3"),
        (b"q 0 d 1 2 3", r":2: expected 4 or 5 columns"),
        (b"q 0 d high", r":2: expected a whole number as grade \(column 4\), got 'high'"),
        (b"q 0 d 0.5", r":2: expected a whole number"),
        (b"a 0 b 2", r":2: document 'b' is judged twice for query 'a'"),
        (b"q 0 \xff 1", r":2: not UTF-8"),
    ],
)
def test_a_bad_judgement_names_file_and_line(tmp_path: Path, line: bytes, message: str) -> None:
    (tmp_path / "qrels").write_bytes(b"a 0 b 1\n" + line + b"\n")
    with pytest.raises(InputError, match=f"qrels{message}"):
        read_qrels(tmp_path / "qrels")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q Q0 d 1 0.5", r":2: expected 6 columns \(query Q0 document rank score tag\), got 5"),
        ("q Q0 d 1 much tag", r":2: expected a finite number as score \(column 5\), got 'much'"),
        ("q Q0 d 1 nan tag", r":2: expected a finite number as score"),
        ("q Q0 d 1 -inf tag", r":2: expected a finite number as score"),
        ("a Q0 b 2 0.5 tag", r":2: document 'b' is answered twice for query 'a'"),
        ("q\udcff Q0 b 2 0.5 tag", r":2: not UTF-8"),
        ("z Q0 b 2 0.5 tag", r":2: answers the query 'z', which the collection does not have"),
    ],
)
def test_a_bad_line_of_a_run_names_file_and_line_and_is_left_out(
    tmp_path: Path, line: str, message: str
) -> None:
    (tmp_path / "run").write_text(f"a Q0 b 1 1.0 tag\n{line}\n", "utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match=f"run{message}"):
        read_run(tmp_path / "run", queries={"a", "q"})
    problems = Problems()
    assert read_run(tmp_path / "run", queries={"a", "q"}, report=problems.report) == {"a": {"b": 1.0}}
    with pytest.raises(InputError, match=f"run{message}"):
        raise InputError("\n".join(map(str, list(problems))))


def test_a_document_that_is_not_there_is_named_once_and_keeps_its_rank(tmp_path: Path) -> None:
    lines = ["q Q0 gone 1 3 t", "q Q0 d 2 2 t", "r Q0 gone 1 1 t"]
    (tmp_path / "run").write_text("\n".join(lines))
    problems = Problems()
    run = read_run(tmp_path / "run", documents={"d"}, report=problems.report)
    assert run == {"q": {"gone": 3.0, "d": 2.0}, "r": {"gone": 1.0}}
    (problem,) = list(problems)
    assert str(problem).endswith("run:1: names the document 'gone', which the collection does not have")


def test_judgements_under_the_head_of_beir_have_its_three_columns(tmp_path: Path) -> None:
    path = tmp_path / "test.tsv"
    path.write_bytes("\ufeffquery-id\tcorpus-id\tscore\r\nq1\td 1\t2\r\nq1\td2\t0\r\n".encode())
    assert read_qrels(path) == {"q1": {"d 1": 2, "d2": 0}}
    path.write_text("query-id corpus-id score\nq1 0 d1 1\n")
    with pytest.raises(InputError, match=r":2: expected 3 columns \(query-id corpus-id score\), got 4"):
        read_qrels(path)
    path.write_text("query-id corpus-id score\nq1 d1 x\n")
    with pytest.raises(InputError, match=r"grade \(column 3\), got 'x'"):
        read_qrels(path)


def test_missing_files_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match="query 0 document grade"):
        read_qrels(tmp_path / "none")
    with pytest.raises(MissingPathError, match="query Q0 document rank score tag"):
        read_run(tmp_path / "none")


def test_what_a_file_cannot_hold_is_refused_before_it_is_written(tmp_path: Path) -> None:
    for run, tag in (
        ({"q": {"a b": 1.0, "a\tb": 1.0}}, "t"),
        ({"": {"a": 1.0}}, "t"),
        ({"q": {" a": 1.0}}, "t"),
        ({"q": {"a": float("nan")}}, "t"),
        ({"q": {"a": float("inf")}}, "t"),
        ({"q": {"a": 1.0}}, "t\n"),
    ):
        with pytest.raises(InputError):
            write_run(tmp_path / "run", run, tag=tag)
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="no tabs or line breaks"):
        write_qrels(tmp_path / "qrels", {"q": {"a\tb": 1}})
