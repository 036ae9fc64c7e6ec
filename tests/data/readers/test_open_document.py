"""OpenDocument texts and presentations, written by hand as LibreOffice writes them."""

from __future__ import annotations

import io
import zipfile

import pytest
from tests.helpers.damage import outcomes

from plait.data.readers.base import ReadLimits
from plait.data.readers.office.open_document import read_open_slides, read_open_text
from plait.errors import ReadError
from plait.schema import Box, Link

SPACES = " ".join(
    f'xmlns:{name}="urn:{name}"'
    for name in (
        "office",
        "text",
        "table",
        "draw",
        "svg",
        "xlink",
        "style",
        "dc",
        "meta",
        "presentation",
        "format",
    )
)
TYPE = "application/vnd.oasis.opendocument."
META = (
    f"<office:document-meta {SPACES}><office:meta><dc:title>Timber</dc:title><dc:creator>Bob</dc:creator>"
    "<meta:initial-creator>Ann Carpenter</meta:initial-creator><dc:date>2024-06-01T10:00:00</dc:date>"
    "<meta:creation-date>2024-05-01T10:00:00</meta:creation-date><dc:language>en</dc:language>"
    "</office:meta></office:document-meta>"
)
LAYOUT = (
    f'<office:document-styles {SPACES}><style:page-layout style:name="PM1">'
    '<style:page-layout-properties format:page-width="20cm" format:page-height="10cm"/></style:page-layout>'
    '<style:master-page style:name="Default" style:page-layout-name="PM1"/></office:document-styles>'
)


