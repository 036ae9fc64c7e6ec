"""Words, and the numbers that stand for them."""

from __future__ import annotations

import subprocess
import sys
from threading import Thread

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plait.index import lexical
from plait.index.lexical import term_counts, term_hash, words


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
    assert words("Blurred images", language="none") == ["blurred", "images"]


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


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@example("It’s 2.10, don't: naïve_café x__y_ _ __ Ünïcode ŒUVRE ﬁne straße İstanbul")
@example("ЁЛКА и Ἀθήνα, Αθήνα's ①②½ Ⅷ \U0001f52c²")
@example("世界中の人々 hello_世界 ภาษาไทย नमस्ते שָׁלוֹם 한국어")
def test_scripts_that_part_words_by_spaces_give_the_words_of_the_pattern_for_all(text: str) -> None:
    found = words(text, language="none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexical, "_SPACED_WORD", lexical._WORD)
        assert found == words(text, language="none")
