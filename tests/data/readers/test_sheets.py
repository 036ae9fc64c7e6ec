"""Spreadsheets: XLSX as openpyxl writes it, ODS by hand."""

from __future__ import annotations

import base64
import datetime
import io
import struct
import zipfile
import zlib

import openpyxl
import pytest
from openpyxl.drawing.image import Image as SheetImage
from tests.helpers.damage import outcomes

from plait.data.readers.base import ReadLimits
from plait.data.readers.office.sheets import read_sheets
from plait.errors import ReadError

ODS = b"application/vnd.oasis.opendocument.spreadsheet"

# Three rows as Excel 97 stores them, written once by xlwt, packed.
XLS = zlib.decompress(
    base64.b85decode(
        "c-"
        "rk)O=uHA6#izDG(WWYX%nFpLMT|ZrU&ujrLGFvlO=jlM9?(ZLx@d6Do8zOwdN#(AP9<=LOpn?dhrJp^dNW;DtZtEA<?5J!Gec2>w"
        "7P|HK_^>Xra1am^W|Un{Vc2es}lve55*audjv`*aa8rrXL+mHbu#A7s4RFX|ihPK1!y8bp^kVCbGkW$6c?yJcm5rHE6i&eohkjNa"
        "+|#7%diz#2R9+#E@1T!!SvOn`8;1SEA|`nGx9|@{ZJeB67D_E{hzdx>a=)^ZMxEPHPn((fY*~1h@M@IPb-"
        ">9WlJ*RebJ>YSi^$PdS%9xy~GMcPC~+6FOoPj53!)xP<^PNf;U*AIfH{h|*-wV!=!RU+rD}EaBMK)~-"
        "PIZ>@IkZ|pvr#Fh4|nj4scc|tZxg%)+p-"
        "Pp*faxP;`EFwv(0+Psax>(GTT4EpN6S+dhZ~?`1o}8sz!3gjnFNZ?7<xuF7&C*FSi;(CM*)m~@YVr1$HwVU2`f;&L$wkn(E;ey=F"
        "maw4L=K9_wJZmPu}$O!X?3IMeIlb2HRS`Tn5FEWmO2;3J3#&H5WLklH|bkQuY5lEFkbnjZzX+hq;@7c_fDTdKV4s0;`47BNtIMLt"
        "}`C#cCM_W<%7uHpN<)y7PewHtvfM<CEi$sh{#5XM@KD}G;6Gwt$x8)!shXKO8qNgU+Upw?%E5Dn9S3pomQSEJRae*TELo<IA7jcH"
        "}12Oj=~=Zz<~n?4jede;K0Fu4<(P4jfZi!^_sws`(Eq2&Jv}%^O@wI#UT{wcZyyr_n|;}8Ix_TpAGORyDha!j{UumahQ59BabnOB"
        "j5J=rPnpp{C`$W4F9<;)NcRvcH;cY{eK5Z_t)k"
    )
)


