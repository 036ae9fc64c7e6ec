"""Questions that units ask of themselves: what is asked for is gone, or stays where it is right."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tests.helpers.own_units import THINGS, picture, shown, unit

from plait.errors import InputError
from plait.evaluation.questions import KINDS, draw
from plait.evaluation.questions_pictures import Figures, pixels_of
from plait.evaluation.questions_words import spaced
from plait.schema import Passage, Picture, Segment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def units(folder):
    """Forty units; the first thirty show a figure of their own with a caption of its own."""
    captions = [f"A {THINGS[n % len(THINGS)]} as seen from the {n}th side" for n in range(30)]
    return [
        *(unit(n, (shown(folder, n, captions[n]),)) for n in range(30)),
        *(unit(n) for n in range(30, 40)),
    ]


@pytest.fixture(scope="module")
def questions(units):
    return draw(units, count=5)


def test_every_kind_is_asked_and_answered_by_units_that_are_there(units, questions):
    assert Counter(question.kind for question in questions.asked) == dict.fromkeys(KINDS, 5)
    assert len({question.id for question in questions.asked}) == 30
    assert questions.short == {}
    known = {one.id for one in units}
    for question in questions.asked:
        assert question.unit_id in question.relevant
        assert set(question.relevant) <= known
        assert questions.qrels[question.id] == dict.fromkeys(question.relevant, 1)


def test_what_is_taken_out_is_nowhere_in_the_copy(units, questions):
    copy = [questions.changed.get(one.id, one) for one in units]
    texts = [spaced(one.text) for one in copy]
    headings = [spaced(" > ".join((one.title, *one.section))) for one in copy]
    pictures = {figure.picture.sha256 for one in copy for figure in one.figures}
    before = {one.id: one for one in units}
    for question in questions.asked:
        match question.kind:
            case "sentence" | "caption":
                assert not any(question.text in text for text in texts)
            case "title":
                assert not any(question.text in heading for heading in headings)
            case "figure+sentence":
                assert not any(question.text in text for text in texts)
                assert before[question.unit_id].figures[0].picture.sha256 not in pictures


def test_what_stays_is_asked_of_units_as_they_were(questions):
    staying = {q.unit_id for q in questions.asked if q.kind in ("figure", "figure+heading")}
    assert staying.isdisjoint(questions.changed)
    taken = [q.unit_id for q in questions.asked if q.kind not in ("figure", "figure+heading")]
    assert len(taken) == len(set(taken)) == len(questions.changed)


def test_the_same_seed_asks_the_same(units, questions):
    assert draw(units, count=5) == questions
    assert draw(units, count=5, seed=1).asked != questions.asked


def test_kinds_say_why_they_cannot_be_asked():
    found = draw([unit(n) for n in range(9)], count=5)
    assert found.short["figure"] == "no unit has a figure of 32 px or more"
    assert found.short["caption"] == "no unit has a figure with a caption of three words or more"
    assert found.short["title"].startswith("4 of 5: 9 units have a heading")  # the others lost a sentence
    assert "figure" in draw([unit(1)], kinds=["figure"]).short


def test_a_sentence_that_two_units_say_is_not_asked():
    twins = [unit(1), replace(unit(1), id="other:1", document_id="other", section=("Other words",))]
    assert draw(twins, kinds=["sentence"]).asked == ()
    assert {question.text for question in draw(twins, kinds=["title"]).asked} == {
        "Using the bellows 1",
        "Other words",
    }


def test_a_heading_that_another_unit_mentions_is_not_asked():
    mention = replace(unit(2), passages=(Passage("Look below, under Using the bellows 1, for more of it."),))
    assert {question.text for question in draw([unit(1), mention], kinds=["title"]).asked} == set()


def test_a_figure_in_two_files_is_one_and_both_units_are_right(folder):
    one, other = shown(folder, 7), Segment("image", picture=picture(folder, 7, suffix=".bmp"))
    assert one.picture.sha256 != other.picture.sha256
    pair = [unit(1, (one,)), unit(2, (other,)), unit(3, (shown(folder, 8),))]
    kept = draw(pair, kinds=["figure"]).asked
    assert sorted(sorted(question.relevant) for question in kept) == [["d01:1", "d02:2"], ["d03:3"]]
    (removed,) = draw(pair, kinds=["figure+sentence"]).asked
    assert removed.unit_id == "d03:3"


def test_a_figure_on_more_than_ten_units_is_decoration(folder):
    logo = shown(folder, 9)
    assert draw([unit(n, (logo,)) for n in range(11)], kinds=["figure"]).asked == ()
    assert len(draw([unit(n, (logo,)) for n in range(10)], kinds=["figure"]).asked) == 1  # once, for all ten


def test_icons_and_damaged_pictures_are_not_asked_with(folder):
    icon = Segment("image", picture=picture(folder, 10, side=31))
    broken = folder / "broken.png"
    broken.write_bytes(b"\x89PNG nothing")
    damaged = Segment("image", picture=Picture(str(broken), "b" * 64, 50, 50))
    missing = Segment("image", picture=Picture(str(folder / "gone.png"), "c" * 64, 50, 50))
    assert draw([unit(1, (icon, damaged, missing))], kinds=["figure", "figure+sentence"]).asked == ()
    assert Figures([unit(1, (damaged,))]).showing(damaged.picture) == []


def test_an_edited_picture_has_seventy_hundredths_of_the_area_and_other_bytes(folder, questions):
    question = next(question for question in questions.asked if question.kind == "figure")
    with Image.open(io.BytesIO(question.image)) as image:
        assert image.format == "JPEG"
        assert 0.5 * 0.83 * 48 - 1 <= image.width <= 0.9 * 0.84 * 48 + 1


def test_pixels_are_told_apart_by_their_colours_alone(folder):
    assert pixels_of(picture(folder, 3).path) == pixels_of(picture(folder, 3, suffix=".bmp").path)
    assert pixels_of(picture(folder, 3).path) != pixels_of(picture(folder, 4).path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ["sentence", "song"]}, "unknown kind of question: song"),
        ({"kinds": []}, "unknown kind of question: none"),
        ({"count": 0}, "at least 1, got 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        draw([unit(1)], **options)
