"""EPUB books: chapters in the order of the spine, pictures of the book alone, locked ones refused."""

from __future__ import annotations

import io
import zipfile

import pytest

from plait.data.readers.base import ReadLimits
from plait.errors import ReadError

_CONTAINER = (
    "<container xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles>"
    "<rootfile full-path='OEBPS/book.opf'/></rootfiles></container>"
)
_PACKAGE = """<?xml version='1.0'?><package xmlns='http://www.idpf.org/2007/opf'>
<metadata xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>Saws &amp; teeth</dc:title>
<dc:creator>A. Sawyer</dc:creator><dc:creator>B. Smith</dc:creator><dc:language>en</dc:language>
<dc:date>2020-05-01</dc:date><dc:description>&lt;p&gt;All of it.&lt;/p&gt;</dc:description></metadata>
<manifest><item id='n' href='nav.xhtml' properties='nav' media-type='application/xhtml+xml'/>
<item id='x' href='toc.ncx' media-type='application/x-dtbncx+xml'/>
<item id='a' href='text/a%20b.xhtml' media-type='application/xhtml+xml'/>
<item id='b' href='text/b.xhtml' media-type='application/xhtml+xml'/></manifest>
<spine><itemref idref='b'/><itemref idref='n'/><itemref idref='a'/><itemref idref='gone'/></spine>
</package>"""
_NAV = "<html><nav><ol><li><a href='text/b.xhtml#s'>Start</a></li></ol></nav></html>"
_NCX = (
    "<!DOCTYPE ncx PUBLIC '-//NISO//DTD ncx 2005-1//EN' 'http://www.daisy.org/z3986/2005/ncx-2005-1.dtd'>"
    "<ncx xmlns='http://www.daisy.org/z3986/2005/ncx/'><navMap><navPoint><navLabel><text>End</text></navLabel>"
    "<content src='text/a%20b.xhtml'/></navPoint></navMap></ncx>"
)
_PAGE = (
    "<?xml version='1.0' encoding='utf-8'?><html xmlns='http://www.w3.org/1999/xhtml'><body>{}</body></html>"
)


@pytest.fixture
def book(tmp_path, read, png):
    """Write a book with some members changed (None takes one out), and read it."""

    def run(limits: ReadLimits | None = None, **changes: str | bytes | None):
        members: dict[str, str | bytes | None] = {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": _CONTAINER,
            "OEBPS/book.opf": _PACKAGE,
            "OEBPS/nav.xhtml": _NAV,
            "OEBPS/toc.ncx": _NCX,
            "OEBPS/text/b.xhtml": _PAGE.format("<p id='s'>Säge</p><img src='../img/a.png' alt='A'/>"),
            "OEBPS/text/a b.xhtml": _PAGE.format(
                "<h1>Teeth</h1><p>Sharp.</p><aside epub:type='footnote'><p>Very.</p></aside>"
                "<p>x</p><img src='a.png'/><img src='/etc/hostname'/><img src='http://127.0.0.1/a.png'/>"
            ),
            "OEBPS/img/a.png": png(),
        }
        members.update(
            {name.replace("__", "/").replace("_opf", ".opf"): data for name, data in changes.items()}
        )
        path = tmp_path / "book.epub"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                if data is not None:
                    archive.writestr(name, data)
        path.write_bytes(buffer.getvalue())
        (tmp_path / "a.png").write_bytes(png())
        return read(path, limits=limits)

    return run


def test_chapters_come_in_the_order_of_the_spine_with_sections_from_the_contents(book):
    document = book()
    assert [(s.kind, s.text, s.role, s.section) for s in document.segments] == [
        ("text", "Säge", "body", ("Start",)),
        ("image", "A", "body", ("Start",)),
        ("text", "Teeth", "body", ("Teeth",)),
        ("text", "Sharp.", "body", ("Teeth",)),
        ("text", "Very.", "footnote", ("Teeth",)),
        ("text", "x", "body", ("Teeth",)),
    ]
    assert document.segments[0].anchor == "OEBPS/text/b.xhtml#s"


def test_pictures_are_those_of_the_book_alone(book):
    assert book().warnings == (
        "left out 2 pictures: not in the file",
        "left out 1 picture: not stored beside the page (nothing is fetched from elsewhere)",
    )


def test_a_book_says_who_wrote_it(book):
    document = book()
    assert document.title == "Saws & teeth"
    assert document.metadata == {
        "type": "epub",
        "author": "A. Sawyer, B. Smith",
        "language": "en",
        "created": "2020-05-01",
        "description": "All of it.",
    }


def test_a_book_without_its_package_is_read_in_the_order_of_names(book):
    for package in (None, "<package", "<!DOCTYPE p [<!ENTITY a '&b;'>]><package/>"):
        document = book(OEBPS__book_opf=package)
        assert document.segments[0].text == "Start"
        assert document.warnings[0].startswith("its package file is damaged")


@pytest.mark.parametrize("scrambled", [False, True], ids=["locked", "only fonts"])
def test_locked_books_are_refused_scrambled_fonts_are_no_lock(book, scrambled):
    way = "http://www.idpf.org/2008/embedding" if scrambled else "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    names = ["OEBPS/f.otf"] if scrambled else ["OEBPS/text/a%20b.xhtml", "OEBPS/text/b.xhtml"]
    locked = "".join(
        f"<e:EncryptedData><e:EncryptionMethod Algorithm='{way}'/><e:CipherData>"
        f"<e:CipherReference URI='{name}'/></e:CipherData></e:EncryptedData>"
        for name in names
    )
    encryption = f"<encryption xmlns:e='http://www.w3.org/2001/04/xmlenc#'>{locked}</encryption>"
    changes = {"META-INF__encryption.xml": encryption}
    if scrambled:
        assert len(book(**changes).segments) == 6
    else:
        with pytest.raises(ReadError, match="locked by its publisher"):
            book(**changes)


def test_chapters_that_are_missing_or_too_many_are_told(book):
    missing = book(**{"OEBPS__text__b.xhtml": None})
    assert missing.warnings[0] == "left out 1 damaged or missing chapters"
    assert book(ReadLimits(max_pages=1)).warnings[-1] == "only the first 1 chapters were read"


def test_what_is_no_book_is_refused(book):
    empty = {"OEBPS__text__b.xhtml": None, "OEBPS__text__a b.xhtml": None, "OEBPS__nav.xhtml": None}
    with pytest.raises(ReadError, match="not an EPUB book"):
        book(OEBPS__book_opf=None, **empty)
    with pytest.raises(ReadError, match="holds no text"):
        book(**empty)
