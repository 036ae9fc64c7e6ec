"""Words and BM25: hand-worked values, and an independent implementation on the same terms."""

from __future__ import annotations

import math
import subprocess
import sys
from threading import Thread

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.index.lexical import Bm25, term_counts, term_hash, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The images, blurred!", ["the", "imag", "blur"]),
        ("ＦＵＬＬ ﬁle", ["full", "file"]),
        ("STRASSE Straße", ["strass", "strass"]),
        ("version 2.10.34, 3.5px", ["version", "2.10.34", "3.5", "px"]),
        ("v4l2 np.array", ["v4l2", "np", "array"]),
        ("max_iter", ["max_iter", "max", "iter"]),
        ("__init__ _ ___", ["init"]),
        ("画像の検索 我", ["画像", "像の", "の検", "検索", "我"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("café", ["café"]),
        ("don’t don't", ["don't", "don't"]),
        ("", []),
        (" … — ", []),
    ],
)
def test_words_of(text, expected):
    assert words(text) == expected


def test_words_keep_their_endings_without_stemming():
    assert words("Blurred images", stem=False) == ["blurred", "images"]


def test_term_hash_is_the_same_in_another_process():
    code = "from plait.index.lexical import term_hash; print(term_hash('gaussian'))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == term_hash("gaussian") == 10816762417085932991


def test_term_counts_are_sorted_distinct_and_sum_to_the_length():
    hashes, counts, length = term_counts("cat dog cat bird cats")
    assert (np.diff(hashes.astype(object)) > 0).all()
    assert dict(zip(hashes.tolist(), counts.tolist(), strict=True))[term_hash("cat")] == 3
    assert counts.sum() == length == 5


@settings(deadline=None)  # a busy machine is no failure
@given(st.text())
def test_any_text_can_be_counted(text):
    hashes, counts, length = term_counts(text)
    assert len(hashes) == len(counts) <= length == len(words(text))


def test_stemming_from_many_threads_gives_what_one_thread_gives():
    texts = [
        f"running{i} " + " ".join(f"walk{chr(97 + i)}{chr(97 + j)}ings" for j in range(20)) for i in range(20)
    ]
    expected = [words(text) for text in texts]
    found: dict[int, list[list[str]]] = {}
    threads = [
        Thread(target=lambda number=number: found.update({number: [words(t) for t in texts]}))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[number] == expected for number in range(4))


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
    ours = Bm25.of([term_counts(" ".join(unit), stem=False) for unit in corpus], stem=False)
    assert ours.scores([" ".join(known)]) == pytest.approx(other.get_scores(known), rel=1e-5, abs=1e-6)
