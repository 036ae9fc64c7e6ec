"""Captions: which lines begin one, what they are called, and which lines go on with them."""

from __future__ import annotations

import pytest

from plait.data.readers.captions import find_captions, is_caption, label_of
from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line


def line(text: str, left: float, top: float, *, right: float | None = None, size: float = 10.0) -> Line:
    width = right - left if right is not None else 0.5 * size * len(text)
    return Line(text, Rect(left, top, left + width, top + size), size)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Figure 3: Kerf by blade", "Figure 3"),
        ("Figure  3:  Kerf", "Figure 3"),
        ("Figure 3", "Figure 3"),
        ("Figure 3 Kerf by blade", "Figure 3"),
        ("Fig. 2.1. Kerf", "Fig. 2.1"),
        ("FIG. 4 (color online)", "FIG. 4"),
        ("Figure A.1: Kerf", "Figure A.1"),
        ("Figure 10-3. Kerf", "Figure 10-3"),
        ("Fig. 1 | Kerf", "Fig. 1"),
        ("Abbildung 4.3.: Schnittfuge", "Abbildung 4.3"),
        ("Abb. 4 Schnittfuge", "Abb. 4"),
        ("Figura 2 – Corte", "Figura 2"),
        ("Tableau n° 3 : traits", "Tableau n° 3"),
        ("TABLE IV", "TABLE IV"),
        ("Рис. 3. Схема", "Рис. 3"),
        ("Таблица 2 — Пилы", "Таблица 2"),
        ("Rys. 2. Schemat", "Rys. 2"),
        ("图1-2 系统结构", "图1-2"),
        ("図 1：構成", "図 1"),
        ("表 2 数据", "表 2"),
        ("Plate I. Saws", "Plate I"),
    ],
)
def test_a_caption_has_a_label(text, label):
    assert is_caption(text)
    assert label_of(text) == label


@pytest.mark.parametrize(
    "text",
    [
        "Figure 3 illustrates the kerf",
        "Figure 3, which shows",
        "Figure 3(a) shows",
        "Figure 3 and Figure 4 show",
        "Figures 3 and 4 show",
        "Table I shows the blades",
        "Рис. 3 показывает",
        "Figure 3: Kerf by blade ........ 12",
        "Map of the town",
        "TABLES",
        "FIGURES AND TABLES",
        "Figure 35mm lenses",
        "Algorithm 1: Sawing",
        "A figure",
        "",
    ],
)
def test_text_that_names_a_figure_is_no_caption(text):
    assert not is_caption(text)
    assert label_of(text) == ""


def test_a_caption_without_a_number_has_no_label():
    assert is_caption("Figure: a saw")
    assert label_of("Figure: a saw") == ""


def test_a_caption_goes_on_until_a_space():
    lines = [
        line("Figure 1: The width of the cut that each of", 100, 500, right=400),
        line("the blades leaves, measured at the teeth.", 100, 512, right=300),
        line("The text of the page goes on from here to its end", 100, 540, right=400),
    ]
    (caption,) = find_captions(lines)
    assert caption.lines == (0, 1)
    assert caption.box == Rect(100, 500, 400, 522)
    assert not caption.of_table


def test_a_caption_of_one_short_line_does_not_take_the_text_close_below_it():
    lines = [
        line("Figure 1: Kerf.", 200, 500, right=300),
        line("The text of the page goes on from here to its end", 100, 512, right=400),
    ]
    assert [caption.lines for caption in find_captions(lines)] == [(0,)]


def test_lines_of_another_size_are_not_of_a_caption():
    lines = [
        line("Figure 1: The width of the cut that a", 100, 500, right=400, size=8),
        line("The text of the page goes on from here", 100, 510, right=400, size=11),
    ]
    assert [caption.lines for caption in find_captions(lines)] == [(0,)]


def test_a_label_alone_takes_the_words_below_or_beside_it():
    below = [line("Figure 1", 100, 500), line("The width of a cut", 100, 520)]
    beside = [line("Figure 1", 100, 500), line("The width of a cut", 160, 500)]
    for lines in (below, beside):
        assert [caption.lines for caption in find_captions(lines)] == [(0, 1)]


def test_captions_beside_each_other_keep_to_themselves():
    lines = [
        line("Figure 1: The width of a", 100, 500, right=250),
        line("cut by its blade.", 100, 512, right=200),
        line("Figure 2: The depth of a", 265, 500, right=415),
        line("cut by its blade.", 265, 512, right=365),
    ]
    assert [caption.lines for caption in find_captions(lines)] == [(0, 1), (2, 3)]


def test_a_caption_and_its_translation_are_one():
    lines = [line("图 2.1 锯", 200, 500, right=260), line("Figure 2.1 A saw", 180, 516, right=280)]
    (caption,) = find_captions(lines)
    assert caption.lines == (0, 1)
    assert caption.label == "图 2.1"


def test_a_line_that_goes_on_with_a_sentence_is_no_caption():
    sentence = [
        line("The width of a cut is the larger the more teeth, as in", 100, 500, right=400),
        line("Figure 2. The depth is not.", 100, 512, right=250),
    ]
    assert find_captions(sentence) == []
    ended = [line("The width of a cut is the larger the more teeth.", 100, 500, right=400), sentence[1]]
    assert [caption.label for caption in find_captions(ended)] == ["Figure 2"]


def test_a_page_of_nothing_but_captions_has_none():
    assert find_captions([line(f"Figure {i}: Saw", 100, 20.0 * i) for i in range(100)]) == []
