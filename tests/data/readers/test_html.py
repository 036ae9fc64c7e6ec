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
        if not (tmp_path / "a.png").exists():
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


def test_the_index_of_a_manual_is_navigation(page):
    index = "<table class='indextable genindextable'><tr><td><a href='x'>saw</a></td></tr></table>"
    assert texts(page(f"<h1>Index</h1>{index}")) == ["Index"]


def test_a_page_of_nothing_but_navigation_is_still_read(page):
    assert texts(page("<nav><a href='x'>Chapter one</a></nav>")) == ["Chapter one"]


def test_main_is_read_alone_where_a_page_marks_it(page):
    assert texts(page("<p>outside</p><main><p>inside</p></main>")) == ["inside"]


def test_a_header_that_holds_the_title_is_kept(page):
    assert texts(page("<header><h1>Title</h1></header><p>words</p>")) == ["Title", "words"]


def tables(document):
    return [segment for segment in document.segments if segment.kind == "table"]


def test_lists_are_items_terms_stand_before_their_definition_and_code_keeps_its_lines(page):
    document = page(
        "<ul><li>one</li><li>two</li></ul><dl><dt>kerf</dt><dd>width of the cut</dd></dl>"
        "<pre>a = 1\n  b = <b>2</b>\n</pre><p>end</p>"
    )
    assert texts(document) == ["one", "two", "kerf: width of the cut", "a = 1\n  b = 2", "end"]
    assert [s.role for s in document.segments] == ["body", "body", "body", "code", "body"]


def test_a_table_is_one_segment_of_rows_with_its_header_and_caption(page):
    table = tables(
        page(
            "<h1>Saws</h1><table id='t'>"
            "<caption>Table 2. Teeth<a class='headerlink' href='#t'>¶</a></caption>"
            "<thead><tr><th>Size</th><th>Use</th><th></th></tr></thead>"
            "<tr><td>5</td><td><p>fine</p><p>cuts</p></td><td></td></tr><tr><td>9<td>rough<br>ones</table>"
        )
    )[0]
    assert table.rows == (("Size", "Use"), ("5", "fine cuts"), ("9", "rough ones"))
    assert table.text == "Size | Use\n5 | fine cuts\n9 | rough ones"
    assert (table.header_rows, table.caption, table.label) == (1, "Table 2. Teeth", "Table 2")
    assert (table.anchor, table.section) == ("t", ("Saws",))


def test_cells_over_several_rows_are_repeated_those_over_columns_only_where_they_name_them(page):
    table = tables(
        page(
            "<table><tr><th rowspan=2>Size</th><th colspan=2>Use</th></tr>"
            "<tr><th>wood</th><th>metal</th></tr>"
            "<tr><td rowspan=2>5</td><td>a</td><td>b</td></tr><tr><td colspan=2>c</td></tr></table>"
        )
    )[0]
    assert table.rows == (("Size", "Use", "Use"), ("Size", "wood", "metal"), ("5", "a", "b"), ("5", "c", ""))
    assert table.header_rows == 2


def test_a_table_takes_the_caption_of_the_figure_around_it(page):
    rows = "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    docbook = f"<div class='table'><p class='title'>Table 9.1. Teeth</p><div>{rows}</div></div>"
    for markup in (docbook, f"<figure>{rows}<figcaption>Table 9.1. Teeth</figcaption></figure>"):
        document = page(markup)
        assert [(s.kind, s.caption, s.label) for s in document.segments] == [
            ("table", "Table 9.1. Teeth", "Table 9.1")
        ]


@pytest.mark.parametrize(
    "markup",
    [
        "<table><tr><td>one</td></tr><tr><td>two</td></tr></table>",
        "<table><tr><td>one</td><td>two</td></tr></table>",
        "<table role='presentation'><tr><td>one</td></tr><tr><td>1</td><td>two</td></tr></table>",
        "<table><tr><td><table><tr><td>one</td></tr></table></td><td>two</td></tr><tr><td>3</td></tr></table>",
        "<table><tr><td><h2>one</h2></td><td>1</td></tr><tr><td>two</td></tr></table>",
        "<table><tr><td><img src='a.png'></td><td>1</td></tr><tr><td>two</td></tr></table>",
    ],
    ids=["one column", "one row", "said so", "nested", "headings", "pictures"],
)
def test_tables_that_lay_out_a_page_stay_text(page, markup):
    document = page(f"<p>x</p>{markup}")
    assert tables(document) == []
    assert texts(document)[-1].endswith("two") or "two" in texts(document)[-2]


