"""BM25: hand-worked values, and an independent implementation on the same terms."""

from __future__ import annotations

import math

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.index import bm25 as module
from plait.index.bm25 import Bm25, postings_of, query_terms
from plait.index.lexical import term_counts


def test_bm25_of_three_units_worked_by_hand():
    bm25 = Bm25.of([term_counts(text) for text in ("red cat", "blue cat cat", "dog")])
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))  # two of three units hold "cat"; mean length is 2
    first = idf * 1 / (1 + 1.5 * (0.25 + 0.75 * 2 / 2))
    second = idf * 2 / (2 + 1.5 * (0.25 + 0.75 * 3 / 2))
    assert bm25.scores(["cats"]) == pytest.approx([first, second, 0])


def test_bm25_weighs_texts_and_counts_a_repeated_word_twice():
    bm25 = Bm25.of([term_counts(text) for text in ("red cat", "blue cat cat", "dog")])
    once = bm25.scores(["cat"])
    assert bm25.scores(["cat cat"]) == pytest.approx(2 * once)
    mixed = bm25.scores(["cat", "dog"], [0.25, 0.75])
    assert mixed == pytest.approx(0.25 * once + 0.75 * bm25.scores(["dog"]))


def test_bm25_of_nothing_and_of_empty_units():
    assert Bm25.of([]).scores(["cat"]).shape == (0,)
    assert Bm25.of([term_counts(""), term_counts("...")]).scores(["cat"]).tolist() == [0, 0]


WORD = st.sampled_from(["red", "blue", "cat", "dog", "bird", "tree"])
CORPUS_WORDS = st.lists(WORD, min_size=1, max_size=12)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(CORPUS_WORDS, min_size=2, max_size=8), CORPUS_WORDS)
def test_bm25_equals_the_bm25s_package(corpus, query):
    # bm25s maps words by its own vocabulary, so only words that the corpus knows may be asked
    known = [word for word in query if any(word in unit for unit in corpus)]
    if not known:
        return
    other = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    other.index(corpus, show_progress=False)
    ours = Bm25.of([term_counts(" ".join(unit), language="none") for unit in corpus], language="none")
    assert ours.scores([" ".join(known)]) == pytest.approx(other.get_scores(known), rel=1e-5, abs=1e-6)


TERMS = [term_counts(text) for text in ("red cat", "blue cat cat", "dog", "", "cat dog tree")]


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(0, 5), st.integers(0, 5))
def test_bm25_does_not_depend_on_how_items_are_divided_into_segments(first, second):
    cuts = sorted((first, second))
    parts = [TERMS[: cuts[0]], TERMS[cuts[0] : cuts[1]], TERMS[cuts[1] :]]
    divided = Bm25([postings_of(part) for part in parts])
    assert divided.scores(["cat dog"]).tolist() == Bm25.of(TERMS).scores(["cat dog"]).tolist()


def test_an_item_that_stands_for_many_scores_as_each_of_them():
    copies = np.array([3, 1, 2, 1, 1])
    every = Bm25.of([terms for terms, many in zip(TERMS, copies, strict=True) for _ in range(many)])
    once = Bm25([postings_of(TERMS)], [copies])
    assert len(once) == len(every) == 8
    assert np.repeat(once.scores(["cat dog"]), copies).tolist() == every.scores(["cat dog"]).tolist()


def test_of_the_wanted_items_the_scores_are_the_same(monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 2)  # so that a term's postings take several steps
    bm25 = Bm25.of(TERMS)
    asked = bm25.asked(query_terms(["cat dog"]))
    wanted = np.array([True, False, False, False, True])
    some, all_ = bm25.segment_scores(0, asked, wanted), bm25.segment_scores(0, asked)
    assert some[wanted].tolist() == all_[wanted].tolist()
    assert some[~wanted].tolist() == [0, 0, 0]


@pytest.mark.parametrize("kept_bytes", [4 * 9, 4 * 9 * 2, 1 << 20])  # of nine items: one term, two, all
@settings(deadline=None, max_examples=30)  # a busy machine is no failure
@given(
    st.lists(CORPUS_WORDS, min_size=9, max_size=9),
    st.lists(CORPUS_WORDS, min_size=1, max_size=3),
    st.lists(st.booleans(), min_size=9, max_size=9),
    st.integers(0, 9),
)
def test_scores_from_kept_impacts_are_the_same_to_the_last_bit(kept_bytes, corpus, queries, wanted, cut):
    items = [term_counts(" ".join(unit)) for unit in corpus]
    segments = [postings_of(items[:cut]), postings_of(items[cut:])]
    plain, keeping = Bm25(segments), Bm25(segments, kept_bytes=kept_bytes)
    for query in [*queries, *queries]:  # computed, then kept
        terms = query_terms([" ".join(query), "cat"], [0.7, 0.3])
        for among in (None, np.array(wanted, np.bool_)):
            expected = plain.item_scores(plain.asked(terms), among)
            assert keeping.item_scores(keeping.asked(terms), among).tobytes() == expected.tobytes()
            parts = [None, None] if among is None else [among[:cut], among[cut:]]
            asked = keeping.asked(terms)
            of_parts = [keeping.segment_scores(place, asked, part) for place, part in enumerate(parts)]
            assert np.concatenate(of_parts).tobytes() == expected.tobytes()


def test_what_terms_count_is_the_same_when_it_is_remembered(monkeypatch):
    monkeypatch.setattr(module, "_COUNTED", 1)  # so that what was remembered is forgotten too
    bm25 = Bm25.of(TERMS)
    terms = query_terms(["cat bird dog cat"])
    first = bm25.weights(terms)
    cat = math.log(1 + (5 - 3 + 0.5) / (3 + 0.5))
    assert first == {terms[0][0]: pytest.approx(2 * cat), terms[2][0]: pytest.approx(math.log(1 + 3.5 / 2.5))}
    assert bm25.weights(terms) == first
    bm25.asked(query_terms(["red"]))
    assert bm25.weights(terms) == first
    assert Bm25.of([]).weights(terms) == {}


def test_more_items_than_one_segment_numbers_are_scored_too():
    many = [term_counts("cat")] * 65_536 + [term_counts("dog")]
    scores = Bm25.of(many).scores(["dog"])
    idf = math.log(1 + (65_537 - 1 + 0.5) / (1 + 0.5))
    assert scores[-1] == pytest.approx(idf / (1 + 1.5))
    assert np.flatnonzero(scores).tolist() == [65_536]
