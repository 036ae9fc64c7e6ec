"""Comparing: means, differences, wins and losses as worked out by hand; nothing is left out in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluation.compare.conftest import KINDS, QRELS, RUN_A, RUN_B, run_of
from tests.helpers.stored_results import asking, stored_result

from plait.errors import InputError, MissingPathError
from plait.evaluation.compare.comparing import compare
from plait.evaluation.compare.permutation import holm
from plait.evaluation.compare.results import Judgements, Result, read_results
from plait.evaluation.compare.standing import remarks, standings
from plait.evaluation.intervals import bootstrap
from plait.evaluation.runs import write_run
from plait.evaluation.stored import Asked, load

JUDGED = Judgements(QRELS, {query: Asked(query, "") for query in QRELS})


def test_rows_are_as_worked_out_by_hand(results: list[Result]) -> None:
    found = compare(*results, measures=["mrr"])
    rows = {row.kind: row for row in found.rows}
    assert list(rows) == ["text", "image", "all"]
    assert (rows["text"].a, rows["text"].b) == (pytest.approx(2.5 / 3), pytest.approx(1.5 / 3))
    assert (rows["image"].a, rows["image"].b) == (pytest.approx(1 / 6), pytest.approx(2 / 3))
    assert (rows["text"].wins, rows["text"].ties, rows["text"].losses) == (1, 0, 2)
    assert (rows["all"].wins, rows["all"].ties, rows["all"].losses) == (2, 1, 2)
    assert rows["all"].difference == bootstrap([-0.5, 0.5, -1.0, 0.0, 1.0])
    # signs of -0.5, 0.5, -1: |sum| >= 1 for 6 of 8 (0.5, 0.5, 1 apart from their order: +-2, +-1, +-1)
    assert (rows["text"].p, rows["text"].exact) == (6 / 8, True)


def test_losses_and_wins_are_sorted_by_size_and_then_by_id(results: list[Result]) -> None:
    found = compare(*results, measures=["mrr", "success@1"])
    assert [(one.query, one.difference) for one in found.losses("mrr")] == [("q3", -1), ("q1", -0.5)]
    assert [(one.query, one.difference) for one in found.wins("mrr")] == [("q5", 1), ("q2", 0.5)]
    assert [one.query for one in found.losses("success@1")] == ["q1", "q3"]


def test_p_values_of_all_rows_are_corrected_together(results: list[Result]) -> None:
    rows = compare(*results).rows
    assert len(rows) == 9
    assert [row.corrected for row in rows] == holm([row.p for row in rows])


def test_a_run_file_gives_what_its_stored_result_gives(
    results: list[Result], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    write_run(tmp_path / "b.run", run_of(RUN_B))
    mixed = read_results([str(folders[0]), str(tmp_path / "b.run")])
    assert mixed[1].judgements.asked["q4"].kind == "image"
    assert compare(*mixed).rows == compare(*results).rows


def test_measures_that_are_not_stored_come_from_the_runs(results: list[Result]) -> None:
    found = compare(*results, measures=["success@2", "recall@50"])
    row = found.rows[-2]
    assert (row.kind, row.measure, row.a, row.b) == ("all", "success@2", 3 / 5, 3 / 5)
    assert [remark.rpartition("names")[2] for remark in found.remarks] == [
        " at most 3 documents for a query: recall@50 look at more"
    ] * 2
    with pytest.raises(InputError, match="has no 'pseudo-recall@5': expected success@1, ndcg@10, mrr"):
        compare(*results, measures=["pseudo-recall@5"])


def test_a_system_of_a_folder_is_named_after_two_colons(folders: tuple[Path, Path]) -> None:
    a, b = read_results([f"{folders[0]}::BM25", str(folders[1])])
    assert all(row.difference.mean == 0 and row.p == 1 for row in compare(a, b).rows)
    with pytest.raises(InputError, match="has no system 'bm': there are old, BM25"):
        read_results([f"{folders[0]}::bm"])
    with pytest.raises(MissingPathError, match="no such result folder"):
        read_results(["nowhere"])


def test_queries_that_only_one_side_has_stop_it_unless_said_otherwise(results: list[Result]) -> None:
    a, b = results
    less = replace(
        b, stored={query: values for query, values in b.stored.items() if query not in ("q2", "q4")}
    )
    with pytest.raises(
        InputError, match=r"2 queries \(q2, q4\) have an answer in .*a and none in .*b; --common"
    ):
        compare(a, less)
    common = compare(a, less, measures=["mrr"], missing="common")
    assert (common.rows[-1].a, common.rows[-1].b) == (pytest.approx(2 / 3), pytest.approx(1.5 / 3))
    zero = compare(a, less, measures=["mrr"], missing="zero")
    assert zero.rows[-1].b == pytest.approx(1.5 / 5)
    assert common.pairing.only_a == zero.pairing.only_a == ("q2", "q4")
    assert "2 queries (q2, q4): left out" in common.remarks[0]
    assert "2 queries (q2, q4): counted 0 there" in zero.remarks[0]


def test_results_without_a_query_in_common_are_refused(results: list[Result]) -> None:
    a, b = (
        replace(r, stored={q: r.stored[q] for q in of})
        for r, of in zip(results, (["q1"], ["q2"]), strict=True)
    )
    with pytest.raises(InputError, match="answer no query in common"):
        compare(a, b, missing="common")


def test_a_run_file_is_given_no_measure_that_a_run_does_not_give(
    results: list[Result], tmp_path: Path
) -> None:
    answers = {query: {"pseudo-recall@5": 1.0, "mrr": 0.5} for query in QRELS}
    a = replace(results[0], stored=answers)
    write_run(tmp_path / "b.run", run_of(RUN_B) | {"q3": {"d1": 1.0}})
    (b,) = read_results([str(tmp_path / "b.run")], judged_by=a.judgements)
    assert list(compare(a, b).changes) == ["mrr"]
    other = replace(results[1], stored={query: {"success@1": 1.0} for query in QRELS})
    with pytest.raises(InputError, match="no measure is stored in all results"):
        compare(a, other)


def test_judgements_of_a_file_are_those_of_queries_with_something_relevant(tmp_path: Path) -> None:
    file = tmp_path / "qrels.txt"
    file.write_text("q1 0 d1 0\n")
    with pytest.raises(InputError, match="names no relevant document"):
        Judgements.of_file(file)
    file.write_text("q1 0 d1 0\nq2 0 d1 0\nq2 0 d2 1\n")
    assert list(Judgements.of_file(file).asked) == ["q2"]


def test_what_neither_run_file_answers_counts_0_and_is_said(tmp_path: Path) -> None:
    for name, run in (("a.run", RUN_A), ("b.run", RUN_A)):
        write_run(tmp_path / name, run_of(run))
    found = compare(
        *read_results([str(tmp_path / "a.run"), str(tmp_path / "b.run")], judged_by=JUDGED), measures=["mrr"]
    )
    assert found.rows[-1].difference.count == 5
    assert found.remarks == ("neither answers 1 query (q5): counted 0 in both",)


def test_queries_of_a_kind_that_a_system_is_not_made_for_are_said_not_to_be_there(
    results: list[Result], tmp_path: Path
) -> None:
    folder = stored_result(
        tmp_path / "c",
        {"c": run_of(RUN_A)},
        queries=asking(KINDS),
        qrels=QRELS,
        unasked={"c": {"q4", "q5"}},
    )
    c = read_results([str(folder)])[0]
    assert c.answered == ("q1", "q2", "q3")
    with pytest.raises(InputError, match=r"2 queries \(q4, q5\) have an answer in .*a and none in .*c"):
        compare(results[0], c)
    assert [row.kind for row in compare(results[0], c, measures=["mrr"], missing="common").rows] == ["text"]


def test_different_collections_are_not_compared_unless_asked_for(
    results: list[Result], tmp_path: Path
) -> None:
    other = stored_result(
        tmp_path / "c",
        {"c": run_of(RUN_A)},
        queries=asking(KINDS),
        qrels=QRELS,
        fingerprint="other",
        seed=3,
        options={"k": 10, "measures": ["mrr"]},
    )
    a, c = results[0], read_results([str(other)])[0]
    with pytest.raises(InputError, match=r"different collections: bench \(f1\) and bench \(other\)"):
        compare(a, c, missing="zero")
    said = compare(a, c, missing="common").remarks
    assert "different collections" in said[0]
    assert said[1:] == (
        "they were evaluated with different seeds: 0 and 3",
        "they were evaluated with different k: 100 and 10",
    )


def test_the_same_results_give_the_same_numbers(results: list[Result]) -> None:
    assert compare(*results, seed=5).to_dict() == compare(*results, seed=5).to_dict()


def test_one_result_alone_stands_as_it_was_stored(results: list[Result], folders: tuple[Path, Path]) -> None:
    stored = {
        (kind.kind, name): value
        for kind in load(folders[0]).model.kinds
        for name, value in kind.values.items()
    }
    assert {(one.kind, one.measure): one.value for one in standings(results[0])} == stored


def test_a_run_alone_counts_0_where_it_says_nothing(tmp_path: Path) -> None:
    write_run(tmp_path / "a.run", run_of(RUN_A))
    (run,) = read_results([str(tmp_path / "a.run")], judged_by=JUDGED)
    (mrr,) = standings(run, measures=["mrr"])
    assert mrr.value.mean == pytest.approx((1 + 1 / 2 + 1 + 1 / 3) / 5)
    assert remarks(run, ["mrr"]) == (f"1 query (q5) without a line in {run.name}: counted 0",)


def test_a_run_of_other_queries_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "a.run", {"other": {"d1": 1.0}})
    with pytest.raises(InputError, match="answers none of the 5 judged queries, such as 'q1'"):
        read_results([str(tmp_path / "a.run")], judged_by=JUDGED)
    with pytest.raises(InputError, match="name its judgements with --qrels"):
        read_results([str(tmp_path / "a.run")])