@pytest.fixture
def save(tmp_path):
    """Write a workbook and return its path."""

    def write(workbook, name="book.xlsx"):
        workbook.save(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def sheet():
    """An empty sheet of a new workbook."""
    return openpyxl.Workbook().active


@pytest.fixture
def ods(tmp_path):
    """Write an ODS file from the XML of its tables."""

    def write(tables, members=()):
        path = tmp_path / "book.ods"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("mimetype", ODS)
            archive.writestr(
                "content.xml",
                '<office:document-content xmlns:office="o" xmlns:table="t" xmlns:text="x" xmlns:draw="d" '
                'xmlns:xlink="l" xmlns:svg="s"><office:body><office:spreadsheet>'
                f"{tables}</office:spreadsheet></office:body></office:document-content>",
            )
            for name, data in members:
                archive.writestr(name, data)
        return path

    return write


def test_every_sheet_is_a_page_and_a_section(read, save, sheet):
    sheet.title = "Prices"
    for row in (["wood", "price", "since"], ["oak", 12.5, datetime.date(2024, 5, 1)], ["pine", 7, None]):
        sheet.append(row)
    second = sheet.parent.create_sheet("Empty")
    third = sheet.parent.create_sheet("Notes")
    third["A1"] = "Ask the\nsawmill."
    second.sheet_state = "hidden"
    sheet.parent.properties.title = "Timber"
    sheet.parent.properties.creator = "Ann Carpenter"
    document = read(save(sheet.parent))
    assert document.title == "Timber"
    assert document.metadata["author"] == "Ann Carpenter"
    assert {k: document.metadata[k] for k in ("type", "pages", "hidden")} == {
        "type": "spreadsheet",
        "pages": 3,
        "hidden": "Empty",
    }
    assert [(p.number, p.label) for p in document.pages] == [(1, "Prices"), (2, "Empty"), (3, "Notes")]
    table, note = document.segments
    assert table.rows == (("wood", "price", "since"), ("oak", "12.5", "2024-05-01"), ("pine", "7", ""))
    assert (table.header_rows, table.section, table.page) == (1, ("Prices",), 1)
    assert (note.kind, note.text, note.section, note.page) == ("text", "Ask the sawmill.", ("Notes",), 3)


def test_values_are_written_as_a_reader_writes_them(read, save, sheet):
    sheet.append(["whole", "sum", "flag", "moment", "day", "clock", "long"])
    moment = datetime.datetime(2024, 1, 2, 3, 4, 5)
    values = [3.0, 0.1 + 0.2, True, moment, datetime.datetime(2024, 1, 2), datetime.time(9, 30)]
    sheet.append([*values, datetime.timedelta(hours=30)])
    row = read(save(sheet.parent)).segments[0].rows[1]
    assert row == ("3", "0.3", "TRUE", "2024-01-02 03:04:05", "2024-01-02", "09:30:00", "1 day, 6:00:00")


def test_a_sheet_is_parted_at_empty_rows_and_columns(read, save, sheet):
    sheet["A1"] = "Sales 2024"
    for column, name in enumerate(["town", "May", "June"], start=1):
        sheet.cell(2, column, name)
        sheet.cell(3, column, name if column == 1 else column)
    sheet["A3"], sheet["F2"], sheet["F3"], sheet["G2"], sheet["G3"] = "Bern", "part", "saw", "weight", 2
    sheet["A6"] = "All amounts in francs."
    document = read(save(sheet.parent))
    assert [(s.kind, s.caption, s.rows) for s in document.segments[:2]] == [
        ("table", "Sales 2024", (("town", "May", "June"), ("Bern", "2", "3"))),
        ("table", "", (("part", "weight"), ("saw", "2"))),
    ]
    assert document.segments[2].text == "All amounts in francs."


def test_an_empty_row_inside_a_table_does_not_end_it(read, save, sheet):
    for row in (["name", "size"], ["a", 1], [], ["b", 2]):
        sheet.append(row)
    (table,) = read(save(sheet.parent)).segments
    assert table.rows == (("name", "size"), ("a", "1"), ("", ""), ("b", "2"))


def test_names_over_several_columns_are_two_header_rows(read, save, sheet):
    for row in (["", "2023", None], ["town", "low", "high"], ["Bern", 1, 2]):
        sheet.append(row)
    sheet["B1"] = "Height"
    sheet.merge_cells("B1:C1")
    (table,) = read(save(sheet.parent)).segments
    assert table.header_rows == 2
    assert table.rows[0] == ("", "Height", "")


def test_cells_merged_downward_stand_in_each_of_their_rows(read, save, sheet):
    for row in (["kind", "name"], ["wood", "oak"], [None, "pine"], ["metal", "iron"]):
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    assert read(save(sheet.parent)).segments[0].rows[2] == ("wood", "pine")


def test_pictures_lie_between_the_tables_of_their_sheet(read, save, sheet, png):
    for row, value in enumerate(["name", "a", "b"], start=1):
        sheet.cell(row, 1, value)
        sheet.cell(row, 2, value * 2 if row == 1 else row)
    for row in (20, 21):
        sheet.cell(row, 1, "low" if row == 20 else 5)
        sheet.cell(row, 2, "high" if row == 20 else 6)
    sheet.add_image(SheetImage(io.BytesIO(png())), "A10")
    document = read(save(sheet.parent))
    assert [s.kind for s in document.segments] == ["table", "image", "table"]
    figure = document.segments[1]
    assert (figure.page, figure.section) == (1, ("Sheet",))
    assert (figure.picture.width_px, figure.picture.height_px) == (60, 40)


def test_two_cells_at_opposite_corners_take_no_room(read, save, sheet):
    sheet.append(["name", "size"])
    sheet.append(["oak", 1])
    sheet["B1048576"] = "far"
    document = read(save(sheet.parent))
    assert document.segments[0].rows == (("name", "size"), ("oak", "1"))
    sheet["XFD1048576"] = "farthest"
    document = read(save(sheet.parent))
    assert document.segments[0].rows == (("name", "size"), ("oak", "1"))
    assert document.warnings == ("of sheet 'Sheet' only the first 100,000 rows are read",)


def test_a_sheet_that_is_too_broad_and_long_loses_its_end(read, save, sheet):
    for row in (1, 100, 600):
        sheet.cell(row, 1, row)
        sheet.cell(row, 16_384, row)
    document = read(save(sheet.parent))
    assert [s.rows for s in document.segments] == [(("1",),), (("1",),), (("100",),), (("100",),)]
    assert document.warnings == ("of sheet 'Sheet' only the first 488 rows are read",)


def test_more_sheets_than_the_limit_are_left_out(read, save, sheet):
    sheet["A1"] = "one"
    sheet.parent.create_sheet("b")["A1"] = "two"
    document = read(save(sheet.parent), limits=ReadLimits(max_pages=1))
    assert [s.text for s in document.segments] == ["one"]
    assert document.warnings == ("only the first 1 of 2 sheets are read",)


def test_a_workbook_without_cells_is_refused(read, save, sheet):
    with pytest.raises(ReadError, match="holds no cells"):
        read(save(sheet.parent))


def test_a_workbook_behind_a_password_is_refused(tmp_path, read):
    path = tmp_path / "book.xlsx"
    path.write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1016) + "EncryptedPackage".encode("utf-16-le")
    )
    with pytest.raises(ReadError, match="password-protected"):
        read(path)


