"""Characters of PDFs to lines: scripts, directions, marks, and what is drawn twice or out of sight."""

from __future__ import annotations

import pytest
import typst

from plait.data.readers.base import ReadLimits
from plait.data.readers.geometry import Rect
from plait.data.readers.pdf.frames import Frame
from plait.data.readers.pdf.layout import with_raised_marks

PLAIN = ReadLimits(page_dpi=0)
LINE = "The kerf is the width of the cut that a saw leaves"
HEBREW = "המסור חותך את העץ לאורך הסיבים בשנת 2023 ואחר כך ABC Saws כותב על הלהבים."
ARABIC = "يقطع المنشار الخشب على طول الألياف في عام 2023 ثم يكتب عن الشفرات."
JAPANESE = ("鋸は木材を切るための道具である。刃", "の厚さは挽き道の幅より小さい。")


@pytest.fixture
def reading(tmp_path, read):
    """Write a PDF and read it."""

    def run(data: bytes):
        (tmp_path / "file.pdf").write_bytes(data)
        return read(tmp_path / "file.pdf", limits=PLAIN)

    return run


@pytest.fixture
def japanese(pdf):
    """Build a PDF of Japanese text, written level or upright."""

    def make(content: bytes, *, way: str) -> bytes:
        system = b"<< /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >>"
        more = [
            b"<< /Type /Font /Subtype /Type0 /BaseFont /HeiseiMin-W3 /Encoding /UniJIS-UTF16-%s "
            b"/DescendantFonts [5 0 R] >>" % way.encode(),
            b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HeiseiMin-W3 /CIDSystemInfo %s /DW 1000 "
            b"/FontDescriptor 6 0 R >>" % system,
            b"<< /Type /FontDescriptor /FontName /HeiseiMin-W3 /Flags 4 /FontBBox [0 -200 1000 900] "
            b"/ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>",
        ]
        return pdf(content, more=more).replace(b"/F 3 0 R", b"/F 4 0 R")

    return make


def at_hex(x: float, y: float, words: str) -> bytes:
    return b"BT /F 12 Tf %f %f Td <%s> Tj ET\n" % (x, y, words.encode("utf-16-be").hex().encode())


def texts(document):
    return [segment.text for segment in document.segments if segment.kind == "text"]


def compiled(folder, source: str) -> bytes:
    (folder / "page.typ").write_text(source)
    return typst.compile(str(folder / "page.typ"), ignore_system_fonts=True)


@pytest.mark.parametrize(
    ("language", "font", "words"),
    [("he", "Libertinus Serif", HEBREW), ("ar", "DejaVu Sans Mono", ARABIC)],
    ids=["Hebrew", "Arabic"],
)
def test_text_from_right_to_left_is_read_in_the_order_it_was_written(
    reading, tmp_path, language, font, words
):
    style = (
        f'#set page(width: 260pt, height: 200pt)\n#set text(lang: "{language}", font: "{font}", size: 11pt)\n'
    )
    assert texts(reading(compiled(tmp_path, style + words))) == [words]


def test_the_right_one_of_two_columns_is_read_first_from_right_to_left(reading, tmp_path):
    page = "#set page(width: 400pt, height: 300pt, columns: 2)\n"
    style = page + '#set text(lang: "he", font: "Libertinus Serif", size: 9pt)\n'
    items = "\n\n".join(f"{i}. {HEBREW}" for i in range(1, 9))
    assert texts(reading(compiled(tmp_path, style + items))) == [f"{i}. {HEBREW}" for i in range(1, 9)]


def test_lines_of_japanese_are_joined_without_spaces(reading, japanese):
    content = b"".join(at_hex(72, 700 - 18 * i, line) for i, line in enumerate(JAPANESE))
    assert texts(reading(japanese(content, way="H"))) == ["".join(JAPANESE)]


def test_upright_japanese_is_read_from_the_right(reading, japanese):
    content = b"".join(at_hex(400 - 18 * i, 700, line) for i, line in reversed(list(enumerate(JAPANESE))))
    document = reading(japanese(content, way="V"))
    assert texts(document) == ["".join(JAPANESE)]
    box = document.segments[0].box
    assert box.bottom - box.top > box.right - box.left


def test_a_line_turned_upwards_is_a_text_of_its_own_after_the_page(reading, pdf, at):
    turned = b"BT /F 10 Tf 0 1 -1 0 40 300 Tm (A note along the margin of the page) Tj ET\n"
    document = reading(pdf(turned + at(72, 700, LINE)))
    assert texts(document) == [LINE, "A note along the margin of the page"]
    box = document.segments[1].box
    assert box.bottom == pytest.approx((792 - 300) / 792, abs=0.01)
    assert box.right == pytest.approx(40 / 612, abs=0.01)


def test_a_paragraph_goes_on_past_a_line_in_the_margin(reading, pdf, at):
    turned = b"BT /F 10 Tf 0 1 -1 0 40 300 Tm (A note along the margin of the page) Tj ET\n"
    first = turned + at(72, 600, f"{LINE} and")
    document = reading(pdf(first, at(72, 700, "that is the width of the cut.")))
    assert texts(document) == [
        f"{LINE} and that is the width of the cut.",
        "A note along the margin of the page",
    ]


def test_a_page_of_lines_that_all_run_upwards_is_read_from_the_left(reading, pdf):
    lines = [f"Line {i} of a wide table set on its side, to be read with the head turned" for i in range(6)]
    turned = b"BT /F 10 Tf 0 1 -1 0 %d 100 Tm (%s) Tj ET\n"
    document = reading(pdf(b"".join(turned % (100 + 12 * i, line.encode()) for i, line in enumerate(lines))))
    assert texts(document) == [" ".join(lines)]


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_frame_takes_back_what_it_turned(turn, mirrored):
    frame = Frame(Rect(0, 0, 600, 800), turn, mirrored)
    rect = Rect(10, 20, 110, 50)
    assert frame.back(frame.into(rect)) == rect
    assert frame.into(frame.page) == frame.box


def test_text_drawn_twice_or_outside_of_the_page_is_not_repeated(reading, pdf, at):
    content = (
        at(72, 700, LINE) + at(72, 660, "in between.") + at(72.4, 700, LINE) + at(-300, 500, "out of sight")
    )
    assert texts(reading(pdf(content))) == [LINE, "in between."]


def test_ligatures_and_accents_of_old_fonts_become_letters(reading, pdf, at, streamed):
    map_ = (
        b"1 begincodespacerange <00> <ff> endcodespacerange 2 beginbfchar <41> <fb01> <42> <00b4> endbfchar"
    )
    more = [
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 5 0 R >>",
        streamed(b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap " + map_ + b" endcmap"),
    ]
    content = b"BT /G 12 Tf 72 700 Td (A) Tj /F 12 Tf (le, r) Tj /G 12 Tf (B) Tj /F 12 Tf -8 0 Td ET\n"
    accent = b"BT /F 12 Tf 72 660 Td (caf) Tj /G 12 Tf [(B) 640] TJ /F 12 Tf (e) Tj ET\n"
    data = pdf(content + accent, more=more).replace(b"/F 3 0 R", b"/F 3 0 R /G 4 0 R")
    text = " ".join(texts(reading(data)))
    assert text.startswith("file, r")
    assert "café" in text


def test_raised_numbers_leave_their_words_but_not_units():
    assert with_raised_marks("saws3") == "saws ³"
    assert with_raised_marks("wood.12") == "wood. ¹²"
    assert with_raised_marks("1Although") == "¹ Although"
    assert with_raised_marks("m2") == "m2"
    assert with_raised_marks("10-7") == "10-7"
