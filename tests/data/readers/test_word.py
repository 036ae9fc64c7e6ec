"""Word documents as python-docx writes them."""

from __future__ import annotations

import datetime
import io
import zipfile

import docx
import pytest
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from tests.helpers.damage import outcomes

from plait.data.readers.office.word import read_word
from plait.data.readers.office.word_markup import with_figures
from plait.errors import ReadError


@pytest.fixture
def word():
    """An empty document, without the hundred styles of tables that take most of the time to read."""
    document = docx.Document()
    styles = document.styles.element
    for style in list(styles):
        if style.tag == qn("w:latentStyles") or style.get(qn("w:type")) == "table":
            styles.remove(style)
    return document


@pytest.fixture
def save(tmp_path):
    def write(word, name="saws.docx"):
        word.save(tmp_path / name)
        return tmp_path / name

    return write


def rewritten(path, changes, added=()):
    """Change parts of a saved document, and add others."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in archive.namelist():
            data = archive.read(name)
            copy.writestr(name, changes[name](data) if name in changes else data)
        for name, data in added:
            copy.writestr(name, data)
    path.write_bytes(out.getvalue())
    return path


def texts(document):
    return [s.text for s in document.segments]


def test_headings_make_the_sections(read, save, word):
    word.add_heading("Saws", 1)
    word.add_paragraph("Cut wood.")
    word.add_heading("Rip saws", 2)
    word.add_paragraph("Along the grain.")
    word.add_paragraph("one", style="List Bullet")
    word.add_paragraph("two", style="List Bullet")
    document = read(save(word))
    assert [(s.text, s.section) for s in document.segments] == [
        ("Saws", ("Saws",)),
        ("Cut wood.", ("Saws",)),
        ("Rip saws", ("Saws", "Rip saws")),
        ("Along the grain.", ("Saws", "Rip saws")),
        ("one", ("Saws", "Rip saws")),
        ("two", ("Saws", "Rip saws")),
    ]


def test_properties_name_title_author_and_dates(read, save, word):
    word.add_paragraph("a")
    about = word.core_properties
    about.title, about.author, about.keywords = "Timber", "Ann Carpenter", "saw, file"
    about.created = datetime.datetime(2024, 5, 1, 10, 0)
    about.modified = datetime.datetime(2024, 6, 1, 10, 0)
    document = read(save(word))
    assert document.title == "Timber"
    wanted = {
        "author": "Ann Carpenter",
        "keywords": "saw, file",
        "created": "2024-05-01",
        "modified": "2024-06-01",
    }
    assert wanted.items() <= document.metadata.items()
    assert document.metadata["type"] == "docx"


def test_the_title_on_the_page_comes_before_the_one_in_the_properties(read, save, word):
    word.core_properties.title = "Word Document"
    word.add_heading("Chapter", 1)
    assert read(save(word)).title == "Chapter"
    word.core_properties.title = "template 7"
    word.add_paragraph("Of saws & files", style="Title")
    assert read(save(word)).title == "Of saws & files"


def test_tables_are_rows_with_their_caption(read, save, word):
    word.add_paragraph("Table 1: Prices", style="Caption")
    table = word.add_table(3, 2)
    for row, values in enumerate([("wood", "price"), ("oak", "12"), ("pine", "7")]):
        for column, value in enumerate(values):
            table.cell(row, column).text = value
    table.rows[0]._tr.get_or_add_trPr().append(parse_xml(f"<w:tblHeader {nsdecls('w')}/>"))
    (shown,) = read(save(word)).segments
    assert shown.rows == (("wood", "price"), ("oak", "12"), ("pine", "7"))
    assert (shown.header_rows, shown.caption, shown.label) == (1, "Table 1: Prices", "Table 1")


def test_pictures_stand_in_place_with_caption_and_alternative_text(read, save, word, png):
    word.add_paragraph("before")
    word.add_picture(io.BytesIO(png()))
    for element in word.element.body.iter(qn("wp:docPr")):
        element.set("descr", "a saw")
    word.add_paragraph("Figure 1: Teeth", style="Caption")
    word.add_paragraph("Figure 2: Lost", style="Caption")
    document = read(save(word))
    assert [(s.kind, s.text) for s in document.segments] == [
        ("text", "before"),
        ("image", "a saw"),
        ("text", "Figure 2: Lost"),
    ]
    figure = document.segments[1]
    assert (figure.caption, figure.label, figure.picture.width_px) == ("Figure 1: Teeth", "Figure 1", 60)


def test_formulas_are_read_as_words(read, save, word):
    def run(words):
        return f"<m:r><m:t>{words}</m:t></m:r>"

    fraction = f"<m:f><m:num>{run('a+b')}</m:num><m:den>{run('2c')}</m:den></m:f>"
    power = f"<m:sSup><m:e>{run('x')}</m:e><m:sup>{run('2')}</m:sup></m:sSup>"
    sign = '<m:naryPr><m:chr m:val="∑"/></m:naryPr>'
    total = f"<m:nary>{sign}<m:sub>{run('i')}</m:sub><m:e>{run(' i &lt; 9')}</m:e></m:nary>"
    word.add_paragraph("Let MARK be.")
    math = f"<m:oMathPara><m:oMath>{fraction}{run('=')}{power}{run('+')}{total}</m:oMath></m:oMathPara>"
    formula = f"</w:t></w:r>{math}<w:r><w:t>"
    change = {"word/document.xml": lambda data: data.replace(b"MARK", formula.encode())}
    path = rewritten(save(word), change)
    assert texts(read(path)) == ["Let (a+b)/(2c)=x^2+∑_i i < 9 be."]


def test_footnotes_come_last_and_comments_are_left_out(read, save, word):
    paragraph = word.add_paragraph("A saw")
    paragraph._p.append(parse_xml(f'<w:r {nsdecls("w")}><w:footnoteReference w:id="7"/></w:r>'))
    paragraph.add_run(" cuts.")
    word.add_comment(paragraph.runs[0], text="why?")
    word.add_heading("End", 1)
    note = (
        f'<w:footnotes {nsdecls("w")}><w:footnote w:id="7"><w:p><w:r><w:footnoteRef/></w:r>'
        "<w:r><w:t>Of steel.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    )
    document = read(rewritten(save(word), {}, added=[("word/footnotes.xml", note)]))
    assert [(s.text, s.role, s.section) for s in document.segments] == [
        ("A saw[1] cuts.", "body", ()),
        ("End", "body", ("End",)),
        ("Of steel.", "footnote", ()),
    ]


def test_tracked_deletions_are_left_out_and_insertions_kept(read, save, word):
    paragraph = word.add_paragraph("A ")
    run = '<w:{0} w:id="1" w:author="x"><w:r><w:{1}>{2}</w:{1}></w:r></w:{0}>'
    for words in (run.format("del", "delText", "blunt "), run.format("ins", "t", "sharp")):
        paragraph._p.append(parse_xml(words.replace(">", f" {nsdecls('w')}>", 1)))
    assert texts(read(save(word))) == ["A sharp"]


def test_tables_of_contents_are_left_out(read, save, word):
    word.styles.add_style("toc 1", 1)
    word.add_paragraph("Saws 3", style="toc 1")
    word.add_paragraph("kept")
    assert texts(read(save(word))) == ["kept"]


def test_text_boxes_are_read(read, save, word):
    box = (
        f'<w:r {nsdecls("w")} xmlns:v="urn:schemas-microsoft-com:vml"><w:pict><v:shape><v:textbox>'
        "<w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent>"
        "</v:textbox></v:shape></w:pict></w:r>"
    )
    word.add_paragraph("around")._p.append(parse_xml(box))
    assert texts(read(save(word))) == ["around", "boxed"]


@pytest.mark.parametrize("where", ["absolute", "beside", "remote"])
def test_pictures_outside_the_document_are_never_opened(read, save, word, png, tmp_path, where):
    (tmp_path / "secret.png").write_bytes(png(90, 90))
    target = {
        "absolute": (tmp_path / "secret.png").as_uri(),
        "beside": "secret.png",
        "remote": "http://127.0.0.1:9/secret.png",
    }[where]
    word.add_picture(io.BytesIO(png()))
    word.add_paragraph("text")
    blip = next(word.element.body.iter(qn("a:blip")))
    del blip.attrib[qn("r:embed")]
    blip.set(qn("r:link"), word.part.relate_to(target, RELATIONSHIP_TYPE.IMAGE, is_external=True))
    document = read(save(word))
    assert [s.kind for s in document.segments] == ["text"]
    assert document.warnings == (
        "left out 1 picture: not stored in the document (nothing is fetched from elsewhere)",
    )


def test_xml_entities_are_refused_wherever_they_hide(read, save, word, tmp_path):
    word.add_paragraph("a")
    path = save(word)
    whole = path.read_bytes()
    bomb = b'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    with pytest.raises(ReadError, match="declares XML entities"):
        read(rewritten(path, {"word/styles.xml": lambda data: bomb + data.split(b"?>", 1)[1]}))
    path.write_bytes(whole)
    with pytest.raises(ReadError, match="XML under another name"):
        read(
            rewritten(
                path,
                {"word/_rels/document.xml.rels": lambda data: data.replace(b"styles.xml", b"styles.bin")},
            )
        )


def test_external_entities_are_not_opened(read, save, word, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    word.add_paragraph("MARK")
    uri = (tmp_path / "secret.txt").as_uri().encode()
    head = b'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a SYSTEM "' + uri + b'">]>'
    path = rewritten(
        save(word),
        {"word/document.xml": lambda data: head + data.split(b"?>", 1)[1].replace(b"MARK", b"&a;")},
    )
    with pytest.raises(ReadError, match="declares XML entities"):
        read(path)


def test_deep_nesting_is_refused_not_followed(read, save, word):
    inner = b"<w:smartTag>" * 3000 + b"<w:r><w:t>deep</w:t></w:r>" + b"</w:smartTag>" * 3000
    word.add_paragraph("MARK")
    path = rewritten(
        save(word), {"word/document.xml": lambda data: data.replace(b"<w:r><w:t>MARK</w:t></w:r>", inner)}
    )
    with pytest.raises(ReadError, match="is damaged"):
        read(path)


def test_a_document_without_words_is_refused(read, save, word):
    with pytest.raises(ReadError, match="holds no text"):
        read(save(word))


@pytest.mark.parametrize(
    ("markup", "owner"),
    [
        ('<p><img src="a"></p><p class="caption">Figure 1: x</p><p><img src="b"></p>', "a"),
        ('<p>t</p><p class="caption">Figure 1: x</p><p><img src="b"></p>', "b"),
        ('<p class="caption"><img src="a">Figure 1: x</p><p><img src="b"></p>', "a"),
        ('<p><img src="a"></p><p class="caption">Table 1: x</p><table><tr><td>b</td></tr></table>', "b"),
        ('<table><tr><td>a</td></tr></table><p class="caption">Table 1: x</p><p><img src="b"></p>', "a"),
        ('<table><tr><td>a</td></tr></table><p class="caption">Of wood</p><p>t</p>', "a"),
    ],
)
def test_captions_find_what_they_belong_to(markup, owner):
    figure = with_figures(markup).partition("<figure>")[2].partition("</figure>")[0]
    assert figure.endswith("x</figcaption>" if "1: x" in markup else "<figcaption>Of wood</figcaption>")
    assert f'"{owner}"' in figure or f"<td>{owner}</td>" in figure


def test_damaged_documents_are_read_or_refused(tmp_path, save, word, png):
    word.add_heading("Saws", 1)
    word.add_picture(io.BytesIO(png()))
    word.add_paragraph("Figure 1: Teeth", style="Caption")
    word.add_table(1, 1).cell(0, 0).text = "cell"
    word.add_paragraph("one", style="List Bullet")
    read, refused = outcomes(read_word, save(word).read_bytes(), tmp_path, ".docx")
    assert read + refused == 60
    assert refused > 5