def test_a_table_of_spans_without_end_stays_text(page):
    rows = "".join(f"<tr><td colspan=100 rowspan=65534>{i}</td></tr>" for i in range(300))
    assert tables(page(f"<table>{rows}</table>")) == []


def test_footnotes_are_told_from_the_text(page):
    document = page(
        "<p>Saws<a href='#f1'>1</a></p>"
        "<aside class='footnote brackets' id='f1'><span>[<a role='doc-backlink' href='#r1'>1</a>]</span>"
        "<p>Old.</p></aside>"
        "<section class='footnotes' role='doc-endnotes'><hr><ol><li id='fn2'><p>New."
        "<a href='#r2' class='footnote-back'>↩︎</a></p></li></ol></section>"
        "<div epub:type='footnote'>Odd.</div><p>end</p>"
    )
    assert [(s.text, s.role) for s in document.segments] == [
        ("Saws1", "body"),
        ("[1]", "footnote"),
        ("Old.", "footnote"),
        ("New.", "footnote"),
        ("Odd.", "footnote"),
        ("end", "body"),
    ]


def test_links_are_kept_with_their_words_unless_they_run_or_show_local_files(page):
    document = page(
        "<p><a href='https://x.org/a?b'>one <b>two</b></a> <a href='#part'>three</a> "
        "<a href='other.html'>four</a>"
        "<a href='java\nscript:alert(1)'>bad</a><a href=' DATA:text/html,x'>bad</a><a href='file:///etc'>bad</a>"
        "<a href='#part'>three</a><a href='x'><img src='a.png'></a></p><p>none</p>"
    )
    assert [(link.text, link.target) for link in document.segments[0].links] == [
        ("one two", "https://x.org/a?b"),
        ("three", "#part"),
        ("four", "other.html"),
    ]
    assert document.segments[-1].links == ()


def test_links_of_one_segment_and_links_in_links_are_bounded(page):
    many = "".join(f"<a href='#{i}'>{i}</a> " for i in range(500))
    nested = "<a href='#x'><table><td>" * 2000 + "deep"
    document = page(f"<p>{many}</p>{nested}")
    assert len(document.segments[0].links) == 100
    assert all(len(link.text) <= 200 for s in document.segments for link in s.links)


def test_formulas_are_said_as_they_were_typed(page):
    document = page(
        "<p>If <math alttext='a^2'><mi>a</mi></math> or <math><semantics><mi>b</mi>"
        "<annotation encoding='application/x-tex'>b_2</annotation></semantics></math> or "
        "<math><mi>c</mi></math> or <img class='math' src='a.png' alt='d^2'></p>"
    )
    assert texts(document) == ["If a^2 or b_2 or c or d^2"]
    assert images(document) == []


@pytest.mark.parametrize(
    "markup",
    [
        "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' data-src='a.png'>",
        "<img src='http://127.0.0.1/x.png' srcset='gone.png 1x, a.png 2x'>",
        "<picture><source srcset='a.png 800w, gone.png 400w'><img alt='x'></picture>",
        "<img data-lazy-srcset='a.png'>",
    ],
)
def test_pictures_that_scripts_would_load_are_found(page, markup):
    assert len(images(page(f"<p>x</p>{markup}"))) == 1


def test_captions_name_their_figure(page):
    document = page("<figure><img src='a.png'><figcaption>Fig. 3: A saw</figcaption></figure>")
    assert (images(document)[0].label, images(document)[0].caption) == ("Fig. 3", "Fig. 3: A saw")


@pytest.mark.parametrize(
    "tag", ["span", "header><h2", "table><tr><td", "figure", "pre", "aside class='footnote'", "a href='#'"]
)
def test_elements_that_are_looked_into_cost_no_more_when_nested(page, tag):
    assert "deep" in texts(page("<p>x</p>" + f"<{tag}>" * 3000 + "deep<img src='a.png'>"))[-1]


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
        "<img src='gone.png'>"
    )
    document = page(body, name="inner/page.html")
    assert images(document) == []
    assert document.warnings == (
        "left out 3 pictures: not stored beside the page (nothing is fetched from elsewhere)",
        "left out 3 pictures: outside the folder that was added",
        "left out 1 picture: the file is missing",
    )


def test_pictures_beside_the_page_but_inside_the_added_folder_are_taken(page, tmp_path):
    (tmp_path / "inner").mkdir()
    document = page("<img src='../a.png?size=1#x'>", name="inner/page.html", root=tmp_path)
    assert len(images(document)) == 1


def test_a_picture_taken_out_of_the_spool_is_kept_again(page):
    first = images(page("<img src='a.png'>"))[0].picture
    Path(first.path).unlink()
    assert Path(images(page("<img src='a.png'>"))[0].picture.path).exists()


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
