"""Thresholds: met at the number itself, for one kind or all, and never by a threshold misread."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plait.errors import InputError
from plait.evaluation.compare.comparing import compare
from plait.evaluation.compare.gates import Gates, Threshold
from plait.evaluation.compare.results import Result
from plait.evaluation.compare.standing import standings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ndcg@10=0.40", Threshold("ndcg@10", 0.4)),
        ("text:mrr=0.5", Threshold("mrr", 0.5, "text")),
        ("a: kind=1:mrr=1", Threshold("mrr", 1.0, "a: kind=1")),
        ("a:b:mrr=0", Threshold("mrr", 0.0, "a:b")),
        ("mrr", None),
        ("mrr=", None),
        ("mrr=40", None),
        ("mrr=-0.1", None),
        ("mrr=nan", None),
    ],
)
def test_thresholds_are_read_or_refused(text: str, expected: Threshold | None) -> None:
    if expected is None:
        with pytest.raises(InputError, match="expected MEASURE=NUMBER or KIND:MEASURE=NUMBER"):
            Threshold.parse(text)
    else:
        assert Threshold.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "met"),
    [("mrr=0.5666", True), ("mrr=0.5667", False), ("image:mrr=0.6666", True), ("text:mrr=0.51", False)],
)
def test_b_is_held_to_a_least_mean(results: list[Result], text: str, met: bool) -> None:
    gates = Gates(least=(Threshold.parse(text),))  # B's mrr: text 0.5, image 2 / 3, all 17 / 30
    (verdict,) = gates.judge_comparison(compare(*results, measures=["mrr"]))
    assert verdict.met is met
    assert gates.judge_one(standings(results[1])) == [verdict]


@pytest.mark.parametrize(
    ("text", "met"),
    [("mrr=0", True), ("text:mrr=0.33", False), ("text:mrr=0.34", True), ("image:success@1=0", True)],
)
def test_b_may_lose_so_much_at_most(results: list[Result], text: str, met: bool) -> None:
    gates = Gates(max_drop=(Threshold.parse(text),))  # of text, mrr falls from 2.5 / 3 to 1.5 / 3
    assert [verdict.met for verdict in gates.judge_comparison(compare(*results))] == [met]


def test_the_number_itself_is_enough_whatever_floating_point_makes_of_it(results: list[Result]) -> None:
    found = compare(*results, measures=["mrr"])
    row = replace(found.rows[0], b=0.7 - 0.4)  # less than 0.3 in floating point
    least = Gates(least=(Threshold("mrr", 0.3),))
    assert least.judge_comparison(replace(found, rows=(row,)))[0].met
    row = replace(found.rows[0], a=0.5, b=0.49)  # 0.5 - 0.49 > 0.01 in floating point
    gates = Gates(max_drop=(Threshold("mrr", 0.01),))
    assert gates.judge_comparison(replace(found, rows=(row,)))[0].met


def test_a_loss_beyond_chance_is_named_by_its_corrected_p(results: list[Result]) -> None:
    found = compare(*results, measures=["mrr"])
    lost = replace(found.rows[0], p=0.01, corrected=0.04)
    won = replace(found.rows[1], p=0.001, corrected=0.003)
    by_chance = replace(lost, kind="all", corrected=0.06)
    gates = Gates(no_significant_loss=True)
    verdicts = gates.judge_comparison(replace(found, rows=(lost, won, by_chance)))
    assert [verdict.met for verdict in verdicts] == [False]
    assert verdicts[0].message.startswith("text:mrr is significantly worse: 0.8333 to 0.5000, p 0.04")
    assert gates.judge_comparison(replace(found, rows=(won, by_chance)))[0].met


def test_what_cannot_be_judged_is_refused(results: list[Result]) -> None:
    found = compare(*results, measures=["mrr"])
    with pytest.raises(InputError, match="no queries of the kind 'sound', but text, image, all"):
        Gates(least=(Threshold("mrr", 0.1, "sound"),)).judge_comparison(found)
    with pytest.raises(InputError, match="name RUN_A and RUN_B"):
        Gates(no_significant_loss=True).judge_one(standings(results[0]))
    with pytest.raises(InputError, match="expected 0 < alpha < 1"):
        Gates(alpha=0)
