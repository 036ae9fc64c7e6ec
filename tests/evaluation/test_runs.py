"""Run and judgement files: what is written is read, and a bad line is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.collections.trec import read_qrels, write_qrels
from plait.errors import InputError, MissingPathError
from plait.evaluation.runs import read_run, write_run

ids = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Z", "C"]), min_size=1)
spaced_ids = st.builds(" ".join, st.lists(ids, min_size=1, max_size=3))


@settings(max_examples=50, deadline=None)
@given(run=st.dictionaries(ids, st.dictionaries(ids, st.floats(allow_nan=False), min_size=1)))
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
        ("q Q0 d 1 much tag", r":2: expected a number as score \(column 5\), got 'much'"),
        ("q Q0 d 1 nan tag", r":2: expected a number as score"),
        ("a Q0 b 2 0.5 tag", r":2: document 'b' is answered twice for query 'a'"),
    ],
)
def test_a_bad_line_of_a_run_names_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "run").write_text(f"a Q0 b 1 1.0 tag\n{line}\n")
    with pytest.raises(InputError, match=f"run{message}"):
        read_run(tmp_path / "run")


def test_missing_files_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match="query 0 document grade"):
        read_qrels(tmp_path / "none")
    with pytest.raises(MissingPathError, match="query Q0 document rank score tag"):
        read_run(tmp_path / "none")


def test_what_a_file_cannot_hold_is_refused_before_it_is_written(tmp_path: Path) -> None:
    for run in ({"q": {"a b": 1.0}}, {"": {"a": 1.0}}, {"q": {"a": float("nan")}}):
        with pytest.raises(InputError):
            write_run(tmp_path / "run", run)
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="no tabs or line breaks"):
        write_qrels(tmp_path / "qrels", {"q": {"a\tb": 1}})
