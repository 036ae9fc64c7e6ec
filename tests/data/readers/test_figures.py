"""Figures: what is drawn, its labels and panels, and the caption that names it; what is none."""

from __future__ import annotations

import pypdfium2
import pytest
import typst

from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line
from plait.data.readers.pdf.drawn import Drawn, regions
from plait.data.readers.pdf.figures import find_figures
from plait.data.readers.pdf.layout import join_runs
from plait.data.readers.pdf.page import PageView
from plait.data.readers.pdf.tables import find_tables

PAGE = Rect(0, 0, 600, 800)
PROSE = "The kerf is the width of the cut that a saw leaves behind it"


def line(text: str, left: float, top: float, *, right: float | None = None, size: float = 10.0) -> Line:
    return Line(text, Rect(left, top, right or left + 0.5 * size * len(text), top + size), size)


def prose(top: float, *, rows: int = 4, left: float = 80, right: float = 520) -> list[Line]:
    return [line(f"{PROSE} {n}", left, top + 12 * n, right=right) for n in range(rows)]


def shape(left: float, top: float, right: float, bottom: float) -> Drawn:
    return Drawn(Rect(left, top, right, bottom))


def chart(left: float, top: float, *, width: float = 120, height: float = 80) -> list[Drawn]:
    return [shape(left + 20 * n, top, left + width, top + height) for n in range(4)]


def test_a_figure_has_what_is_drawn_its_labels_and_its_caption():
    lines = [
        *prose(80),
        line("kerf", 185, 210),
        line("teeth", 250, 285),
        line("Figure 1: The kerf by the number of teeth that the", 180, 310, right=400),
        line("blade has.", 180, 322),
        *prose(360),
    ]
    (figure,) = find_figures(chart(210, 200), lines, PAGE)
    assert figure.labels == {4, 5}
    assert figure.caption == 6
    assert figure.caption_lines == (6, 7)
    assert figure.box == Rect(183, 198, 332, 297)


@pytest.mark.parametrize("above", [True, False])
def test_a_caption_stands_below_its_figures_or_above(above):
    tops = (100, 300, 500)
    drawn = [item for top in tops for item in chart(200, top)]
    lines = [line(f"Figure {n}: Saw", 220, top + (-15 if above else 88)) for n, top in enumerate(tops)]
    figures = find_figures(drawn, lines, PAGE)
    assert [figure.caption for figure in figures] == [0, 1, 2]
    assert [figure.box.top for figure in figures] == [98, 298, 498]


def test_panels_under_one_caption_are_one_figure():
    drawn = [*chart(100, 200), *chart(300, 200), *chart(100, 310), *chart(300, 310)]
    lines = [
        line("(a) Rip", 140, 285),
        line("(b) Cross", 340, 285),
        line("Figure 1: Blades", 220, 410),
        *prose(440),
    ]
    (figure,) = find_figures(drawn, lines, PAGE)
    assert figure.box == Rect(98, 198, 422, 392)
    assert figure.labels == {0, 1}


def test_figures_beside_each_other_keep_their_captions():
    drawn = [Drawn(Rect(100, 200, 249, 300), True), Drawn(Rect(252, 180, 400, 300), True)]
    lines = [line("Figure 1: Rip", 140, 310), line("Figure 2: Cross", 290, 310)]
    figures = find_figures(drawn, lines, PAGE)
    assert {figure.caption: figure.box.left for figure in figures} == {0: 98, 1: 250}


def test_text_between_stops_a_figure():
    lines = [*prose(160), line("Figure 1: Kerf", 250, 340)]
    figures = find_figures([*chart(200, 60), *chart(200, 250)], lines, PAGE)
    assert [(figure.caption, figure.box.top) for figure in figures] == [(None, 58), (4, 248)]


def test_a_figure_in_one_column_leaves_the_other_alone():
    columns = [*prose(80, rows=20, left=50, right=285), *prose(200, rows=20, left=315, right=550)]
    drawn = [*chart(370, 80), *chart(100, 340)]
    lines = [*columns, line("Figure 1: Rip", 380, 175), line("Figure 2: Cross", 110, 435)]
    figures = find_figures(drawn, lines, PAGE)
    assert {figure.caption: (figure.box.left, figure.box.right) for figure in figures} == {
        40: (368, 492),
        41: (98, 222),
    }


def test_a_listing_or_a_formula_with_a_caption_is_a_figure():
    code = [line(text, 100, 200 + 12 * n) for n, text in enumerate(("for (;;) {", "  saw();", "}"))]
    (figure,) = find_figures([], [*prose(80), *code, line("Figure 1: A loop", 150, 245), *prose(280)], PAGE)
    assert figure.labels == {4, 5, 6}
    assert figure.caption == 7


def test_rules_above_and_below_frame_a_figure_even_of_prose():
    rules = [shape(80, 150, 520, 150.5), shape(80, 230, 520, 230.5)]
    (figure,) = find_figures(rules, [*prose(160), line("Figure 1: A text", 200, 240), *prose(280)], PAGE)
    assert figure.labels == {0, 1, 2, 3}
    assert figure.box == Rect(78, 148, 522, 232.5)


@pytest.mark.parametrize(
    "drawn",
    [
        [shape(0, 0, 600, 800)],
        [shape(70, 70, 530, 140)],
        [shape(60, 60, 540, 60.5), shape(60, 760, 540, 760.5)],
        [shape(100, 300, 115, 315)],
        [shape(0, 0, 600, 50)],
    ],
    ids=["a background", "a frame around text", "rules of the margins", "an icon", "a band across"],
)
def test_what_is_drawn_may_be_no_figure(drawn):
    assert find_figures(drawn, [*prose(80), line("Saws", 80, 20)], PAGE) == []


