"""Reading order and paragraphs from places alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line
from plait.data.readers.pdf.figures import is_caption
from plait.data.readers.pdf.hyphens import Hyphens
from plait.data.readers.pdf.layout import columns, join_runs
from plait.data.readers.pdf.paragraphs import leading_of, paragraphs


def line(text: str, x: float, y: float, *, width: float = 200, size: float = 10) -> Line:
    return Line(text, Rect(x, y, x + width, y + size), size)


def test_words_of_one_line_are_joined_but_not_across_a_gutter():
    runs = [line("cut", 40, 0, width=20), line("The", 10, 0, width=25), line("Right", 72, 1, width=30)]
    assert sorted(joined.text for joined in join_runs(runs)) == ["Right", "The cut"]


@given(st.permutations(range(20)))
def test_columns_do_not_depend_on_the_order_given(order):
    boxes = [
        Rect(50 + 260 * (i % 2), 12 * (i // 2), 290 + 260 * (i % 2), 12 * (i // 2) + 10) for i in range(20)
    ]
    given_boxes = [boxes[i] for i in order]
    found = [order[i] for column in columns(given_boxes) for i in column]
    assert found == [*range(0, 20, 2), *range(1, 20, 2)]


def test_three_columns_are_read_from_left_to_right():
    boxes = [Rect(40 + 180 * c, 12 * r, 205 + 180 * c, 12 * r + 10) for r in range(10) for c in range(3)]
    found = [i for column in columns(boxes) for i in column]
    assert found == [3 * r + c for c in range(3) for r in range(10)]


def test_the_short_end_of_a_paragraph_across_the_columns_stays_with_it():
    wide = [Rect(50, 0, 550, 10), Rect(50, 12, 200, 22)]
    below = [Rect(50 + 260 * c, 60 + 12 * r, 290 + 260 * c, 70 + 12 * r) for c in range(2) for r in range(8)]
    assert columns([*wide, *below])[0] == [0, 1]


def test_indents_sizes_gaps_and_bullets_begin_paragraphs():
    lines = [
        line("Heading", 10, 0, width=60, size=14),
        line("First line of text", 10, 20),
        line("and its end.", 10, 32, width=60),
        line("Indented line", 20, 44, width=190),
        line("goes on", 10, 56),
        line("• a point", 10, 68),
        line("after a gap", 10, 100),
    ]
    found = paragraphs(lines, leading=leading_of(lines))
    assert [p.text for p in found] == [
        "Heading",
        "First line of text and its end.",
        "Indented line goes on",
        "• a point",
        "after a gap",
    ]


def test_only_a_lower_case_word_is_joined_over_a_hyphen():
    lines = [line("Jean-", 10, 0), line("Paul saw the well-", 10, 12), line("known saw", 10, 24)]
    text = paragraphs(lines, leading=12)[0].text
    assert Hyphens([text]).settled(text) == "Jean-Paul saw the wellknown saw"


def test_captions_are_told_from_sentences():
    captions = (
        "Figure 1: A saw",
        "Fig. 2. Teeth",
        "Abb. 3 Die Säge",
        "Table A.1 – Sizes",
        "Figure 2.1 (a) Left",
        "FIG. 7",
    )
    sentences = (
        "Figure 3 illustrates",
        "figure 1: small",
        "Figures 1 and 2",
        "Table 4 shows",
        "The Figure 1: x",
    )
    assert all(map(is_caption, captions))
    assert not any(map(is_caption, sentences))
