"""Evaluating: every judged query asked, each kind apart, failures counted; on a real library too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library
from plait.data.collections.base import Collection, LabelledQuery
from plait.data.collections.pools import PoolQuery, PoolTask
from plait.data.training.examples import Side
from plait.errors import InputError, QueryError
from plait.evaluation.evaluate import Answers, evaluate, found_by, score, summarise
from plait.evaluation.runs import read_run, write_run
from plait.schema import Document, Query, Segment

ANSWERS = {"tea": {"d1": 2.0, "d2": 1.0}, "cup": {"d1": 2.0, "d2": 1.0}, "pot": {"d3": 1.0}}


def collection(*extra: LabelledQuery) -> Collection:
    queries = [
        LabelledQuery("q1", Query.of("tea"), "drink"),
        LabelledQuery("q2", Query.of("cup"), "thing"),
        LabelledQuery("q3", Query.of("pot"), "thing"),
        *extra,
    ]
    qrels = {"q1": {"d1": 1}, "q2": {"d2": 1}, "q3": {"d9": 1}, "q5": {"d1": 1}}
    return Collection("kitchen", queries, qrels, lambda: iter(()))


def answer(query: Query) -> dict[str, float]:
    if query.texts[0] not in ANSWERS:
        raise QueryError(f"never heard of {query.texts[0]}")
    return ANSWERS[query.texts[0]]


def test_each_kind_has_its_own_means_and_all_come_last() -> None:
    report = evaluate(answer, collection(), measures=["success@1", "mrr"])
    found = {kind.kind: (kind.queries, kind.values["mrr"].mean) for kind in report.kinds}
    assert found == {"drink": (1, 1.0), "thing": (2, 0.25), "all": (3, 0.5)}
    assert report.of("thing").values["success@1"].mean == 0.0
    assert report.per_query["q2"] == {"success@1": 0.0, "mrr": 0.5}


def test_one_kind_alone_is_not_repeated_as_all() -> None:
    alone = Collection(
        "x", [LabelledQuery("q1", Query.of("tea"), "drink")], {"q1": {"d1": 1}}, lambda: iter(())
    )
    assert [kind.kind for kind in evaluate(answer, alone).kinds] == ["drink"]


def test_a_query_nothing_is_relevant_to_is_counted_and_not_asked() -> None:
    report = evaluate(answer, collection(LabelledQuery("q4", Query.of("unknown"), "thing")))
    assert (report.unjudged, report.failed) == (1, {})
    assert "q4" not in report.run


def test_a_refused_query_scores_zero_and_is_named() -> None:
    report = evaluate(answer, collection(LabelledQuery("q5", Query.of("unknown"), "drink")), measures=["mrr"])
    assert report.failed == {"q5": "never heard of unknown"}
    assert report.of("drink").values["mrr"].mean == 0.5


def test_latencies_are_ordered_and_progress_counts_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    latency = (
        evaluate(answer, collection(), progress=lambda done, of: seen.append((done, of))).of("all").latency_ms
    )
    assert latency is not None
    assert 0 <= latency.p50 <= latency.p95 <= latency.p99
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_run_read_from_a_file_scores_as_the_search_that_wrote_it(tmp_path: Path) -> None:
    report = evaluate(answer, collection())
    write_run(tmp_path / "run", report.run)
    again = score(Answers(run=dict(read_run(tmp_path / "run"))), collection())
    assert again.per_query == report.per_query
    assert [kind.values for kind in again.kinds] == [kind.values for kind in report.kinds]
    assert again.of("all").latency_ms is None


def words_only(query: Query) -> dict[str, float] | None:
    """Answer what begins with "c", as a system that cannot be asked anything else."""
    return answer(query) if query.texts[0].startswith("c") else None


def test_a_kind_that_a_system_cannot_be_asked_has_no_values_and_a_mixed_one_counts_zeros() -> None:
    report = evaluate(words_only, collection(), measures=["mrr"])
    assert report.unasked == {"q1", "q3"}
    drink, thing, everything = report.kinds
    assert (drink.values, drink.unasked, drink.latency_ms) == ({}, 1, None)
    assert (thing.values["mrr"].mean, thing.unasked) == (0.25, 1)  # 1/2 of q2, 0 of q3
    assert (everything.values["mrr"].mean, everything.unasked) == (pytest.approx(1 / 6), 2)
    assert report.per_query["q1"] == {"mrr": 0.0}
    assert report.to_markdown().splitlines()[2] == "| drink | 1 | - | - | - |"


def test_values_of_other_measures_are_summed_up_alike() -> None:
    own = {"pseudo-recall@5": {"q1": 1.0, "q2": 0.0, "q3": 1.0}}
    report = summarise(own, Answers(), collection())
    assert report.measures == ("pseudo-recall@5",)
    assert [kind.values["pseudo-recall@5"].mean for kind in report.kinds] == [1.0, 0.5, pytest.approx(2 / 3)]


SCORING = """
import json
from plait.data.collections.base import Collection, LabelledQuery
from plait.evaluation.evaluate import Answers, score
from plait.schema import Query

