"""Each kind of question, word by word: what it asks, and the document without what it asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.train.self_supervised.sections import SENTENCES, named, section

from plait.train.self_supervised.questions import KINDS, Asking, Question, figures_of, questions_of

HEADING = "Descaling > What to do"
SACHET = named("sachet", "The sachet of citric acid")
TANK = named("tank", "The tank, full to the mark", side=60)


def asked(unit, *kinds, figure_out=False, headings_out=False, most=1, edits=1, seed=0) -> list[Question]:
    asking = Asking(frozenset(kinds or KINDS), most, edits, figure_out=figure_out, headings_out=headings_out)
    return questions_of(unit, figures_of(unit), asking, seed=seed)


def test_a_sentence_asks_for_the_rest_of_its_section():
    (question,) = asked(section(), "sentence")
    assert question.text in SENTENCES
    rest = " ".join(one for one in SENTENCES if one != question.text)
    assert question.document == f"{HEADING}\n{rest}"
    assert (question.asking, question.shown) == (None, None)


def test_other_seeds_and_sections_ask_with_other_sentences():
    of_seeds = {asked(section(), "sentence", seed=seed)[0].text for seed in range(30)}
    of_sections = {asked(section(ordinal=place), "sentence")[0].text for place in range(30)}
    assert of_seeds == of_sections == set(SENTENCES)


def test_a_figure_asks_for_its_section_which_still_shows_it():
    found = asked(section(TANK, SACHET), "figure", most=2, edits=2)
    assert [(one.asking, one.edit) for one in found] == [
        (SACHET.picture, 0), (SACHET.picture, 1), (TANK.picture, 0), (TANK.picture, 1)
    ]  # fmt: skip
    assert all(one.shown == one.asking and one.text == "" for one in found)
    body = " ".join(SENTENCES)
    assert found[0].document == f"{HEADING}\n{SACHET.caption}\n{body}"
    assert found[3].document == f"{HEADING}\n{TANK.caption}\n{body}"


def test_a_removed_sentence_and_figure_are_both_gone():
    (question,) = asked(section(SACHET, TANK), "removed", figure_out=True)
    assert question.text in SENTENCES
    assert question.asking == SACHET.picture
    assert question.shown == TANK.picture
    rest = " ".join(one for one in SENTENCES if one != question.text)
    assert question.document == f"{HEADING}\n{TANK.caption}\n{rest}"


def test_the_only_figure_removed_leaves_words_alone():
    found = asked(section(SACHET), figure_out=True, edits=3, most=2)
    removed = [one for one in found if one.kind == "removed"]
    assert [one.edit for one in removed] == [0, 1, 2]
    assert removed[0].text == removed[2].text != removed[1].text
    assert {one.shown for one in found} == {None}
    assert {one.kind for one in found} == {"sentence", "removed"}


def test_a_caption_asks_for_its_figure_alone_and_is_in_no_document():
    found = asked(section(SACHET, TANK), "caption", "sentence", "figure", most=2)
    captions = [one for one in found if one.kind == "caption"]
    assert [(one.text, one.document, one.shown) for one in captions] == [
        (SACHET.caption, "", SACHET.picture), (TANK.caption, "", TANK.picture)
    ]  # fmt: skip
    assert all(SACHET.caption not in one.document and TANK.caption not in one.document for one in found)


def test_an_alternative_text_asks_where_there_is_no_caption_but_no_name_of_a_file_does():
    words = named("a", alternative="a hand  opens the tank")
    assert [one.text for one in asked(section(words), "caption")] == ["a hand opens the tank"]
    assert asked(section(named("b", alternative="IMG_0042.png")), "caption") == []


def test_a_title_asks_for_a_section_without_its_headings():
    passages = ("What to do\n" + " ".join(SENTENCES),)
    found = asked(section(passages=passages), "title", "sentence", headings_out=True)
    (title,) = [one for one in found if one.kind == "title"]
    assert title.text == "Descaling: What to do"
    for one in found:
        assert "Descaling" not in one.document
        assert "What to do" not in one.document
    assert {one.document for one in found} == {title.document}


def test_a_title_is_said_once_where_the_heading_repeats_it():
    (question,) = asked(section(headings=("Descaling",)), "title", headings_out=True)
    assert question.text == "Descaling"
    assert asked(section(title="2.1", headings=()), "title", headings_out=True) == []


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("figure_out", [True, False])
@pytest.mark.parametrize("headings_out", [True, False])
def test_no_document_of_a_section_holds_what_any_of_its_questions_took_out(seed, figure_out, headings_out):
    repeated = " ".join(SENTENCES) + f' He said: "{SENTENCES[0]}"'
    unit = section(
        named("x", SENTENCES[1]), named("y", "The tank, full"), passages=(repeated,),
        headings=("Descaling", SENTENCES[2]),
    )  # fmt: skip
    found = asked(unit, figure_out=figure_out, headings_out=headings_out, most=2, edits=2, seed=seed)
    assert {"sentence", "title" if headings_out else "sentence"} <= {one.kind for one in found}
    taken = [one.text for one in found if one.kind in ("sentence", "removed", "caption")]
    assert all(words not in one.document for words in taken for one in found)
    gone = {one.asking for one in found if one.kind == "removed"}
    assert not gone & {one.shown for one in found}
    assert bool(gone) == figure_out


def test_what_two_passages_share_stands_in_the_document_once():
    (question,) = asked(section(TANK), "figure")
    assert question.document.count(SENTENCES[2]) == 1
    assert question.document.endswith(" ".join(SENTENCES))


def test_at_most_half_of_a_section_is_asked_for():
    found = asked(section(), "sentence", most=5)
    asked_words = sum(len(one.text.split()) for one in found)
    assert 0 < asked_words <= sum(len(one.split()) for one in SENTENCES) / 2


def test_sentences_of_four_or_of_61_words_are_not_asked_with():
    long = "Word " * 60 + "end."
    unit = section(passages=(f"Only four words here. {long} These are exactly five words.",))
    assert {asked(unit, "sentence", seed=seed)[0].text for seed in range(10)} == {
        "These are exactly five words."
    }


def test_of_a_long_section_neighbouring_sentences_of_120_words_or_little_more_stand_for_it():
    every = [f"This is sentence number {number} of a long page." for number in range(60)]  # 9 words each
    unit = section(named("x"), passages=(" ".join(every),))
    starts = set()
    for seed in range(20):
        (question,) = asked(unit, "figure", seed=seed)
        body = question.document.splitlines()[-1]
        first = next(number for number, one in enumerate(every) if body.startswith(one))
        assert body == " ".join(every[first : first + 14])  # 13 sentences are 117 words
        starts.add(first)
    assert len(starts) > 10


def test_too_few_words_ask_nothing_but_a_caption_still_asks_for_its_figure():
    short = ("The tank holds two litres of water.",)
    assert asked(section(passages=short), headings_out=True) == []
    found = asked(section(SACHET, passages=short), headings_out=True)
    assert [one.kind for one in found] == ["caption"]


def test_a_figure_that_an_earlier_section_shows_is_shown_but_does_not_ask():
    unit = section(SACHET)
    figures = [replace(figure, is_new=False) for figure in figures_of(unit)]
    for figure_out in (True, False):
        asking = Asking(frozenset(KINDS), 1, 1, figure_out=figure_out, headings_out=False)
        (question,) = questions_of(unit, figures, asking, seed=0)
        assert (question.kind, question.shown) == ("sentence", SACHET.picture)


def test_icons_are_no_figures():
    assert figures_of(section(named("icon", side=31), TANK)) == figures_of(section(TANK))
