"""PDF files: reading order, figures with captions, places on the page, and damage."""

from __future__ import annotations

import pypdfium2
import pytest
from PIL import Image

from plait.data.readers.base import ReadLimits
from plait.errors import ReadError

PLAIN = ReadLimits(page_dpi=0)
LINE = "The kerf is the width of the cut that a saw leaves"
CHART = b"0 0 1 RG 2 w 0.9 0.5 0.1 rg %f %f 120 80 re B 0.2 0.6 0.3 rg %f %f 40 50 re f\n"


@pytest.fixture
def reading(tmp_path, read):
    """Write a PDF and read it."""

    def run(data: bytes, *, limits: ReadLimits = PLAIN, name: str = "file.pdf"):
        (tmp_path / name).write_bytes(data)
        return read(tmp_path / name, limits=limits)

    return run


def texts(document):
    return [segment.text for segment in document.segments if segment.kind == "text"]


def images(document):
    return [segment for segment in document.segments if segment.kind == "image"]


def chart(x: float, y: float) -> bytes:
    return CHART % (x, y, x + 20, y + 10)


def test_lines_become_paragraphs_and_hyphenated_words_whole(reading, pdf, at):
    content = (
        at(72, 700, LINE) + at(72, 688, "behind, and it is set by the har-") + at(72, 676, "dest teeth.")
    )
    content += at(72, 640, "Another paragraph.")
    assert texts(reading(pdf(content))) == [
        f"{LINE} behind, and it is set by the hardest teeth.",
        "Another paragraph.",
    ]


def test_two_columns_are_read_one_after_the_other_whatever_the_stream(reading, pdf, at):
    lines = [f"Line number {i} of the text in this column is long enough" for i in range(10)]
    left = [at(50, 600 - 12 * i, f"L {line}", size=9) for i, line in enumerate(lines)]
    right = [at(320, 600 - 12 * i, f"R {line}", size=9) for i, line in enumerate(lines)]
    shuffled = [piece for pair in zip(right, left, strict=True) for piece in pair]
    title = at(
        50, 650, "A title that stands across both of the columns, as titles of papers will do", size=14
    )
    for stream in (left + right, shuffled):
        text = " ".join(texts(reading(pdf(b"".join(stream) + title))))
        assert text.startswith("A title")
        places = [text.index(f"{side} Line number {i} ") for side in "LR" for i in range(10)]
        assert places == sorted(places)


def test_a_table_is_read_row_by_row(reading, pdf, at):
    content = b"".join(
        at(72, 700 - 12 * i, f"tool {i}") + at(400, 700 - 12 * i, f"use {i}") for i in range(8)
    )
    assert " ".join(texts(reading(pdf(content)))).startswith("tool 0 use 0 tool 1 use 1")


