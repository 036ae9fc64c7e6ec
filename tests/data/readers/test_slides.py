"""PowerPoint files as python-pptx writes them."""

from __future__ import annotations

import io
import zipfile

import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches
from tests.helpers.damage import outcomes

from plait.data.readers.base import ReadLimits
from plait.data.readers.office.slides import read_slides
from plait.errors import ReadError
from plait.schema import Box, Link

# The default slide of python-pptx: 10 x 7.5 inches.
TITLE_ONLY, TITLE_AND_BODY, BLANK = 5, 1, 6


@pytest.fixture
def deck():
    return pptx.Presentation()


@pytest.fixture
def save(tmp_path):
    def write(deck, name="talk.pptx"):
        deck.save(tmp_path / name)
        return tmp_path / name

    return write


def add(deck, layout=TITLE_ONLY, title=""):
    slide = deck.slides.add_slide(deck.slide_layouts[layout])
    if title:
        slide.shapes.title.text = title
    return slide


def write(shapes, text, left, top, width=2.0, height=1.0):
    box = shapes.add_textbox(Inches(left), Inches(top), Inches(width), Inches(height))
    box.text_frame.text = text
    return box


def rewritten(path, name, change):
    """Change one part of a saved file."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w") as copy:
        for part in archive.namelist():
            data = archive.read(part)
            copy.writestr(part, change(data) if part == name else data)
    path.write_bytes(out.getvalue())
    return path


def test_every_slide_is_a_page_under_its_title(read, save, deck):
    slide = add(deck, TITLE_AND_BODY, "Sharpening saws")
    slide.placeholders[1].text_frame.text = "File each tooth.\nTurn."
    slide.notes_slide.notes_text_frame.text = "Show the file."
    add(deck, BLANK)
    deck.core_properties.author = "Ann Carpenter"
    deck.core_properties.title = "PowerPoint Presentation"
    document = read(save(deck))
    assert document.title == "Sharpening saws"
    assert {k: document.metadata[k] for k in ("author", "pages", "type")} == {
        "author": "Ann Carpenter",
        "pages": 2,
        "type": "pptx",
    }
    assert [page.number for page in document.pages] == [1, 2]
    assert [(s.text, s.role, s.page, s.section) for s in document.segments] == [
        ("Sharpening saws", "body", 1, ("Sharpening saws",)),
        ("File each tooth.\nTurn.", "body", 1, ("Sharpening saws",)),
        ("Show the file.", "notes", 1, ("Sharpening saws",)),
    ]


def test_shapes_are_read_row_by_row_with_their_places(read, save, deck):
    slide = add(deck, TITLE_ONLY, "Top")
    write(slide.shapes, "below", 1, 5)
    write(slide.shapes, "right", 6, 2.1)
    write(slide.shapes, "left", 1, 2.4)
    document = read(save(deck))
    assert [s.text for s in document.segments] == ["Top", "left", "right", "below"]
    assert document.segments[3].box == Box(0.1, 0.6667, 0.3, 0.8)


def test_shapes_in_groups_stand_where_the_group_puts_them(read, save, deck):
    slide = add(deck, BLANK)
    group = slide.shapes.add_group_shape()
    write(group.shapes, "inside", 1, 1, 1, 1)
    write(group.shapes, "beside", 2, 1, 1, 1)  # the group spans 1-3 x 1-2 inches
    group.left, group.top, group.width, group.height = Inches(4), Inches(3), Inches(4), Inches(3)
    first, second = read(save(deck)).segments
    assert (first.text, first.box) == ("inside", Box(0.4, 0.4, 0.6, 0.8))
    assert (second.text, second.box) == ("beside", Box(0.6, 0.4, 0.8, 0.8))


def test_tables_are_rows_with_a_header(read, save, deck):
    slide = add(deck, BLANK)
    frame = slide.shapes.add_table(3, 2, Inches(1), Inches(1), Inches(4), Inches(3))
    values = [["wood", "price"], ["oak", "12"], ["pine", "7"]]
    for row, texts in enumerate(values):
        for column, text in enumerate(texts):
            frame.table.cell(row, column).text = text
    (table,) = read(save(deck)).segments
    assert table.rows == tuple(map(tuple, values))
    assert (table.kind, table.header_rows, table.page) == ("table", 1, 1)
    assert table.box == Box(0.1, 0.1333, 0.5, 0.5333)


def test_merged_cells_keep_the_rows_at_one_length(read, save, deck):
    frame = add(deck, BLANK).shapes.add_table(2, 3, 0, 0, Inches(4), Inches(3))
    for column, text in enumerate("abc"):
        frame.table.cell(1, column).text = text
    frame.table.cell(0, 0).text = "all"
    frame.table.cell(0, 0).merge(frame.table.cell(0, 2))
    assert read(save(deck)).segments[0].rows == (("all", "", ""), ("a", "b", "c"))


def test_charts_are_tables_of_their_values(read, save, deck):
    data = CategoryChartData()
    data.categories = ["May", "June"]
    data.add_series("Bern", (80, 0.1 + 0.2))
    data.add_series("Chur", (70, None))
    kind = XL_CHART_TYPE.COLUMN_CLUSTERED
    frame = add(deck, BLANK).shapes.add_chart(kind, Inches(1), Inches(1), Inches(5), Inches(3), data)
    frame.chart.has_title = True
    frame.chart.chart_title.text_frame.text = "Rain in mm"
    (table,) = read(save(deck)).segments
    assert table.caption == "Rain in mm"
    assert table.rows == (("", "Bern", "Chur"), ("May", "80", "70"), ("June", "0.3", ""))


def test_pictures_are_cut_as_they_are_shown(read, save, deck, png):
    slide = add(deck, BLANK)
    picture = slide.shapes.add_picture(io.BytesIO(png(80, 60)), Inches(1), Inches(1), Inches(2), Inches(3))
    picture.crop_left, picture.crop_bottom = 0.25, 0.5
    picture._element._nvXxPr.cNvPr.set("descr", "a saw")
    write(slide.shapes, "Figure 2: Teeth of a rip saw", 1, 4.1, 3, 0.5)
    write(slide.shapes, "Figure 2 shows the teeth.", 1, 5.5, 3, 0.5)
    figure, text = read(save(deck)).segments
    assert (figure.picture.width_px, figure.picture.height_px) == (60, 30)
    assert (figure.text, figure.caption, figure.label) == (
        "a saw",
        "Figure 2: Teeth of a rip saw",
        "Figure 2",
    )
    assert figure.box == Box(0.1, 0.1333, 0.3, 0.5333)
    assert text.text == "Figure 2 shows the teeth."


def test_links_lead_to_addresses_and_to_slides(read, save, deck):
    slide, other = add(deck, BLANK), add(deck, TITLE_ONLY, "Goal")
    frame = write(slide.shapes, "", 1, 1).text_frame
    run = frame.paragraphs[0].add_run()
    run.text, run.hyperlink.address = "saws", "https://example.org/saws"
    jump = frame.paragraphs[0].add_run()
    jump.text = "the goal"
    jump.hyperlink.address = "x"
    click = jump._r.rPr.hlinkClick
    click.set("action", "ppaction://hlinksldjump")
    relation = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
    click.set(relation, slide.part.relate_to(other.part, "http://schemas.openxmlformats.org/slide"))
    links = read(save(deck)).segments[0].links
    assert links == (Link("saws", "https://example.org/saws"), Link("the goal", "page:2"))


def test_hidden_slides_are_read_and_named(read, save, deck):
    add(deck, TITLE_ONLY, "Shown")
    add(deck, TITLE_ONLY, "Spare")._element.set("show", "0")
    document = read(save(deck))
    assert [s.text for s in document.segments] == ["Shown", "Spare"]
    assert document.metadata["hidden"] == "2"


def test_slide_numbers_and_footers_are_left_out(read, save, deck):
    slide = add(deck, TITLE_ONLY, "Title")
    for kind, text in (("ftr", "Carpenters Ltd"), ("sldNum", "1"), ("dt", "May 2024")):
        box = write(slide.shapes, text, 1, 6)
        place = box._element.nvSpPr.nvPr
        place.append(place.makeelement(place.tag.replace("nvPr", "ph"), {"type": kind}))
    assert [s.text for s in read(save(deck)).segments] == ["Title"]


def test_a_diagram_gives_its_words(read, save, deck):
    slide = add(deck, BLANK)
    frame = slide.shapes.add_table(1, 1, 0, 0, Inches(1), Inches(1))
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/"
    points = f'<d:x xmlns:d="{drawing}diagram" xmlns:a="{drawing}main">' + "".join(
        f"<d:pt><d:t><a:p><a:r><a:t>{word}</a:t></a:r></a:p></d:t></d:pt>" for word in ("Plan", "Cut")
    )
    part = pptx.opc.package.Part(
        pptx.opc.packuri.PackURI("/ppt/diagrams/data1.xml"),
        "application/vnd.openxmlformats-officedocument.drawingml.diagramData+xml",
        deck.part.package,
        f"{points}</d:x>".encode(),
    )
    relation = slide.part.relate_to(part, "http://schemas.openxmlformats.org/diagramData")
    data = frame._element.graphic.graphicData
    data.remove(data[0])
    data.set("uri", f"{drawing}diagram")
    ids = data.makeelement(f"{{{drawing}diagram}}relIds", {})
    ids.set("{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm", relation)
    data.append(ids)
    assert [s.text for s in read(save(deck)).segments] == ["Plan\nCut"]


def test_a_broken_slide_is_left_out_with_a_warning(read, save, deck):
    add(deck, TITLE_ONLY, "One")
    frame = add(deck, TITLE_ONLY, "Two").shapes.add_table(1, 1, 0, 0, Inches(1), Inches(1))
    frame.name = "Spoilt"
    path = rewritten(save(deck), "ppt/slides/slide2.xml", lambda data: data.replace(b'x="0"', b'x="far"'))
    document = read(path)
    assert [s.text for s in document.segments] == ["One"]
    assert document.warnings[0].startswith("slide 2 is left out: it is damaged")


def test_more_slides_than_the_limit_are_left_out(read, save, deck):
    for title in "abc":
        add(deck, TITLE_ONLY, title)
    document = read(save(deck), limits=ReadLimits(max_pages=2))
    assert [s.text for s in document.segments] == ["a", "b"]
    assert document.warnings == ("only the first 2 of 3 slides are read",)


def test_pictures_that_lie_elsewhere_are_not_fetched(read, save, deck, png, tmp_path):
    (tmp_path / "secret.png").write_bytes(png())
    slide = add(deck, TITLE_ONLY, "Title")
    shape = slide.shapes.add_picture(io.BytesIO(png(70, 50)), 0, 0)
    blip = next(e for e in shape._element.iter() if e.tag.endswith("}blip"))
    relations = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
    del blip.attrib[f"{relations}embed"]
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"
    target = (tmp_path / "secret.png").as_uri()
    blip.set(f"{relations}link", slide.part.relate_to(target, kind, is_external=True))
    document = read(save(deck))
    assert [s.kind for s in document.segments] == ["text"]
    assert document.warnings == (
        "left out 1 picture: not stored in the document (nothing is fetched from elsewhere)",
    )


def test_xml_entities_are_refused(read, save, deck):
    add(deck, TITLE_ONLY, "Title")
    bomb = b'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    path = rewritten(save(deck), "ppt/slides/slide1.xml", lambda data: bomb + data.split(b"?>", 1)[1])
    with pytest.raises(ReadError, match="declares XML entities"):
        read(path)


def test_a_deck_without_words_or_pictures_is_refused(read, save, deck):
    add(deck, BLANK)
    with pytest.raises(ReadError, match="holds no text and no pictures"):
        read(save(deck))


def test_damaged_decks_are_read_or_refused(tmp_path, save, deck, png):
    slide = add(deck, TITLE_AND_BODY, "Title")
    slide.placeholders[1].text_frame.text = "Body"
    slide.shapes.add_picture(io.BytesIO(png()), 0, 0)
    slide.shapes.add_table(1, 1, 0, 0, Inches(1), Inches(1)).table.cell(0, 0).text = "cell"
    # Without the layouts that the slide does not use, the damage hits what is read.
    layouts = deck.slide_layouts
    for layout in [one for one in layouts if one != slide.slide_layout]:
        layouts.remove(layout)
    read, refused = outcomes(read_slides, save(deck).read_bytes(), tmp_path, ".pptx")
    assert read + refused == 60
    assert refused > 5