queries = [LabelledQuery(str(n), Query.of("tea"), f"kind {n % 3}") for n in range(60)]
qrels = {str(n): {f"d{n % 7}": 1, f"d{n % 5}": 2} for n in range(60)}
run = {str(n): {f"d{k}": (n * k) % 11 / 10 for k in range(6)} for n in range(60)}
report = score(Answers(run=run), Collection("x", queries, qrels, lambda: iter(())), seed=5)
print(json.dumps(report.to_dict()))
"""


def test_every_process_gives_the_same_report_to_the_last_digit() -> None:
    first, second = (
        subprocess.run(
            [sys.executable, "-c", SCORING],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second
    assert len(json.loads(first)["per_query"]) == 60


def test_a_task_of_the_papers_is_scored_as_a_collection_is() -> None:
    queries = [PoolQuery("q1", Side("tea"), "text"), PoolQuery("q2", Side("", "cup.png"), "image")]
    task = PoolTask("evqa", queries, {"q1": {"d1": 1}}, {}, ("success@5",))
    report = score(Answers(run={"q1": ANSWERS["tea"]}), task, measures=["success@5"])
    assert (report.collection, report.unjudged, report.of("text").values["success@5"].mean) == (
        "evqa",
        1,
        1.0,
    )


def test_intervals_do_not_depend_on_the_measures_beside_them_or_their_order() -> None:
    queries = [LabelledQuery(str(n), Query.of("tea"), "ab"[n % 2]) for n in range(40)]
    qrels = {str(n): {f"d{n % 3}": 1} for n in range(40)}
    run = {str(n): ANSWERS["tea"] for n in range(40)}
    labels = Collection("x", queries, qrels, lambda: iter(()))
    both = score(Answers(run=run), labels, measures=["mrr", "success@1"], seed=3)
    turned = score(Answers(run=run), labels, measures=["success@1", "mrr"], seed=3)
    alone = score(Answers(run=run), labels, measures=["mrr"], seed=3)
    for kind in ("a", "b", "all"):
        assert both.of(kind).values == turned.of(kind).values
        assert both.of(kind).values["mrr"] == alone.of(kind).values["mrr"]
    seeds = [score(Answers(run=run), labels, measures=["mrr"], seed=seed) for seed in range(4)]
    assert len({report.of("all").values["mrr"] for report in seeds}) > 1


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match="drink, thing, all"):
        evaluate(answer, collection()).of("food")


def test_scores_that_are_not_numbers_and_nothing_judged_are_refused() -> None:
    with pytest.raises(InputError, match=r"'q1'.*'d1'.*nan"):
        evaluate(lambda query: {"d1": float("nan")}, collection())
    with pytest.raises(InputError, match="no query of 'x' has a relevant document"):
        evaluate(answer, Collection("x", [LabelledQuery("q", Query.of("a"), "text")], {}, lambda: iter(())))


def test_a_library_filled_from_a_collection_is_evaluated_by_document_and_by_unit(tmp_path: Path) -> None:
    texts = {
        "d1": "Boil the kettle for tea.",
        "d2": "Rinse the porcelain cup.",
        "d3": "Warm a pot with steam.",
    }
    documents = [Document(name, name, name, {}, (Segment("text", text),)) for name, text in texts.items()]
    queries = [
        LabelledQuery("q1", Query.of("kettle for tea"), "text"),
        LabelledQuery("q2", Query.of("steam in a pot"), "text"),
    ]
    by_document = Collection("k", queries, {"q1": {"d1": 1}, "q2": {"d3": 1}}, lambda: iter(documents))
    by_unit = Collection("k", queries, {"q1": {"d1:0": 1}, "q2": {"d3:0": 1}}, lambda: iter(documents))
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        library.add_documents(by_document.documents())
        search = lambda query: library.search(query, k=2, lanes=["bm25"])  # noqa: E731
        assert evaluate(found_by(search), by_document).of("text").values["success@1"].mean == 1.0
        found = evaluate(found_by(search, by_document=False), by_unit)
        assert found.of("text").values["success@1"].mean == 1.0