def test_a_vector_figure_is_cut_out_with_its_caption(reading, pdf, at):
    content = (
        at(72, 700, LINE)
        + chart(200, 500)
        + at(200, 480, "Figure 1: Width of cut by blade.")
        + at(72, 440, LINE)
    )
    document = reading(pdf(content))
    (figure,) = images(document)
    assert figure.caption == "Figure 1: Width of cut by blade."
    assert texts(document) == [LINE, LINE]
    assert [s.kind for s in document.segments] == ["text", "image", "text"]
    assert figure.box.left == pytest.approx(200 / 612, abs=0.01)
    assert figure.box.bottom == pytest.approx((792 - 500) / 792, abs=0.01)
    with Image.open(figure.picture.path) as picture:
        assert picture.width == pytest.approx(120 * 150 / 72, abs=20)
        assert picture.convert("RGB").getpixel((picture.width // 2 + 40, picture.height // 2)) == (
            230,
            128,
            26,
        )


def test_panels_side_by_side_are_one_figure(reading, pdf, at):
    content = (
        chart(100, 500) + chart(260, 500) + at(120, 470, "Figure 2. Two blades and what they leave behind.")
    )
    (figure,) = images(reading(pdf(content)))
    assert figure.box.right - figure.box.left > 260 / 612


def test_labels_belong_to_the_figure_and_not_to_the_text(reading, pdf, at):
    content = chart(200, 500) + at(240, 560, "depth") + at(200, 480, "Fig. 3 Depth.") + at(72, 400, LINE)
    document = reading(pdf(content))
    assert images(document)[0].text == "depth"
    assert texts(document) == [LINE]


def test_a_sentence_that_begins_with_figure_is_no_caption(reading, pdf, at):
    content = chart(200, 500) + at(72, 480, "Figure 1 illustrates the width of a cut by a thin blade.")
    document = reading(pdf(content))
    assert images(document)[0].caption == ""
    assert len(texts(document)) == 1


def test_rules_backgrounds_and_boxes_around_text_are_no_figures(reading, pdf, at):
    background = b"0.95 g 0 0 612 792 re f 0 g\n"
    rules = b"1 w 72 600 m 500 600 l S 72 580 m 500 580 l S\n"
    box = b"0.9 g 60 400 480 80 re f 0 g\n"
    content = background + rules + box + b"".join(at(72, 460 - 12 * i, LINE) for i in range(4))
    assert images(reading(pdf(content))) == []


def test_a_raster_image_is_a_figure(reading, tmp_path):
    noise = Image.effect_noise((300, 200), 80).convert("RGB")
    noise.save(tmp_path / "scan.pdf", resolution=100)
    document = reading((tmp_path / "scan.pdf").read_bytes(), limits=ReadLimits(ocr="off"))
    (figure,) = images(document)
    assert document.warnings == ("1 page has no text layer and can be found by picture only (page 1)",)
    assert figure.picture == document.pages[0].picture


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_places_are_those_a_reader_sees(reading, pdf, at, rotate):
    document = reading(pdf(at(72, 700, LINE), rotate=rotate, page_extra=b"/CropBox [36 36 576 756]"))
    box = document.segments[0].box
    left, top = (72 - 36) / 540, (756 - 700) / 720
    centre = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    expected = {
        0: centre[1] - top,
        90: centre[0] - (1 - top),
        180: centre[1] - (1 - top),
        270: centre[0] - top,
    }
    assert expected[rotate] == pytest.approx(0, abs=0.02)
    edge = {0: box.left - left, 90: box.top - left, 180: 1 - box.right - left, 270: 1 - box.bottom - left}
    assert edge[rotate] == pytest.approx(0, abs=0.02)
    assert document.segments[0].text == LINE


def test_running_heads_are_dropped(reading, pdf, at):
    pages = [
        at(72, 760, f"A handbook of saws {i}") + at(72, 600, f"{LINE}, part {i}") + at(300, 30, str(i))
        for i in range(1, 5)
    ]
    assert texts(reading(pdf(*pages))) == [f"{LINE}, part {i}" for i in range(1, 5)]


def test_headings_and_title_are_told_by_size(reading, pdf, at):
    first = at(72, 740, "All About Saws", size=24) + at(72, 690, "Blades", size=15) + at(72, 660, LINE)
    second = at(72, 700, LINE) + at(72, 650, "Handles", size=15) + at(72, 620, LINE)
    document = reading(pdf(first, second))
    assert document.title == "All About Saws"
    assert [s.section for s in document.segments] == [(), *[("Blades",)] * 3, *[("Handles",)] * 2]


def test_metadata_labels_and_page_images(reading, pdf, at):
    data = pdf(
        at(72, 700, LINE),
        more=[b"<< /Title (Saws) /Author (A. Sawyer) /CreationDate (D:20240315120000Z) >>"],
        trailer=b"/Info 4 0 R",
    )
    data = data.replace(b"/Pages 2 0 R >>", b"/Pages 2 0 R /PageLabels << /Nums [0 << /S /r >>] >> >>", 1)
    document = reading(data, limits=ReadLimits(page_dpi=72))
    assert document.title == "Saws"
    assert document.metadata == {"type": "pdf", "pages": 1, "author": "A. Sawyer", "created": "2024-03-15"}
    assert document.pages[0].label == "i"
    picture = document.pages[0].picture
    assert (picture.width_px, picture.height_px) == (612, 792)


def test_surrogate_halves_are_joined(reading, pdf, streamed):
    to_unicode = b"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfchar <41> <d835dc00> endbfchar"
    more = [
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 5 0 R >>",
        streamed(b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap " + to_unicode + b" endcmap"),
    ]
    data = pdf(b"BT /G 12 Tf 72 700 Td (AAAAAAAAAA) Tj ET", more=more).replace(
        b"/F 3 0 R", b"/F 3 0 R /G 4 0 R"
    )
    assert texts(reading(data)) == ["\U0001d400" * 10]


def test_a_file_that_needs_a_password_is_refused(reading, pdf, at):
    standard = b"<< /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P -4 >>" % (b"ab" * 32, b"cd" * 32)
    data = pdf(at(72, 700, LINE), more=[standard], trailer=b"/Encrypt 4 0 R /ID [<00> <00>]")
    with pytest.raises(ReadError, match="is password-protected; save a copy without the password"):
        reading(data)


@pytest.mark.parametrize("kept", [0.1, 0.66])
def test_a_file_cut_short_is_refused(reading, pdf, at, kept):
    data = pdf(*(at(72, 700, f"{LINE} {i}") for i in range(6)))
    with pytest.raises(ReadError, match="cannot be opened as a PDF: damaged or cut short"):
        reading(data[: int(len(data) * kept)])


def test_a_damaged_page_is_skipped_and_told(reading, pdf, at):
    data = pdf(at(72, 700, LINE), at(72, 700, "second"), at(72, 700, LINE)).replace(b"6 0 obj", b"6 0 obx")
    document = reading(data)
    assert len(document.pages) == 2
    assert document.warnings == ("page 2 was left out: it is damaged",)


def test_pages_the_file_declares_but_lost_are_told(reading, pdf, at):
    data = pdf(at(72, 700, LINE)).replace(b"/Count 1", b"/Count 6")
    document = reading(data)
    assert any("its 6 pages" in w or "page 2 was left out" in w for w in document.warnings)


def test_a_page_tree_that_loops_is_refused(reading, numbered):
    loop = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"]
    with pytest.raises(ReadError):
        reading(numbered(loop))


def test_a_page_of_288000_points_is_read_within_the_pixel_limit(reading, pdf, at):
    data = pdf(at(72, 700, LINE, size=400), width=288_000, height=288_000)
    document = reading(data, limits=ReadLimits())
    assert document.pages[0].picture.width_px <= 2200
    assert texts(document) == [LINE]


def test_a_page_of_no_size_does_not_end_the_document(reading, pdf, at):
    data = pdf(at(72, 700, LINE), at(72, 700, LINE), width=612.0).replace(
        b"[0 0 612.000000 792.000000]", b"[0 0 0.500000 0.50000000]", 1
    )
    document = reading(data)
    assert [segment.page for segment in document.segments][-1] == 2


def test_no_pictures_of_pages_are_made_at_zero_dpi(reading, pdf, at, spool):
    document = reading(pdf(at(72, 700, LINE)))
    assert document.pages[0].picture is None
    assert list(spool.iterdir()) == []


def test_the_lowest_pypdfium2_has_what_is_used():
    assert int(pypdfium2.PYPDFIUM_INFO.version.split(".")[0]) >= 5
