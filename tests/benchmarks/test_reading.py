"""The benchmark of reading: scores worked out by hand, a sample that a seed repeats, shuffled streams."""

from __future__ import annotations

import random

import pypdfium2
import pytest
from benchmarks.reading.ocr import distance, errors, turned
from benchmarks.reading.overlays import Mark, drawn, kind_of
from benchmarks.reading.sample import Article, Shown, make
from benchmarks.reading.sample_looks import LOOKS
from benchmarks.reading.sample_shuffle import shuffled
from benchmarks.reading.scoring import (
    is_found,
    longest_common_subsequence,
    order,
    pairs,
    score,
    shared,
    words_of,
)
from PIL import Image

from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line
from plait.schema import Box, Document, Segment

TRUTH = list("abcdefghij")


def text(words: str, **more) -> Segment:
    return Segment("text", words, **more)


def test_words_are_compared_without_case_punctuation_and_ligatures():
    assert words_of(["The ﬁle's Two-sided", "𝑥 = 3.5"]) == ["the", "file", "s", "two", "sided", "x", "3", "5"]


@pytest.mark.parametrize(
    ("found", "right"),
    [
        ("abcdefghij", 1.0),
        ("abXcdefYghij", 1.0),  # words between cost nothing
        ("bcdefghija", 0.9),  # a word at the wrong end
        ("fghijabcde", 0.5),  # halves changed: as columns read from right to left
        ("afbgchdiej", 0.6),  # columns read line by line: a f g h i j
        ("", 0.0),
    ],
)
def test_order_is_the_share_of_the_truth_that_stands_in_order(found, right):
    assert order(TRUTH, list(found)) == pytest.approx(right)


def test_the_longest_common_subsequence_is_that_of_the_usual_table():
    draw = random.Random(1)
    for _ in range(50):
        one, other = ([draw.choice("abcd") for _ in range(draw.randint(0, 70))] for _ in range(2))
        assert longest_common_subsequence(one, other) == _by_table(one, other)


def _by_table(one, other):
    above = [0] * (len(other) + 1)
    for word in one:
        row = [0]
        for place, against in enumerate(other):
            row.append(above[place] + 1 if word == against else max(above[place + 1], row[place]))
        above = row
    return above[-1]


def test_pairs_break_wherever_words_are_parted():
    assert pairs(TRUTH, list("abcdeXfghij")) == pytest.approx(8 / 9)


def test_boxes_share_what_both_cover_of_what_either_covers():
    one = Box(0.0, 0.0, 0.2, 0.2)
    assert shared(one, one) == pytest.approx(1.0)
    assert shared(one, Box(0.1, 0.0, 0.3, 0.2)) == pytest.approx(1 / 3)
    assert shared(one, Box(0.5, 0.5, 0.6, 0.6)) == 0.0


def test_a_figure_needs_its_page_its_crop_and_its_caption():
    box = Box(0.1, 0.1, 0.5, 0.5)
    shown = Shown("figure", "Figure 1", "Figure 1: A saw.", 2, box)
    assert is_found(shown, Segment("image", caption="Figure 1: A saw.", page=2, box=box))
    assert not is_found(shown, Segment("image", caption="Figure 1: A saw.", page=3, box=box))
    assert not is_found(shown, Segment("image", caption="Figure 1: A", page=2, box=box))
    assert not is_found(
        shown, Segment("image", caption="Figure 1: A saw.", page=2, box=Box(0.1, 0.1, 0.5, 0.3))
    )


def test_an_article_is_scored_by_its_running_text_and_by_what_stands_beside_it(tmp_path):
    box = Box(0.1, 0.1, 0.5, 0.5)
    rows = (("tool", "use"), ("saw", "7"))
    shown = (Shown("table", "Table 1", "Table 1: Use.", 1, box, rows),)
    article = Article(
        tmp_path, 1, ("Title", "1 Saws", "one two three four"), ("1 Saws", "2 Axes"), ("note",), shown
    )
    document = Document(
        "id",
        "Title",
        "file.pdf",
        segments=(
            text("Title"),
            text("1 Saws", section=("1 Saws",)),
            text("three four one head", section=("1 Saws",)),
            text("1 note", role="footnote"),
            Segment("table", "tool | use", rows=rows),
        ),
    )
    found = score(article, document)
    # True: title 1 saws one two three four. Read: title 1 saws three four one head.
    assert (found.words, found.recall, found.extra) == (7, pytest.approx(6 / 7), pytest.approx(1 / 7))
    assert found.order == pytest.approx(5 / 7)
    assert found.pairs == pytest.approx(3 / 6)
    assert (found.headings, found.footnotes, found.tables, found.figures) == (0.5, 1.0, 1.0, 1.0)


def test_a_seed_gives_one_sample_and_shuffling_moves_only_the_stream(tmp_path):
    one, again = (make(tmp_path / name, seed=3, looks=LOOKS[:1], sections=2)[0] for name in ("one", "again"))
    assert one.text == again.text
    assert one.shown == again.shown
    assert len(set(one.text)) > 10
    target = tmp_path / "shuffled.pdf"
    assert shuffled(one.path, target, seed=1) < 0.5
    places = [_places(path) for path in (one.path, target)]
    assert sorted(places[0]) == sorted(places[1])
    assert order(*places) < 0.5


def _places(path):
    """Return where the text objects of a first page stand, in the order of its stream."""
    with pypdfium2.PdfDocument(path) as pdf:
        return [
            str([round(edge) for edge in item.get_bounds()])
            for item in pdf[0].get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_TEXT])
        ]


@pytest.mark.parametrize(
    ("one", "other", "edits"), [("kitten", "sitting", 3), ("", "abc", 3), ("saw", "saw", 0), ("on", "no", 2)]
)
def test_distance_counts_letters_to_insert_delete_and_replace(one, other, edits):
    assert distance(one, other) == distance(other, one) == edits


def test_lines_are_compared_with_what_was_read_in_their_place():
    truth = [Line("A saw cuts.", Rect(0, 0, 110, 10), 10.0), Line("hidden", Rect(0, 50, 60, 60), 10.0)]
    read = [
        Line("cuts,", Rect(60, 1, 110, 11), 10.0),
        Line("A saw", Rect(0, 1, 50, 11), 10.0),
        Line("xy", Rect(0, 30, 20, 40), 10.0),
        Line("other", Rect(0, 50, 60, 60), 10.0),
    ]
    # One letter is wrong, two are read where there is nothing; what is hidden counts on neither side.
    assert errors(truth, read, [Rect(0, 45, 100, 65)]) == (3, 11)


def test_a_box_of_a_turned_page_goes_back_to_its_place():
    page = Rect(0, 0, 200, 200)
    assert turned(Rect(190, 95, 200, 105), page, 90.0) == pytest.approx((95, 190, 105, 200))


def test_an_overlay_draws_each_segment_in_the_colour_of_its_kind():
    assert kind_of(text("1 Saws", section=("1 Saws",))) == "heading"
    assert kind_of(text("A saw.", section=("1 Saws",))) == "text"
    assert kind_of(text("A note.", role="footnote")) == "footnote"
    assert kind_of(Segment("image")) == "figure"
    page = Image.new("RGB", (100, 80), "white")
    marked = drawn(page, [Mark("table", Box(0.5, 0.5, 0.9, 0.9), "1")])
    assert marked.width == 100
    legend = marked.height - page.height
    assert marked.getpixel((50 - 2, legend + 70)) == (200, 120, 0)
    assert marked.getpixel((30, legend + 70)) == (255, 255, 255)
