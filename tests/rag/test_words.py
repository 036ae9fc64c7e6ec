"""Sentences are cut where they end, and only words that mean something are kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.rag.words import content_words, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("See Fig. 3 for it. Then stop.", ["See Fig. 3 for it.", "Then stop."]),
        ("Use 2.5 g, e.g. salt. Done", ["Use 2.5 g, e.g. salt.", "Done"]),
        ("It is hot. [1][2] Wait. [3]", ["It is hot. [1][2]", "Wait. [3]"]),
        ("Set it to 9. Then wait.", ["Set it to 9.", "Then wait."]),
        ("It is hot [1]. Wait [2].", ["It is hot [1].", "Wait [2]."]),
        ("a line\nbroken softly\n\nA new block", ["a line broken softly", "A new block"]),
        ("水を入れる。蓋を閉める。", ["水を入れる。", "蓋を閉める。"]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_says(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text(alphabet="ab .!?[]1\n。", max_size=60))
def test_no_character_but_white_space_is_lost(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_question_words_carry_no_meaning() -> None:
    assert content_words("How do I clean this, please?") == ["clean"]


def test_forms_of_a_word_are_one_word() -> None:
    assert content_words("descaling") == content_words("descaled") == content_words("DESCALE")
