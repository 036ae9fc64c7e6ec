"""The words of a passage: which are shown, how much they say, and where they stand."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from plait.index.lexical import spans, words
from plait.search.explaining.words import matched_words

LETTERS = "abcdefgh ÄÖßéİıﬁ'’_-.0123456789日本語ひら한글אב\n\t①℃e\u0301"


def told(found):
    return [(word.text, round(word.weight, 3), word.by) for word in found]


def test_words_that_the_query_has_in_some_form_weigh_by_how_rare_they_are():
    found = matched_words("The pumps of a small pump-house.", {"pump": 4.0, "hous": 4.0, "small": 1.0})

    assert told(found) == [
        ("pumps", 0.5, "word"),  # twice there: half each time
        ("small", 0.25, "word"),
        ("pump", 0.5, "word"),
        ("house", 1.0, "word"),
    ]


def test_a_word_much_commoner_than_another_is_not_shown():
    assert told(matched_words("turn the valve", {"valv": 4.0, "the": 0.9})) == [("valve", 1.0, "word")]


def test_words_that_mean_the_like_stand_beside_them():
    passage = "close the tap"
    found = matched_words(passage, {"close": 1.0}, [(0, 5, -0.1), (6, 9, 0.1), (10, 13, 0.5)])

    assert told(found) == [("close", 1.0, "word"), ("tap", 0.5, "meaning")]


def test_pieces_of_a_word_add_up_and_signs_are_not_shown_for_their_meaning():
    passage = "carburettor 7"
    found = matched_words(passage, {}, [(0, 4, 0.2), (4, 11, 0.3), (12, 13, 0.9)])

    assert told(found) == [("carburettor", 0.556, "meaning")]


def test_scripts_without_spaces_are_matched_in_pairs_and_shown_as_one():
    weights = dict.fromkeys(words("換気扇"), 1.0)

    (found,) = matched_words("この換気扇は静か", weights)

    assert (found.text, found.start, found.end) == ("換気扇", 2, 5)


def test_stems_are_those_of_the_language():
    (found,) = matched_words("Die Häuser", {"haus": 1.0}, language="german")
    assert found.text == "Häuser"


def test_nothing_is_shown_where_nothing_speaks():
    assert matched_words("turn the valve", {}) == ()
    assert matched_words("", {"valv": 1.0}) == ()


@given(st.text(LETTERS, max_size=40), st.text(LETTERS, min_size=1, max_size=8))
def test_offsets_point_at_the_words(passage, asked):
    weights = dict.fromkeys(words(asked), 1.0)
    products = [(0, len(passage) // 2, 0.3), (len(passage) // 2, len(passage), 0.1)]

    found = matched_words(passage, weights, products)

    assert all(passage[word.start : word.end] == word.text for word in found)
    assert all(0 < word.weight <= 1 for word in found)
    assert all(weights.keys() & set(words(word.text)) for word in found if word.by == "word")
    assert [word.start for word in found] == sorted(word.start for word in found)
    pairs = [(one, other) for one, other in pairwise(found) if one.by == other.by == "word"]
    assert all(one.end <= other.start for one, other in pairs)


@given(st.text("ab cÄß_'1.日本 ", max_size=30))
def test_spans_give_the_words_that_the_index_counts(text):
    assert [term for _, _, terms in spans(text) for term in terms] == words(text)
