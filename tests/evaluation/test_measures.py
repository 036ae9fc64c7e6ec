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


def test_scores_past_single_precision_are_ranked_as_single_precision_sees_them() -> None:
    assert ranking({"a": -1e300, "b": 1e39, "c": 1e300, "d": 3e38, "e": 1e-300, "f": 0.0}) == [
        *("c", "b"),  # both infinite
        "d",
        *("f", "e"),  # both 0
        "a",
    ]


@pytest.mark.parametrize("score", ["nan", "inf", "-inf"])
def test_a_score_that_is_no_finite_number_names_query_and_document(score: str) -> None:
    with pytest.raises(InputError, match=f"'q' gives document 'b' the score {score}: expected a finite"):
        per_query({"q": {"a": 1.0, "b": float(score)}}, {"q": {"a": 1}}, ["mrr"])


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
# Ids of which the order as text is not that of their numbers, their letters' case, or their UTF-16.
documents = st.sampled_from([*(f"d{n}" for n in range(22)), "D3", "d", "é", "zz", "\uffee", "😀", "a b", "-"])
# Few distinct scores, so that ties are common; full doubles, that only differ past single precision; and
# such that single precision holds as infinite or 0.
scores = st.one_of(
    st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0, 1e-46, 1e-300, 1e39, 1e300, -1e39]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(1.0, 1.0 + 1e-6),
)
queries = st.sampled_from("pqrs")
# trec_eval's nDCG never ends when no grade of a query reaches 0, and pytrec_eval has no query without any.
judgements = st.dictionaries(documents, st.integers(-2, 4), min_size=1).filter(
    lambda grades: max(grades.values()) >= 0
)


@settings(max_examples=300, deadline=None)
@given(
    run=st.dictionaries(queries, st.dictionaries(documents, scores), min_size=1),
    qrels=st.dictionaries(queries, judgements, min_size=1),
)
def test_measures_equal_those_of_trec_eval(
    run: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]]
) -> None:
    """A grade below 0 is not relevant in both; a query without relevant document is 0 in both."""
    theirs = pytrec_eval.RelevanceEvaluator(qrels, set(TREC_NAMES)).evaluate(run)
    ours = per_query(run, qrels, list(TREC_NAMES.values()))
    assert set(theirs) == set(run) & set(qrels)
    for theirs_name, our_name in TREC_NAMES.items():
        # trec_eval passes over what the run does not answer, unless told -c; here it is 0.
        expected = {query: theirs.get(query, {}).get(theirs_name, 0.0) for query in qrels}
        assert ours[our_name] == pytest.approx(expected, abs=1e-9, rel=0), our_name


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
