"""Questions as they are put, and which units answer them."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.helpers.tiny_packages import drawing

from plait.encode.mini import MiniEncoder
from plait.schema import Passage, Picture, Segment, Unit
from plait.train.mini.lanes import pose, score_posed
from plait.train.mini.queries import Question


def unit(row: int, figure: Picture | None) -> Unit:
    figures = (Segment("image", picture=figure),) if figure else ()
    words = f"Plane number {row} hangs on the wall of the shed, beside the window."
    return Unit(f"m:{row}", "m", row, "Tools", passages=(Passage(words),), figures=figures)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    folder = tmp_path_factory.mktemp("figures")
    found = []
    for seed in range(2):
        picture = drawing(seed).convert("RGB")
        picture.save(folder / f"{seed}.png")
        found.append(Picture(str(folder / f"{seed}.png"), f"sha {seed}", *picture.size))
    return found


@pytest.fixture(scope="module")
def manual(figures: list[Picture]) -> list[Unit]:
    """Two units show the first figure, the third the second one, the last none."""
    return [unit(0, figures[0]), unit(1, figures[0]), unit(2, figures[1]), unit(3, None)]


UNRELATED = [Image.new("RGB", (50, 40), "teal"), Image.new("RGB", (50, 40), "navy")]


def test_a_question_is_put_with_an_edit_of_its_figure(manual: list[Unit], figures: list[Picture]) -> None:
    questions = [Question("text", "on the wall", "", 0), Question("image", "", "sha 1", 2)]
    text, image = pose(manual, questions, UNRELATED)
    assert (text.query.texts, text.query.images, text.original) == (("on the wall",), (), "")
    assert (image.query.texts, image.original, image.row) == ((), figures[1].path, 2)
    with Image.open(io.BytesIO(image.query.images[0])) as edited:
        assert edited.width * edited.height < figures[1].width_px * figures[1].height_px


def test_unrelated_pictures_take_turns_and_have_no_original(manual: list[Unit]) -> None:
    questions = [Question("unrelated", "on the wall", "*", row) for row in range(3)]
    posed = pose(manual, questions, UNRELATED)
    assert [one.original for one in posed] == [""] * 3
    pixels = []
    for one in posed:
        with Image.open(io.BytesIO(one.query.images[0])) as edited:
            pixels.append(edited.convert("RGB").getpixel((5, 5)))
    assert np.abs(np.subtract(pixels, [(0, 128, 128), (0, 0, 128), (0, 128, 128)])).max() < 12


def test_an_edit_depends_on_the_number_of_its_question_alone(manual: list[Unit]) -> None:
    questions = [Question("image", "", "sha 0", 0)] * 2
    first, again = pose(manual, questions, UNRELATED), pose(manual, questions, UNRELATED)
    assert [one.query for one in first] == [one.query for one in again]
    assert first[0].query != first[1].query


def test_units_that_show_the_same_figure_answer_alike_where_only_the_picture_says_what_is_meant(
    manual: list[Unit],
) -> None:
    questions = [
        Question("image", "", "sha 0", 0),
        Question("vague", "what is this?", "sha 0", 1),
        Question("kept", "plane number", "sha 0", 1),
        Question("image", "", "sha 1", 2),
        Question("text", "on the wall", "", 3),
    ]
    asked = score_posed(MiniEncoder.load(threads=1), manual, pose(manual, questions, UNRELATED))
    assert [np.flatnonzero(one.answers).tolist() for one in asked] == [[0, 1], [0, 1], [1], [2], [3]]


def test_a_figure_that_still_stands_elsewhere_was_not_removed(manual: list[Unit]) -> None:
    questions = [
        Question("removed", "on the wall", "sha 0", 0),
        Question("removed", "in the shed", "sha 1", 2),
    ]
    corpus = [replace(one, figures=()) if row in (0, 2) else one for row, one in enumerate(manual)]
    asked = score_posed(MiniEncoder.load(threads=1), corpus, pose(manual, questions, UNRELATED))
    assert [np.flatnonzero(one.answers).tolist() for one in asked] == [[2]]


def test_without_any_figure_left_nothing_is_a_copy(manual: list[Unit]) -> None:
    corpus = [replace(one, figures=()) for one in manual]
    questions = [Question("removed", "on the wall", "sha 0", 0)]
    (asked,) = score_posed(MiniEncoder.load(threads=1), corpus, pose(manual, questions, UNRELATED))
    assert np.isnan(asked.lanes["image"]).all()
    assert asked.answers.tolist() == [True, False, False, False]
