"""HTML pages: what is kept, in what order, with which caption and section."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from plait.errors import ReadError


@pytest.fixture
def page(tmp_path, read, png):
    """Write a page beside some pictures, and read it."""

    def run(body: str | bytes, *, head: str = "", name: str = "page.html", root: Path | None = None):
        (tmp_path / "a.png").write_bytes(png(60, 40, "teal"))
        (tmp_path / "b.png").write_bytes(png(60, 40, "maroon"))
        (tmp_path / "icon.png").write_bytes(png(16, 16))
        path = tmp_path / name
        if isinstance(body, str):
            body = f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode()
        path.write_bytes(body)
        return read(path, root=root)

    return run


def texts(document):
    return [segment.text for segment in document.segments if segment.kind == "text"]


def images(document):
    return [segment for segment in document.segments if segment.kind == "image"]


def test_text_and_images_keep_their_order(page):
    document = page("<p>one</p><img src='a.png'><p>two</p><img src='b.png'><p>three</p>")
    assert [s.text if s.kind == "text" else "*" for s in document.segments] == [
        "one",
        "*",
        "two",
        "*",
        "three",
    ]
    assert (images(document)[0].picture.width_px, images(document)[0].picture.height_px) == (60, 40)


def test_an_image_inside_a_paragraph_does_not_part_its_words(page):
    document = page("<p>Press <img src='a.png' alt='the button'> to begin.</p>")
    assert texts(document) == ["Press to begin."]
    assert images(document)[0].text == "the button"


def test_pictures_keep_their_bytes_and_are_named_by_them(page, tmp_path):
    picture = images(page("<img src='a.png'>"))[0].picture
    assert Path(picture.path).read_bytes() == (tmp_path / "a.png").read_bytes()
    assert Path(picture.path).stem == picture.sha256


@pytest.mark.parametrize(
    "markup",
    [
        "<figure><img src='a.png'><figcaption>A <b>saw</b></figcaption></figure>",
        "<div class='figure align-default'><img src='a.png'><p class='caption'><span class='caption-text'>"
        "A saw</span><a class='headerlink' href='#x'>¶</a></p></div>",
        "<div class='figure'><p class='title'><strong>A saw</strong></p>"
        "<div class='figure-contents'><div class='mediaobject'><img src='a.png'></div></div></div>",
        "<div class='image'><img src='a.png'><div class='caption'>\nA saw</div></div>",
    ],
    ids=["html5", "sphinx", "docbook", "doxygen"],
)
def test_captions_go_to_their_image_and_not_to_the_text(page, markup):
    document = page(f"<p>before</p>{markup}<p>after</p>")
    assert images(document)[0].caption == "A saw"
    assert texts(document) == ["before", "after"]


def test_panels_of_one_figure_share_its_caption_and_keep_their_own(page):
    document = page(
        "<div class='figure'><p class='title'>Figure 1.</p>"
        "<div class='mediaobject'><img src='a.png'><div class='caption'><p>Before</p></div></div>"
        "<div class='mediaobject'><img src='b.png'><div class='caption'><p>After</p></div></div></div>"
    )
    assert [image.caption for image in images(document)] == ["Figure 1. Before", "Figure 1. After"]
    assert texts(document) == []


def test_the_caption_of_a_figure_without_a_picture_stays_as_text(page):
    assert texts(page("<figure><img src='gone.png'><figcaption>A saw</figcaption></figure>")) == ["A saw"]


def test_sections_are_the_headings_above_outermost_first(page):
    document = page("<h1>A</h1><p>1</p><h3>B</h3><p>2</p><h2>C</h2><p id='x'>3</p>")
    assert [(s.text, s.section) for s in document.segments] == [
        ("A", ("A",)),
        ("1", ("A",)),
        ("B", ("A", "B")),
        ("2", ("A", "B")),
        ("C", ("A", "C")),
        ("3", ("A", "C")),
    ]
    assert document.segments[-1].anchor == "x"


def test_navigation_scripts_and_sidebars_are_left_out(page):
    document = page(
        "<header><nav>menu</nav></header><div class='sphinxsidebar'>toc</div><script>x()</script>"
        "<style>p{}</style><div class='navheader'><img src='a.png'>Prev</div><p>content</p>"
        "<div role='navigation'>more</div><p style='display: none'>hidden</p><footer>imprint</footer>"
    )
    assert texts(document) == ["content"]
    assert images(document) == []


def test_a_page_of_nothing_but_navigation_is_still_read(page):
    assert texts(page("<nav><a href='x'>Chapter one</a></nav>")) == ["Chapter one"]


def test_main_is_read_alone_where_a_page_marks_it(page):
    assert texts(page("<p>outside</p><main><p>inside</p></main>")) == ["inside"]


def test_a_header_that_holds_the_title_is_kept(page):
    assert texts(page("<header><h1>Title</h1></header><p>words</p>")) == ["Title", "words"]


def test_tables_are_rows_lists_are_items_and_code_keeps_its_lines(page):
    document = page(
        "<table><tr><th>Size</th><th>Use</th></tr><tr><td>5</td><td><p>fine</p></td><td></td></tr></table>"
        "<ul><li>one</li><li>two</li></ul><dl><dt>kerf</dt><dd>width of the cut</dd></dl>"
        "<pre>a = 1\n  b = 2\n</pre>"
    )
    assert texts(document) == [
        "Size | Use",
        "5 | fine",
        "one",
        "two",
        "kerf: width of the cut",
        "a = 1\n  b = 2",
    ]


def test_a_layout_table_keeps_its_paragraphs_apart(page):
    long = "word " * 100
    assert texts(page(f"<table><tr><td><p>{long}</p><p>{long}</p></td></tr></table>")) == [long.strip()] * 2


def test_pictures_from_elsewhere_are_refused_and_counted(page, tmp_path, png):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.png").symlink_to(tmp_path / "a.png")
    body = (
        "<p>x</p><img src='http://127.0.0.1/a.png'><img src='//127.0.0.1/b.png'>"
        "<img src='file:///etc/hostname'><img src='../a.png'><img src='link.png'><img src='/etc/hostname'>"
        "<img src='gone.png'><img src='drawing.svg'>"
    )
    document = page(body, name="inner/page.html")
    assert images(document) == []
    assert document.warnings == (
        "left out 1 picture: SVG drawings are not supported",
        "left out 3 pictures: not stored beside the page (nothing is fetched from elsewhere)",
        "left out 3 pictures: outside the folder that was added",
        "left out 1 picture: the file is missing",
    )


def test_pictures_beside_the_page_but_inside_the_added_folder_are_taken(page, tmp_path):
    (tmp_path / "inner").mkdir()
    document = page("<img src='../a.png?size=1#x'>", name="inner/page.html", root=tmp_path)
    assert len(images(document)) == 1


def test_data_addresses_are_decoded(page, png):
    address = "data:image/png;base64," + base64.b64encode(png(30, 30, "navy")).decode()
    assert images(page(f"<img src='{address}'>"))[0].picture.width_px == 30


def test_icons_and_broken_pictures_are_left_out(page, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    document = page("<p>x</p><img src='icon.png'><img src='a.png' width='16'><img src='broken.png'>")
    assert images(document) == []
    assert document.warnings == ("left out 1 picture: not a picture, or a damaged one",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("<html><p>Säge</p>".encode("cp1252"), "Säge"),
        ("<html><meta charset='iso-8859-2'><p>Ľuboš</p>".encode("iso-8859-2"), "Ľuboš"),
        ("<html><p>Пила</p>".encode("utf-16"), "Пила"),
        ("<?xml version='1.0' encoding='shift_jis'?><html><p>鋸</p>".encode("shift_jis"), "鋸"),
        ("\ufeff<html><p>Säge</p>".encode(), "Säge"),
    ],
    ids=["undeclared cp1252", "declared latin-2", "utf-16", "xml declaration", "utf-8 mark"],
)
def test_encodings_are_told_by_mark_declaration_or_trial(page, data, words):
    document = page(data)
    assert texts(document) == [words]
    assert document.warnings == ()


def test_nesting_of_any_depth_is_read(page):
    document = page("<div>" * 3000 + "deep" + "<img src='a.png'>" + "</div>" * 3000)
    assert texts(document) == ["deep"]
    assert len(images(document)) == 1


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("<title>Saws — Handbook 1.0</title>", "Saws"),
        ("<title>Something else</title>", "Something else"),
        ("", "Saws"),
    ],
)
def test_the_title_is_the_heading_unless_the_page_names_another(page, head, expected):
    assert page("<h1>Saws<a class='headerlink'>¶</a></h1><p>x</p>", head=head).title == expected


def test_metadata_says_what_the_page_says(page):
    document = page("<p>x</p>", head="<meta name='author' content='A. Sawyer'>")
    assert document.metadata == {"type": "html", "author": "A. Sawyer"}


def test_an_empty_page_is_refused(page):
    with pytest.raises(ReadError, match="holds no text and no pictures"):
        page("<script>x()</script>")
