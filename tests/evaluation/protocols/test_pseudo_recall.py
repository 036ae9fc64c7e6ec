from __future__ import annotations

import pytest

from plait.data.collections.pools import Candidate, PoolQuery
from plait.data.training.examples import Side
from plait.evaluation.protocols.pseudo_recall import depth_of, holds, pseudo_recall

PASSAGES = [
    Candidate("a", Side("It was first played in a party of two.")),
    Candidate("b", Side("TENNIS is older.")),
    Candidate("c", Side("Nothing of that.")),
    Candidate("d", Side(image="/no/words.png")),
]


def asked(name, *answers):
    return PoolQuery(name, Side("?"), "text", answers=answers)


def values(run, *queries, measures=("pseudo-recall@1", "pseudo-recall@2")):
    return pseudo_recall({"one": run}, queries, PASSAGES, measures)["one"]


def test_any_answer_in_any_of_the_first_passages_counts_once():
    found = values({"q": {"c": 3.0, "b": 2.0, "a": 1.0}}, asked("q", "golf", " Tennis "))
    assert found == {"pseudo-recall@1": {"q": 0.0}, "pseudo-recall@2": {"q": 1.0}}


def test_an_answer_is_found_inside_a_word_as_in_the_official_scripts():
    assert values({"q": {"a": 1.0}}, asked("q", "art"))["pseudo-recall@1"] == {"q": 1.0}


def test_a_blank_answer_is_found_everywhere_and_none_nowhere():
    found = values({"q": {"c": 1.0}, "r": {"c": 1.0}}, asked("q", " "), asked("r"))
    assert found["pseudo-recall@1"] == {"q": 1.0, "r": 0.0}


def test_a_query_that_found_nothing_or_a_picture_without_words_has_nothing():
    found = values({"q": {"d": 1.0}}, asked("q", "tennis"), asked("r", "tennis"))
    assert found["pseudo-recall@2"] == {"q": 0.0, "r": 0.0}


def test_equal_scores_are_ordered_as_everywhere_by_the_greater_id():
    assert values({"q": {"b": 1.0, "c": 1.0}}, asked("q", "tennis"))["pseudo-recall@1"] == {"q": 0.0}


def test_passages_are_read_once_for_all_runs_and_answers_of_one_query_do_not_serve_another():
    read = iter(PASSAGES)
    runs = {"one": {"q": {"b": 1.0}, "r": {"a": 1.0}}, "two": {"q": {"a": 1.0}, "r": {"b": 1.0}}}
    queries = [asked("q", "tennis"), asked("r", "party")]
    found = pseudo_recall(runs, queries, read, ["pseudo-recall@1", "success@1"])
    assert found["one"] == {"pseudo-recall@1": {"q": 1.0, "r": 1.0}}
    assert found["two"] == {"pseudo-recall@1": {"q": 0.0, "r": 0.0}}


@pytest.mark.parametrize(
    ("text", "answers", "held"),
    [("Straße", ["STRASSE"], False), ("ÉCOLE", ["école"], True), ("two", ["2"], False), ("", ["x"], False)],
)
def test_letters_are_compared_lowered_and_not_otherwise(text, answers, held):
    assert holds(text, answers) is held


def test_the_names_of_the_measure():
    assert [depth_of(name) for name in ("pseudo-recall@5", "pseudo-recall@0", "recall@5")] == [5, None, None]