def test_workbooks_of_excel_97_are_read(tmp_path, read):
    (tmp_path / "old.xls").write_bytes(XLS)
    (table,) = read(tmp_path / "old.xls").segments
    assert table.rows == (("wood", "price", "since"), ("oak", "12.5", "2024-05-01"), ("pine", "7", ""))
    assert (table.section, table.page) == (("Prices",), 1)


@pytest.mark.parametrize("following", [0, 1, 7000])
def test_chains_of_sectors_that_never_end_are_refused(tmp_path, read, following):
    data = bytearray(XLS)
    (table,) = struct.unpack_from("<I", data, 76)
    struct.pack_into("<2I", data, (table + 1) * 512, following, 0)  # what follows the sectors 0 and 1
    (tmp_path / "old.xls").write_bytes(data)
    with pytest.raises(ReadError, match="table of sectors"):
        read(tmp_path / "old.xls")


def test_ods_cells_are_read_as_they_are_shown(read, ods, png):
    path = ods(
        '<table:table table:name="Prices"><table:table-row>'
        "<table:table-cell><text:p>wood</text:p></table:table-cell>"
        "<table:table-cell><text:p>price</text:p><office:annotation><text:p>note</text:p></office:annotation>"
        "</table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>oak<text:s/>A</text:p>"
        '</table:table-cell><table:table-cell office:value="12.5"><text:p>12,50 €</text:p></table:table-cell>'
        '</table:table-row></table:table><table:table table:name="Two"><table:shapes><draw:frame>'
        '<draw:image xlink:href="Pictures/a.png"/><svg:desc>a saw</svg:desc></draw:frame></table:shapes>'
        '<table:table-row><table:table-cell office:value="4"/></table:table-row></table:table>',
        members=[("Pictures/a.png", png())],
    )
    document = read(path)
    assert document.segments[0].rows == (("wood", "price"), ("oak A", "12,50 €"))
    assert (document.segments[0].section, document.segments[0].page) == (("Prices",), 1)
    assert [(s.kind, s.text, s.page) for s in document.segments[1:]] == [
        ("table", "4", 2),
        ("image", "a saw", 2),
    ]


def test_ods_cells_repeated_a_million_times_are_not_unfolded(read, ods):
    cell = '<table:table-cell table:number-columns-repeated="1048576"><text:p>a</text:p></table:table-cell>'
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    empty = '<table:table-row table:number-rows-repeated="1048575"><table:table-cell/></table:table-row>'
    last = "<table:table-row><table:table-cell><text:p>b</text:p></table:table-cell></table:table-row>"
    document = read(ods(f'<table:table table:name="x">{row}</table:table>'))
    assert sum(len(s.rows) * len(s.rows[0]) for s in document.segments) <= 1_000_000
    assert "only a part of its rows is read" in document.warnings[0]
    document = read(ods(f'<table:table table:name="x">{last}{empty}{last}</table:table>'))
    assert [s.text for s in document.segments] == ["b", "b"]


@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods"])
def test_damaged_workbooks_are_read_or_refused(tmp_path, save, sheet, ods, png, kind):
    sheet.append(["name", "size"])
    sheet.append(["oak", 1])
    sheet.merge_cells("A2:A3")
    sheet.add_image(SheetImage(io.BytesIO(png())), "A10")
    cell = "<table:table-cell><text:p>a</text:p></table:table-cell>"
    table = f'<table:table table:name="x"><table:table-row>{cell}</table:table-row></table:table>'
    whole = XLS if kind == "xls" else (save(sheet.parent) if kind == "xlsx" else ods(table)).read_bytes()
    read, refused = outcomes(read_sheets, whole, tmp_path, f".{kind}")
    assert read + refused == 60
    assert refused > 5