def test_a_sentence_that_names_a_figure_gets_none():
    (figure,) = find_figures(chart(200, 200), [*prose(80), line("Figure 1 shows a saw", 200, 300)], PAGE)
    assert figure.caption is None


def test_objects_that_nearly_touch_are_one_region():
    found = regions([shape(100, 100, 110, 110), shape(114, 100, 130, 110), shape(300, 300, 310, 310)], PAGE)
    assert sorted(region.box for region in found) == [Rect(100, 100, 130, 110), Rect(300, 300, 310, 310)]


def test_a_page_of_fifty_thousand_objects_is_read():
    drawn = [shape(n % 590, n % 780, n % 590 + 200, n % 780 + 0.5) for n in range(50_000)]
    lines = [line(f"Figure {n}: Saw", n % 500, n % 780) for n in range(20_000)]
    assert find_tables(drawn, lines, PAGE) == []
    assert all(figure.caption is None for figure in find_figures(drawn, lines, PAGE))


TYPST = """
#set page(width: 400pt, height: 600pt, margin: 40pt)
#set text(size: 10pt)
#set par(justify: true)
#lorem(60)
#figure(
  box(width: 200pt, height: 100pt, stroke: 1pt)[
    #place(line(start: (10pt, 90pt), end: (190pt, 10pt)))
    #place(dx: 120pt, dy: 70pt)[teeth]
  ],
  caption: [The kerf of a blade grows with the number of the teeth that it has, and with their set.],
)
#figure(
  table(columns: 3, stroke: none, table.hline(), [Blade], [Teeth], [Kerf], table.hline(),
    [Rip], [24], [3.2], [Cross], [60], [2.8], table.hline()),
  caption: [Some blades.], kind: table,
)
#lorem(40)
"""


def test_a_typeset_page_gives_its_figure_and_its_table(tmp_path):
    (tmp_path / "page.typ").write_text(TYPST)
    pdf = pypdfium2.PdfDocument(typst.compile(str(tmp_path / "page.typ"), ignore_system_fonts=True))
    try:
        with PageView(pdf, 0, max_pixels=10**7) as view:
            lines, drawn, page = join_runs(view.lines()), view.drawn(), view.box
    finally:
        pdf.close()
    (table,) = find_tables(drawn, lines, page)
    (figure,) = find_figures(drawn, lines, page, [table])
    assert table.rows == (("Blade", "Teeth", "Kerf"), ("Rip", "24", "3.2"), ("Cross", "60", "2.8"))
    assert table.header_rows == 1
    assert [lines[i].text for i in table.caption_lines] == ["Table 1: Some blades."]
    caption = " ".join(lines[i].text for i in figure.caption_lines)
    assert caption.startswith("Figure 1: The kerf of")
    assert caption.endswith("with their set.")
    assert [lines[i].text for i in figure.labels] == ["teeth"]
    assert figure.box.width == pytest.approx(205, abs=3)
    assert figure.box.height == pytest.approx(105, abs=3)


def test_a_caption_that_runs_upwards_names_a_figure_on_a_page_of_level_text():
    level = [line("Saws and their blades, a head of the page", 80, 20), line("12", 300, 780)]
    upwards = Line("Figure 1: The kerf by the teeth", Rect(420, 300, 430, 500), 10.0, turn=3)
    drawn = [Drawn(Rect(200, 250, 410, 550))]
    (figure,) = find_figures(drawn, [*level, upwards], PAGE)
    assert figure.caption == 2
    assert figure.box == Rect(198, 248, 412, 552)


def extents(data: bytes) -> list[Rect]:
    """Return the extents of all objects of a PDF's first page, rounded; those that show nothing left out."""
    pdf = pypdfium2.PdfDocument(data)
    try:
        with PageView(pdf, 0, max_pixels=10**7) as view:
            return [Rect(*(round(value) for value in item.box)) for item in view.drawn()]
    finally:
        pdf.close()


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"0 g 100 100 200 200 re f", [Rect(100, 492, 300, 692)]),
        (b"1 g 100 100 200 200 re f", []),
        (b"1 g 0 G 1 w 100 100 200 200 re B", [Rect(99, 491, 301, 693)]),
        (b"0 G 60 w 100 200 m 300 200 l S", [Rect(100, 562, 300, 622)]),
        (b"q 150 150 50 60 re W n 0 g 100 100 200 200 re f Q", [Rect(150, 582, 200, 642)]),
    ],
    ids=["a square", "a white one", "a white one with an outline", "a thick line", "a clipped square"],
)
def test_what_an_object_draws_on_is_told_from_what_it_shows(pdf, content, seen):
    assert extents(pdf(content)) == seen


def test_a_form_is_as_large_as_what_is_in_it(pdf):
    form = b"1 g 0 0 400 400 re f 0 g 50 60 100 110 re f"
    body = b"<< /Type /XObject /Subtype /Form /BBox [0 0 400 400] /Length %d >>\nstream\n%s\nendstream"
    resources = b"/XObject << /F 4 0 R >>"
    data = pdf(b"/F Do", resources=resources, more=[body % (len(form), form)])
    assert extents(data) == [Rect(50, 622, 150, 732)]
