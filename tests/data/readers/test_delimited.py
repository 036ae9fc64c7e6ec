"""Comma- and tab-separated files."""

from __future__ import annotations

import pytest
from tests.helpers.damage import outcomes

from plait.data.readers.office.cells import CellBudget, header_rows_of, looks_numeric
from plait.data.readers.office.delimited import read_delimited
from plait.errors import ReadError


def test_a_csv_file_is_one_table_under_its_header(tmp_path, read):
    path = tmp_path / "wood_prices.csv"
    path.write_text('wood,price,"per, unit"\noak,12.50,m3\n"pine ""A""",7,"m3\n(dry)"\n')
    document = read(path)
    assert document.title == "wood prices"
    assert document.metadata == {"type": "table", "rows": 3, "columns": 3}
    (table,) = document.segments
    assert (table.kind, table.header_rows, table.caption) == ("table", 1, "")
    assert table.rows == (
        ("wood", "price", "per, unit"),
        ("oak", "12.50", "m3"),
        ('pine "A"', "7", "m3 (dry)"),
    )
    assert table.text == 'wood | price | per, unit\noak | 12.50 | m3\npine "A" | 7 | m3 (dry)'


@pytest.mark.parametrize(
    ("delimiter", "name"), [(",", "a.csv"), (";", "a.csv"), ("\t", "a.tsv"), ("|", "a.csv")]
)
def test_the_delimiter_is_found_out(tmp_path, read, delimiter, name):
    path = tmp_path / name
    rows = [["town", "height"], ["Bern", "1,5"], ["Chur", "2,5"]]
    if delimiter == ",":
        rows = [[cell.replace(",", ".") for cell in row] for row in rows]
    path.write_text("\n".join(delimiter.join(row) for row in rows))
    assert read(path).segments[0].rows == tuple(map(tuple, rows))


def test_a_line_that_names_the_delimiter_is_no_row(tmp_path, read):
    path = tmp_path / "a.csv"
    path.write_text("sep=#\r\na#b\r\n1#2\r\n")
    assert read(path).segments[0].rows == (("a", "b"), ("1", "2"))


def test_encodings_are_recognised(tmp_path, read):
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes("Säge,Länge\ngroß,1\n".encode(encoding))
        assert read(path).segments[0].rows == (("Säge", "Länge"), ("groß", "1"))


def test_a_late_byte_that_is_not_utf8_makes_a_long_file_windows_1252(tmp_path, read):
    path = tmp_path / "a.csv"
    path.write_bytes(b"name,town\n" + b"Ann,Rome\n" * 40_000 + "Jörg,Köln\n".encode("cp1252"))
    assert read(path).segments[-1].rows[-1] == ("Jörg", "Köln")


def test_ragged_rows_are_padded(tmp_path, read):
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n1\n1,2,3,4\n")
    assert {len(row) for row in read(path).segments[0].rows} == {4}


def test_long_tables_are_cut_and_their_header_repeated(tmp_path, read):
    path = tmp_path / "a.csv"
    path.write_text("name,size\n" + "".join(f"n{i},{i}\n" for i in range(1, 121)))
    segments = read(path).segments
    assert [len(s.rows) for s in segments] == [51, 51, 21]
    assert {s.rows[0] for s in segments} == {("name", "size")}
    assert [s.caption for s in segments] == ["Rows 2-51", "Rows 52-101", "Rows 102-121"]
    assert segments[1].rows[1] == ("n51", "51")  # on line 52 of the file


def test_a_quotation_mark_that_is_never_closed_costs_no_rows(tmp_path, read):
    path = tmp_path / "a.csv"
    path.write_text('a,b\n"1,2\n3,4\n')
    document = read(path)
    assert document.segments[0].rows == (("a", "b"), ('"1', "2"), ("3", "4"))
    assert "never closed" in document.warnings[0]


def test_a_quotation_mark_inside_a_cell_is_harmless(tmp_path, read):
    path = tmp_path / "a.csv"
    path.write_text('size,"name"\n3" pipe,"x, y"\n"4" pipe,z\n')
    document = read(path)
    assert document.segments[0].rows[1] == ('3" pipe', "x, y")
    assert document.warnings == ()


def test_a_short_column_of_words_is_text(tmp_path, read):
    path = tmp_path / "a.csv"
    path.write_text("Bring the saw.\nBring the file.\n")
    (segment,) = read(path).segments
    assert (segment.kind, segment.text) == ("text", "Bring the saw.\nBring the file.")


def test_title_lines_over_a_table_are_its_caption(tmp_path, read):
    path = tmp_path / "a.csv"
    path.write_text("Rain in mm,,\ntown,May,June\nBern,80,90\nChur,70,75\n")
    (table,) = read(path).segments
    assert (table.caption, table.rows[0], table.header_rows) == ("Rain in mm", ("town", "May", "June"), 1)


def test_what_is_past_the_limits_is_left_out_with_a_warning(tmp_path, read):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 100_000)
    document = read(path)
    assert document.metadata["rows"] == 100_000
    assert document.warnings == ("only the first 100,000 rows are read",)


def test_one_broad_row_does_not_make_all_rows_broad():
    budget = CellBudget()
    assert budget.takes(["x"] * 10_000)
    taken = sum(budget.takes(["x"]) for _ in range(100_000))
    assert taken == 799  # 800 rows of 10,000 are 8 million cells


@pytest.mark.parametrize("content", [b"\n\n\n", b",,,\n,,\n", b'""\n'])
def test_a_file_without_cells_is_refused(tmp_path, read, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(ReadError, match="holds no cells"):
        read(path)


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([("name", "size"), ("a", "1")], 1),
        ([("name", "kind"), ("oak", "wood"), ("iron", "metal")], 1),
        ([("oak", "12"), ("pine", "7")], 0),
        ([("", "2023"), ("oak", "12")], 0),
        ([("a", "b"), ("a", "c")], 0),  # a name that its own column repeats
        ([("sizes", "", ""), ("low", "high", "mean"), ("1", "2", "1.5")], 2),
        ([("only", "row")], 0),
    ],
)
def test_header_rows(rows, count):
    assert header_rows_of(rows) == count


@pytest.mark.parametrize(
    "text", ["1", "-1.5", "1,234.50", "12 %", "€ 5", "(3.0)", "1e-9", "2024-05-01", "12:30"]
)
def test_numbers_dates_and_amounts_are_no_words(text):
    assert looks_numeric(text)


@pytest.mark.parametrize("text", ["", "m3", "A1", "3 saws", "-", "v1.2"])
def test_words_are_no_numbers(text):
    assert not looks_numeric(text)


def test_damaged_files_are_read_or_refused(tmp_path):
    whole = 'name;größe;"a note"\r\n'.encode() + b'oak;1;"x ""y"" z"\r\n' * 20
    read, refused = outcomes(read_delimited, whole, tmp_path, ".csv")
    assert read + refused == 60
