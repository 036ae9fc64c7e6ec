"""Measures: worked out by hand, and equal to trec_eval's own on random runs."""

from __future__ import annotations

from math import log2

import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import InputError
from plait.evaluation.measures import Measure, per_query, ranking

# Ranked a, b, c, d, e; relevant are b (grade 1), d (grade 3) and z (grade 2), which is not found.
RUN = {"q": {"c": 0.5, "a": 0.9, "b": 0.7, "e": 0.1, "d": 0.3}}
QRELS = {"q": {"b": 1, "d": 3, "z": 2, "a": 0, "c": -1}}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("success@1", 0.0),
        ("success@2", 1.0),
        ("recall@1", 0.0),
        ("recall@3", 1 / 3),
        ("recall@10", 2 / 3),
        ("recall", 2 / 3),
        ("mrr", 1 / 2),
        ("mrr@1", 0.0),
        ("mrr@2", 1 / 2),
        ("ndcg@1", 0.0),
        ("ndcg@2", (1 / log2(3)) / (3 + 2 / log2(3))),
        ("ndcg@5", (1 / log2(3) + 3 / log2(5)) / (3 + 2 / log2(3) + 1 / log2(4))),
        ("ndcg", (1 / log2(3) + 3 / log2(5)) / (3 + 2 / log2(3) + 1 / log2(4))),
    ],
)
def test_each_measure_is_what_its_definition_gives_by_hand(name: str, expected: float) -> None:
    assert per_query(RUN, QRELS, [name])[name]["q"] == pytest.approx(expected, abs=1e-12)


def test_success_is_not_the_share_of_relevant_documents() -> None:
    values = per_query({"q": {"a": 1.0}}, {"q": {"a": 1, "b": 1}}, ["success@1", "recall@1"])
    assert (values["success@1"]["q"], values["recall@1"]["q"]) == (1.0, 0.5)


def test_a_query_without_answer_and_one_without_relevant_document_have_zero() -> None:
    names = ["success@5", "recall@5", "mrr", "ndcg@5"]
    values = per_query(
        {"nothing relevant": {"a": 1.0}}, {"unanswered": {"a": 1}, "nothing relevant": {"a": 0}}, names
    )
    assert all(values[name] == {"unanswered": 0.0, "nothing relevant": 0.0} for name in names)


def test_a_query_that_only_the_run_has_is_left_out() -> None:
    assert per_query({"other": {"a": 1.0}}, {"q": {"a": 1}}, ["mrr"])["mrr"] == {"q": 0.0}


def test_of_equal_scores_the_greater_id_comes_first() -> None:
    assert ranking({"a": 1.0, "c": 1.0, "b": 2.0}) == ["b", "c", "a"]


def test_scores_equal_in_single_precision_are_equal() -> None:
    assert ranking({"a": 1.0 + 1e-12, "b": 1.0}) == ["b", "a"]


def test_infinite_and_huge_scores_are_ranked() -> None:
    assert ranking({"a": float("-inf"), "b": 1e300, "c": 0.0}) == ["b", "c", "a"]


def test_a_score_that_is_not_a_number_names_query_and_document() -> None:
    with pytest.raises(InputError, match=r"'q'.*'b'.*NaN"):
        per_query({"q": {"a": 1.0, "b": float("nan")}}, {"q": {"a": 1}}, ["mrr"])


@pytest.mark.parametrize(
    "name", ["precision@5", "success", "success@0", "recall@", "ndcg@-1", "mrr@1.5", "MRR", ""]
)
def test_an_unknown_measure_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match="success@K, recall@K, ndcg@K or mrr"):
        Measure.parse(name)


TREC_NAMES = {
    "success_1": "success@1",
    "success_5": "success@5",
    "success_10": "success@10",
    "recall_5": "recall@5",
    "recall_100": "recall@100",
    "recip_rank": "mrr",
    "ndcg": "ndcg",
    "ndcg_cut_5": "ndcg@5",
    "ndcg_cut_10": "ndcg@10",
}
documents = st.sampled_from([f"d{n}" for n in range(30)])
# Few distinct scores, so that ties are common; and full doubles, that only differ past single precision.
scores = st.one_of(
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.floats(-1e6, 1e6, allow_nan=False),
    st.floats(1.0, 1.0 + 1e-6),
)


@settings(max_examples=300, deadline=None)
@given(
    run=st.dictionaries(st.sampled_from("pqrs"), st.dictionaries(documents, scores, min_size=1), min_size=1),
    grades=st.dictionaries(
        # Not below 0: trec_eval's nDCG never ends when no grade of a query reaches 0.
        st.sampled_from("pqrs"),
        st.dictionaries(documents, st.integers(0, 4), min_size=1),
        min_size=1,
    ),
)
def test_measures_equal_those_of_trec_eval(
    run: dict[str, dict[str, float]], grades: dict[str, dict[str, int]]
) -> None:
    names = set(TREC_NAMES)
    theirs = pytrec_eval.RelevanceEvaluator(grades, names).evaluate(run)
    ours = per_query(run, grades, list(TREC_NAMES.values()))
    for query, values in theirs.items():
        for theirs_name, our_name in TREC_NAMES.items():
            assert ours[our_name][query] == pytest.approx(values[theirs_name], abs=1e-9), our_name


@settings(max_examples=100, deadline=None)
@given(answered=st.dictionaries(documents, scores, min_size=1), grade=st.integers(1, 3))
def test_cutting_a_run_by_hand_equals_the_cut_measure(answered: dict[str, float], grade: int) -> None:
    qrels = {"q": {"d1": grade, "d7": 1, "d20": 2}}
    first = {document: answered[document] for document in ranking(answered)[:5]}
    cut = per_query({"q": first}, qrels, ["mrr", "recall"])
    whole = per_query({"q": answered}, qrels, ["mrr@5", "recall@5"])
    assert [*cut["mrr"].values(), *cut["recall"].values()] == [
        *whole["mrr@5"].values(),
        *whole["recall@5"].values(),
    ]


def test_a_grade_below_zero_is_not_relevant() -> None:
    found = per_query(
        {"q": {"a": 3.0, "b": 2.0}}, {"q": {"a": -1, "b": 1}}, ["success@1", "recall", "mrr", "ndcg@10"]
    )
    assert [values["q"] for values in found.values()] == [0.0, 1.0, 0.5, pytest.approx(1 / log2(3))]