def open_document(kind, body, *, styles="", members=(), head=""):
    """Return the bytes of an OpenDocument file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), TYPE + kind)
        archive.writestr(
            "content.xml",
            f"{head}<office:document-content {SPACES}><office:automatic-styles>{styles}"
            f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body>"
            "</office:document-content>",
        )
        archive.writestr("meta.xml", META)
        archive.writestr("styles.xml", LAYOUT)
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


@pytest.fixture
def read_text(tmp_path, read):
    def run(body, **more):
        path = tmp_path / "saws.odt"
        path.write_bytes(open_document("text", body, **more))
        return read(path)

    return run


@pytest.fixture
def read_slides(tmp_path, read):
    def run(body, *, limits=None, **more):
        path = tmp_path / "saws.odp"
        path.write_bytes(open_document("presentation", body, **more))
        return read(path, limits=limits)

    return run


def cell(words):
    return f"<table:table-cell><text:p>{words}</text:p></table:table-cell>"


def row(*words):
    return f"<table:table-row>{''.join(map(cell, words))}</table:table-row>"


def shape(words, left, top, *, tag="draw:frame", more=""):
    place = f'svg:x="{left}cm" svg:y="{top}cm" svg:width="4cm" svg:height="2cm"'
    return f"<{tag} {place} {more}><draw:text-box><text:p>{words}</text:p></draw:text-box></{tag}>"


def test_headings_make_the_sections_of_a_text(read_text):
    document = read_text(
        '<text:h text:outline-level="1">Saws</text:h><text:p>Cut <text:span>wood</text:span>.</text:p>'
        '<text:h text:outline-level="2">Rip<text:s text:c="2"/>saws</text:h>'
        "<text:p>Along<text:tab/>the grain.</text:p>"
        '<text:h text:outline-level="1">Files</text:h><text:p/>'
    )
    assert [(s.text, s.section) for s in document.segments] == [
        ("Saws", ("Saws",)),
        ("Cut wood.", ("Saws",)),
        ("Rip saws", ("Saws", "Rip saws")),
        ("Along the grain.", ("Saws", "Rip saws")),
        ("Files", ("Files",)),
    ]
    assert document.title == "Timber"
    assert document.metadata == {
        "author": "Ann Carpenter",
        "created": "2024-05-01",
        "modified": "2024-06-01",
        "language": "en",
        "type": "odt",
    }


def test_lists_sections_and_text_boxes_are_walked(read_text):
    document = read_text(
        "<text:section><text:list><text:list-item><text:p>one</text:p>"
        "<text:list><text:list-item><text:p>inner</text:p>"
        "</text:list-item></text:list></text:list-item></text:list></text:section>"
        "<text:p>before<draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame>"
        " after</text:p>"
    )
    assert [s.text for s in document.segments] == ["one", "inner", "before after", "boxed"]


def test_comments_deletions_and_contents_are_left_out(read_text):
    document = read_text(
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>"
        "<text:table-of-content><text:index-body><text:p>Saws 1</text:p>"
        "</text:index-body></text:table-of-content>"
        "<text:p>kept<office:annotation><dc:creator>Bob</dc:creator><text:p>why?</text:p></office:annotation></text:p>"
    )
    assert [s.text for s in document.segments] == ["kept"]


def test_footnotes_come_last(read_text):
    note = (
        '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation>'
        "<text:note-body><text:p>Of steel.</text:p></text:note-body></text:note>"
    )
    document = read_text(f"<text:p>A saw{note} cuts.</text:p><text:p>The end.</text:p>")
    assert [(s.text, s.role) for s in document.segments] == [
        ("A saw[1] cuts.", "body"),
        ("The end.", "body"),
        ("1 Of steel.", "footnote"),
    ]


def test_links_keep_their_targets(read_text):
    link = '<text:a xlink:href="https://example.org/">this <text:span>page</text:span></text:a>'
    document = read_text(f"<text:p>See {link}.</text:p>")
    assert document.segments[0].text == "See this page."
    assert document.segments[0].links == (Link("this page", "https://example.org/"),)


def test_tables_have_rows_headers_and_captions(read_text):
    document = read_text(
        '<text:p text:style-name="P1">Table 1: Prices</text:p>'
        f"<table:table><table:table-header-rows>{row('wood', 'note')}</table:table-header-rows>"
        f"{row('oak', 'dear')}{row('pine', '')}</table:table>",
        styles='<style:style style:name="P1" style:parent-style-name="Table"/>',
    )
    (table,) = document.segments
    assert table.rows == (("wood", "note"), ("oak", "dear"), ("pine", ""))
    assert (table.header_rows, table.caption, table.label) == (1, "Table 1: Prices", "Table 1")


def test_pictures_take_the_caption_around_or_below_them(read_text, png):
    image = (
        '<draw:frame><draw:image xlink:href="Pictures/{}.png"/><svg:title>x</svg:title>'
        "<svg:desc>a saw</svg:desc></draw:frame>"
    )
    document = read_text(
        # LibreOffice puts picture and caption into one paragraph of a text box.
        '<text:p><draw:frame><draw:text-box><text:p text:style-name="Illustration">'
        f"{image.format('a')}Illustration 1: Teeth</text:p></draw:text-box></draw:frame></text:p>"
        f'<text:p>{image.format("b")}</text:p><text:p text:style-name="Figure">Figure 2: Handle</text:p>'
        '<text:p text:style-name="Figure">Figure 3: Lost</text:p>',
        members=[("Pictures/a.png", png()), ("Pictures/b.png", png(50, 50))],
    )
    assert [(s.kind, s.caption, s.label, s.text) for s in document.segments] == [
        ("image", "Illustration 1: Teeth", "Illustration 1", "a saw"),
        ("image", "Figure 2: Handle", "Figure 2", "a saw"),
        ("text", "", "", "Figure 3: Lost"),
    ]
    assert [s.picture.width_px for s in document.segments[:2]] == [60, 50]


@pytest.mark.parametrize(
    "address", ["../secret.png", "/etc/passwd", "https://example.org/a.png", "file:///a.png"]
)
def test_pictures_that_lie_elsewhere_are_not_fetched(read_text, png, tmp_path, address):
    (tmp_path / "secret.png").write_bytes(png())
    document = read_text(f'<text:p>a<draw:frame><draw:image xlink:href="{address}"/></draw:frame></text:p>')
    assert [s.kind for s in document.segments] == ["text"]
    assert "not stored in the document" in document.warnings[0]


def test_a_title_paragraph_names_the_text(read_text):
    assert read_text('<text:p text:style-name="Title">Of saws</text:p><text:p>a</text:p>').title == "Of saws"


def test_xml_entities_are_refused(read_text):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    with pytest.raises(ReadError, match="entities"):
        read_text("<text:p>&b;</text:p>", head=bomb)


def test_deep_nesting_is_refused_not_followed(read_text):
    depth = 2000
    with pytest.raises(ReadError, match="nests more than"):
        read_text("<text:section>" * depth + "<text:p>a</text:p>" + "</text:section>" * depth)
    depth = 400
    assert read_text("<text:section>" * depth + "<text:p>a</text:p>" + "</text:section>" * depth).segments


def test_an_encrypted_text_is_refused(read_text):
    manifest = b"<manifest:manifest><manifest:encryption-data/></manifest:manifest>"
    with pytest.raises(ReadError, match="password-protected"):
        read_text("<text:p>a</text:p>", members=[("META-INF/manifest.xml", manifest)])


def test_a_text_without_words_is_refused(read_text):
    with pytest.raises(ReadError, match="holds no text"):
        read_text("<text:p/>")


def test_slides_are_pages_with_shapes_in_place(read_slides, png):
    image = shape("", 10, 7).replace(
        "<draw:text-box><text:p></text:p></draw:text-box>", '<draw:image xlink:href="a.png"/>'
    )
    notes = shape("Show it.", 1, 1, more='presentation:class="notes"')
    document = read_slides(
        '<draw:page draw:master-page-name="Default">'
        + shape("right", 10, 4)
        + shape("left", 2, 4.5)
        + shape("12", 1, 9, more='presentation:class="page-number"')
        + shape("Sharpening", 5, 6, more='presentation:class="title"')
        + f"<draw:g>{image}</draw:g><presentation:notes>{notes}</presentation:notes></draw:page>",
        members=[("a.png", png())],
    )
    assert [(s.text, s.role) for s in document.segments if s.kind == "text"] == [
        ("Sharpening", "body"),
        ("left", "body"),
        ("right", "body"),
        ("Show it.", "notes"),
    ]
    assert {(s.page, s.section) for s in document.segments} == {(1, ("Sharpening",))}
    assert document.segments[1].box == Box(0.1, 0.45, 0.3, 0.65)
    assert document.segments[3].picture.width_px == 60
    assert document.segments[3].box == Box(0.5, 0.7, 0.7, 0.9)


def test_tables_on_slides_and_hidden_slides(read_slides):
    table = f"<table:table>{row('wood', 'price')}{row('oak', '12')}</table:table>"
    document = read_slides(
        f'<draw:page draw:style-name="dp2"><draw:frame svg:x="1in" svg:y="0pt">{table}'
        '<draw:image xlink:href="preview.png"/></draw:frame></draw:page>',
        styles='<style:style style:name="dp2">'
        '<style:drawing-page-properties presentation:visibility="hidden"/></style:style>',
    )
    assert [(s.rows, s.header_rows, s.page) for s in document.segments] == [
        ((("wood", "price"), ("oak", "12")), 1, 1)
    ]
    assert document.metadata["hidden"] == "1"


def test_more_slides_than_the_limit_are_left_out(read_slides):
    pages = "".join(f"<draw:page>{shape(word, 1, 1)}</draw:page>" for word in "abc")
    document = read_slides(pages, limits=ReadLimits(max_pages=2))
    assert [s.text for s in document.segments] == ["a", "b"]
    assert document.warnings == ("only the first 2 of 3 slides are read",)


@pytest.mark.parametrize("kind", ["text", "presentation"])
def test_damaged_files_are_read_or_refused(tmp_path, png, kind):
    picture = '<text:p>a<draw:frame><draw:image xlink:href="a.png"/></draw:frame></text:p>'
    rows = f'<table:table-row table:number-rows-repeated="2">{cell("b")}</table:table-row>'
    page = f"{shape('a', 1, 1)}<draw:g>{shape('b', 2, 2)}</draw:g>"
    body = {
        "text": f'<text:h text:outline-level="1">A</text:h>{picture}<table:table>{rows}</table:table>',
        "presentation": f'<draw:page draw:master-page-name="Default">{page}</draw:page>',
    }[kind]
    reader = {"text": read_open_text, "presentation": read_open_slides}[kind]
    whole = open_document(kind, body, members=[("a.png", png())])
    read, refused = outcomes(reader, whole, tmp_path, ".odt")
    assert read + refused == 60
    assert refused > 5
