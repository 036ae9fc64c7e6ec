"""The benchmark of scoring: both sides do the same work, and its stored table keeps what is promised."""

from __future__ import annotations

import json

import pytest
import pytrec_eval
from benchmarks.evaluation import measuring_speed

from plait.evaluation.evaluate import MEASURES
from plait.evaluation.measures import per_query


def test_ours_and_theirs_measure_the_same_of_what_is_drawn() -> None:
    labels, run = measuring_speed.drawn(queries=20, hits=20)
    qrels = {query: dict(grades) for query, grades in labels.qrels.items()}
    ours = per_query(run, qrels, MEASURES)
    theirs = pytrec_eval.RelevanceEvaluator(qrels, measuring_speed.THEIRS).evaluate(run)
    names = ("success_1", "success_10", "recall_10", "ndcg_cut_10", "recip_rank")
    for our_name, their_name in zip(MEASURES, names, strict=True):
        expected = {query: values[their_name] for query, values in theirs.items()}
        assert ours[our_name] == pytest.approx(expected, abs=1e-9)
    assert {len(scores) for scores in run.values()} == {20}
    assert any(len(set(scores.values())) < 20 for scores in run.values())


def test_every_step_is_a_row_of_the_table() -> None:
    rows = measuring_speed.measure(queries=8, hits=10, rounds=1)
    table = measuring_speed.to_markdown(rows, queries=8, hits=10).splitlines()
    assert table[0] == "| 8 queries x 10 hits, CPU seconds | plait | pytrec_eval |"
    assert [line.split(" | ")[0] for line in table[2:]] == [f"| {row.what}" for row in rows]
    assert [row.pytrec_eval_seconds is None for row in rows] == [False, True, True, False]


def test_ten_thousand_queries_with_a_hundred_hits_were_scored_within_two_seconds() -> None:
    stored = json.loads((measuring_speed.RESULTS / "evaluation-speed.json").read_text())
    assert (stored["queries"], stored["hits"]) == (10_000, 100)
    seconds = {row["what"]: row["plait_seconds"] for row in stored["rows"]}
    assert seconds["the whole report, with intervals"] < 2
