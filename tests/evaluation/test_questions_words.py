"""What words can be asked with, and that they are gone afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.own_units import REST, sentence, unit

from plait.evaluation.questions_words import (
    Holders,
    caption_of,
    heading_of,
    heading_words,
    sentences_of,
    without_caption,
    without_heading,
    without_sentence,
)
from plait.schema import Passage, Picture, Segment

FIGURE = Segment("image", picture=Picture("a.png", "0", 50, 50), caption="A cup of tea", text="tea")


def passages(*texts: str) -> tuple[Passage, ...]:
    return tuple(map(Passage, texts))


def test_a_sentence_is_taken_out_of_every_passage_that_holds_it():
    first = "The valve is closed before the boiler is opened."
    given = replace(unit(1), passages=passages(f"Go. {first}", f"{first.replace(' ', chr(10))} {REST}"))
    left = without_sentence(given, first)
    assert left is not None
    assert [passage.text for passage in left.passages] == ["Go.", REST]


def test_a_sentence_that_a_caption_repeats_cannot_be_taken_out():
    said = sentence(1)
    assert without_sentence(unit(1), said) is not None
    assert without_sentence(unit(1, (replace(FIGURE, caption=said),)), said) is None


def test_a_sentence_stays_where_too_few_words_would_be_left():
    first = "The valve is closed before the boiler is opened."
    assert without_sentence(replace(unit(1), passages=passages(f"{first} That is all.")), first) is None


def test_code_tables_labels_and_lists_are_no_sentences():
    prose = "The valve is closed before the boiler is opened."
    code = "x = [1, 2, 3] + {4: 5} * (6 - 7) / 8;"
    given = (*passages(f"{prose}\n{code}\nSee below.\n{'word ' * 61}"), Passage(sentence(1), table=0))
    assert sentences_of(replace(unit(1), passages=given)) == [prose]


@pytest.mark.parametrize(
    ("figure", "caption"),
    [
        (FIGURE, "A cup of tea"),
        (replace(FIGURE, caption="Figure 3. A cup of tea", label="Figure 3"), "A cup of tea"),
        (replace(FIGURE, caption="", text="a red tea cup"), "a red tea cup"),
        (replace(FIGURE, caption="Figure 3", label="Figure 3"), ""),
        (replace(FIGURE, caption="IMG_2024 1 22 333"), ""),
    ],
)
def test_a_caption_is_asked_without_its_label_or_not_at_all(figure, caption):
    assert caption_of(figure) == caption


def test_a_figure_without_its_caption_is_still_there():
    left = without_caption(unit(1, (FIGURE,)), FIGURE, "A cup of tea")
    assert left is not None
    assert [(one.caption, one.text, one.picture) for one in left.figures] == [("", "", FIGURE.picture)]
    other = replace(FIGURE, picture=None)
    assert without_caption(unit(1, (FIGURE, other)), FIGURE, "A cup of tea") is None


def test_a_heading_goes_from_title_headings_and_passages_alike():
    given = replace(unit(1), title="Tea cups", section=("Kitchen", "2.1. Tea  cups"))
    given = replace(given, passages=(replace(given.passages[0], section=("Tea cups", "More")),))
    assert heading_of(given) == "Tea cups"
    left = without_heading(given, "Tea cups")
    assert left is not None
    assert (left.title, left.section, left.passages[0].section) == ("", ("Kitchen",), ("More",))
    assert without_heading(replace(given, passages=passages("Short.")), "Tea cups") is None
    assert without_heading(replace(given, title="Tea cups - the manual"), "Tea cups") is None


@pytest.mark.parametrize("heading", ["Kitchen", "1.2 3", "4.1. Kitchen"])
def test_a_heading_that_says_too_little_is_not_asked(heading):
    assert heading_of(replace(unit(1), section=(heading,))) == ""


def test_heading_words_stand_in_their_order_without_stop_words():
    given = replace(unit(1), title="The cup", section=("Pour with the small pot", "A cup"))
    for seed in range(20):
        words = heading_words(given, np.random.default_rng(seed)).split()
        assert len(words) in (2, 3)
        assert words == sorted(words, key=["cup", "Pour", "small", "pot"].index)
    assert heading_words(replace(given, section=()), np.random.default_rng(0)) == ""


def test_holders_see_words_across_line_breaks():
    holders = Holders([unit(1), replace(unit(2), passages=passages("a\n cup of\ntea")), unit(3)])
    assert list(holders.of("cup of tea")) == [1]
    assert holders.only("cup of tea", 1)
    assert not holders.only("soft dry cloth", 0)
