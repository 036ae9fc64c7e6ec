"""Tables: rules or a caption tell them; their cells, heads and captions; what is none."""

from __future__ import annotations

import pytest

from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line
from plait.data.readers.pdf.drawn import Drawn
from plait.data.readers.pdf.tables import find_tables

PAGE = Rect(0, 0, 600, 800)
COLUMNS = (100.0, 220.0, 340.0)


def line(text: str, left: float, top: float, *, size: float = 10.0) -> Line:
    return Line(text, Rect(left, top, left + 0.5 * size * len(text), top + size), size)


def level(y: float, left: float = 95, right: float = 420) -> Drawn:
    return Drawn(Rect(left, y, right, y + 0.5))


def upright(x: float, top: float, bottom: float) -> Drawn:
    return Drawn(Rect(x, top, x + 0.5, bottom))


def cells(rows: list[tuple[str, ...]], *, top: float = 100, step: float = 15) -> list[Line]:
    return [
        line(text, COLUMNS[place], top + step * n)
        for n, row in enumerate(rows)
        for place, text in enumerate(row)
        if text
    ]


ROWS = [
    ("Blade", "Teeth", "Kerf"),
    ("Rip", "24", "3.2 mm"),
    ("Cross", "60", "2.8 mm"),
    ("Fine", "80", "1.6 mm"),
]
BOOKTABS = [level(96), level(112.5), level(160)]
CAPTION = line("Table 1: The kerf of some blades.", 150, 70)


def test_a_table_with_level_rules_only():
    (table,) = find_tables(BOOKTABS, [CAPTION, *cells(ROWS)], PAGE)
    assert table.rows == tuple(ROWS)
    assert table.header_rows == 1
    assert table.caption == 0
    assert table.caption_lines == (0,)
    assert table.lines == frozenset(range(1, 13))
    assert table.box == Rect(95, 96, 420, 160.5)


def test_a_caption_below_is_the_tables_too():
    below = line("Table 1: The kerf of some blades.", 150, 175)
    (table,) = find_tables(BOOKTABS, [*cells(ROWS), below], PAGE)
    assert table.caption == 12


def test_a_full_grid_needs_no_caption():
    grid = [level(97 + 15 * n) for n in range(5)] + [upright(x, 97, 157) for x in (95, 210, 330, 420)]
    (table,) = find_tables(grid, cells(ROWS), PAGE)
    assert table.rows == tuple(ROWS)
    assert table.caption is None


def test_an_empty_cell_stays_in_its_place():
    rows = [*ROWS[:2], ("Cross", "", "2.8 mm"), ROWS[3]]
    (table,) = find_tables(BOOKTABS, [CAPTION, *cells(rows)], PAGE)
    assert table.rows == tuple(rows)


def test_lines_of_one_cell_are_joined():
    rows = [*cells(ROWS), line("a blade with", 340, 160, size=8), line("fine teeth", 340, 169, size=8)]
    rows.append(line("Veneer", 100, 160))
    (table,) = find_tables([level(96), level(112.5), level(185)], [CAPTION, *rows], PAGE)
    assert table.rows[-1] == ("Veneer", "", "a blade with fine teeth")


def test_rows_without_a_rule_between_them_stay_rows():
    grid = [level(97), level(112), level(157)] + [upright(x, 97, 157) for x in (95, 210, 330, 420)]
    (table,) = find_tables(grid, cells(ROWS), PAGE)
    assert table.rows == tuple(ROWS)


def test_a_cell_across_columns_stands_in_the_first_of_them():
    head = [line("measured with a new blade on oak", 220, 85)]
    (table,) = find_tables([level(80), level(112.5), level(160)], [*head, *cells(ROWS)], PAGE)
    assert table.rows[0] == ("", "measured with a new blade on oak", "")
    assert table.header_rows == 2


def test_a_caption_and_clear_columns_are_enough():
    (table,) = find_tables([], [CAPTION, *cells(ROWS, top=90)], PAGE)
    assert table.rows == tuple(ROWS)
    assert table.caption == 0


def test_columns_without_rules_or_caption_are_none():
    assert find_tables([], cells(ROWS), PAGE) == []


PROSE = "The kerf is the width of the cut that a saw leaves behind it in the wood"


@pytest.mark.parametrize(
    ("drawn", "lines"),
    [
        ([level(96), level(160)], [line(PROSE, 100, 100 + 12 * n) for n in range(4)]),
        (
            [level(96), level(220)],
            [line(PROSE[:36], x, 100 + 12 * n) for n in range(9) for x in (96.0, 290.0)],
        ),
        (
            [level(96), level(170)],
            [
                part
                for n in range(6)
                for part in (line(f"{n + 1}:", 98, 100 + 11 * n), line("x = 1", 120, 100 + 11 * n))
            ],
        ),
        (
            [level(96), level(114), level(160)],
            [line("Algorithm 1 Sawing", 98, 100), *cells(ROWS[1:], top=118, step=12)],
        ),
        (BOOKTABS, [*cells(ROWS), line("Figure 1: A table that is drawn", 150, 170)]),
    ],
    ids=["framed text", "two columns of text", "numbered lines", "an algorithm", "a figure"],
)
def test_what_stands_between_rules_may_be_no_table(drawn, lines):
    assert find_tables(drawn, lines, PAGE) == []


def test_two_tables_of_one_width_stay_two():
    second = [Line(one.text, one.box._replace(top=one.box.top + 200, bottom=one.box.bottom + 200), one.size)
              for one in cells(ROWS)]  # fmt: skip
    between = line("Table 2: The same blades, worn.", 150, 270)
    rules = [*BOOKTABS, level(296), level(312.5), level(360)]
    tables = find_tables(rules, [CAPTION, *cells(ROWS), between, *second], PAGE)
    assert [table.caption for table in tables] == [0, 13]
    assert all(table.rows == tuple(ROWS) for table in tables)
