"""ZIP archives, and Office documents and books, which are such, that unpack to too much or to elsewhere."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping

import openpyxl
from tests.data.readers.hostile.lures import Lures
from tests.data.readers.hostile.pdfs import noise
from tests.data.readers.hostile.pictures import png

_HTML = b"<!doctype html><title>Inner</title><p>Words of an inner page.</p>"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"


def files(lures: Lures) -> Iterator[tuple[str, bytes]]:
    """Give names and contents."""
    good = packed({"a.html": _HTML, "folder/b.txt": b"Inner words."})
    yield "cut-short.zip", good[:-30]
    yield "no-members.zip", packed({})
    yield "noise.zip", b"PK\x03\x04" + noise(2000)
    yield "wrong-sum.zip", good.replace(_HTML[-20:], bytes(20))
    yield "wrong-sizes.zip", wrong_sizes()
    yield "ratio-bomb.zip", packed({"zeros.txt": bytes(80 * 2**20), "a.txt": b"Inner words."}, deflated=True)
    yield "bzip2-bomb.zip", packed({"zeros.txt": bytes(30 * 2**20)}, method=zipfile.ZIP_BZIP2)
    yield "overlapping.zip", overlapping(250)
    yield "nested.zip", nested(b"Inner words.", levels=6, width=3)
    yield "many.zip", packed({f"{i}.txt": b"x" for i in range(3000)})
    yield "other-places.zip", packed(dict.fromkeys(bad_names(), b"Inner words."))
    yield "links.zip", links(lures)
    yield "one-name-twice.zip", twice("a.txt")
    yield "file-and-folder.zip", packed({"a.txt": b"Inner words.", "a.txt/b.txt": b"Inner words."})
    yield "locked.zip", locked(good)
    yield "named-a-book.epub", good
    yield "book-elsewhere.epub", book("../../../../../../etc/passwd", b"")
    yield "book-of-itself.epub", book("META-INF/container.xml", b"")
    yield "book-of-entities.epub", book("a.opf", opf("a.xhtml"), {"a.xhtml": laughing(lures, "html")})
    yield "book-of-lures.epub", book("a.opf", opf("a.xhtml"), {"a.xhtml": page_of_lures(lures)})
    yield "book-of-one-chapter.epub", book("a.opf", opf(*["a.xhtml"] * 20_000), {"a.xhtml": _HTML})
    yield "laughs.docx", word(laughing(lures, "w:document").replace(b"<w:document>", _DOCUMENT_TAG))
    yield "quadratic.docx", word(quadratic())
    yield "entities.docx", word(external(lures))
    yield "deep.docx", word(body(b"<w:sdt><w:sdtContent>" * 20_000 + b"</w:sdtContent></w:sdt>" * 20_000))
    yield "tables-in-tables.docx", word(body(_CELL[0] * 400 + b"<w:p/>" + _CELL[1] * 400))
    yield "pictures-elsewhere.docx", word(drawing(), relations(lures))
    yield "no-body.docx", packed({"word/document.xml": b"<a/>"})
    yield "noise.docx", packed({"word/document.xml": noise(5000), "[Content_Types].xml": noise(99)})
    yield "noise.pptx", packed({"ppt/presentation.xml": noise(5000)})
    yield "bomb.pptx", packed({"ppt/presentation.xml": b"<a>" + bytes(60 * 2**20)}, deflated=True)
    yield "noise.xlsx", packed({"xl/workbook.xml": noise(5000)})
    yield "far-cell.xlsx", far_cell()
    yield "repeated.ods", open_document("spreadsheet", repeated_cells())
    yield "spaces.odt", open_document("text", b'<text:p>a<text:s text:c="2000000000"/>b</text:p>')
    yield "deep.odt", open_document("text", b"<text:section>" * 30_000 + b"</text:section>" * 30_000)
    yield (
        "noise.odp",
        packed({"mimetype": b"application/vnd.oasis.opendocument.presentation", "content.xml": noise(999)}),
    )
    yield "old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise(4000)


def packed(members: Mapping[str, bytes], *, deflated: bool = False, method: int | None = None) -> bytes:
    """Return an archive."""
    buffer = io.BytesIO()
    chosen = method if method is not None else zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", chosen) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, chosen)
    return buffer.getvalue()


def nested(data: bytes, *, levels: int, width: int) -> bytes:
    """Archives in archives, `width` in each."""
    for _ in range(levels):
        data = packed(
            {f"{i}.zip" if data[:2] == b"PK" else f"{i}.txt": data for i in range(width)}, deflated=True
        )
    return data


def overlapping(number: int) -> bytes:
    """Files that share their data, each a little longer than the next, of 1 MB and more apiece.

    The data of each begins with a stored block that quotes the header of the next and goes on as that
    file's own. Source: D. Fifield, A better zip bomb (WOOT 2019).
    """
    plain = bytes(2**20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    tail, listed = packer.compress(plain) + packer.flush(), []
    for i in reversed(range(number)):
        name = b"%03d.txt" % i
        fields = (20, 0, 8, 0, 0, zlib.crc32(plain), len(tail), len(plain), len(name), 0)
        header = b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", *fields) + name
        listed.append((fields, name, len(header) + len(tail)))
        quote = struct.pack("<BHH", 0, len(header), len(header) ^ 0xFFFF)
        end, tail, plain = header + tail, quote + header + tail, header + plain
    central = b"".join(
        b"PK\x01\x02" + struct.pack("<H", 20) + struct.pack("<HHHHHIIIHH", *fields)
        + struct.pack("<HHHII", 0, 0, 0, 0, len(end) - length) + name
        for fields, name, length in listed
    )  # fmt: skip
    counts = struct.pack("<HHHHIIH", 0, 0, number, number, len(central), len(end), 0)
    return end + central + b"PK\x05\x06" + counts


def wrong_sizes() -> bytes:
    """A member that says it is small and is large."""
    data = packed({"a.txt": bytes(5 * 2**20)}, deflated=True)
    return data.replace(struct.pack("<I", 5 * 2**20), struct.pack("<I", 5))


def bad_names() -> list[str]:
    return [
        *(
            "../../evil.txt",
            "/evil.txt",
            "..\\..\\evil.txt",
            "C:\\evil.txt",
            "a/../../../../evil.txt",
            "./.txt",
        ),
        *(
            "line\nbreak.txt",
            "bell\x07.txt",
            "\u202etxt.exe.txt",
            "~/.ssh/evil.txt",
            "CON.txt",
            "x" * 5000 + ".txt",
        ),
        *(
            "a/" * 2000 + "deep.txt",
            "file:///evil.txt",
            "-rf.txt",
            "$(touch evil).txt",
            "\U0001f600.txt",
            "...txt",
        ),
    ]


def links(lures: Lures) -> bytes:
    """Members that are symbolic links to the secrets."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, target in (
            ("link.txt", lures.text),
            ("link.png", lures.picture),
            ("folder", lures.text.parent),
        ):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o120777 << 16
            archive.writestr(info, str(target))
        archive.writestr("folder/secret.txt", b"Inner words.")
        archive.writestr("shows.html", b"<p>Words.<img src='link.png'><img src='folder/secret.png'>")
    return buffer.getvalue()


def twice(name: str) -> bytes:
    return packed({name: b"Inner words.", "b" + name[1:]: b"Other words."}).replace(
        b"b" + name[1:].encode(), name.encode()
    )


def locked(archive: bytes) -> bytes:
    """The same, each member said to be encrypted."""
    data = bytearray(archive)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(mark)
        while start >= 0:
            data[start + at] |= 1
            start = data.find(mark, start + 4)
    return bytes(data)


def book(root: str, package: bytes, more: Mapping[str, bytes] = {}) -> bytes:
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        f'<rootfile full-path="{root}" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    members = {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": container.encode(),
        "a.opf": package,
    }
    return packed({**members, **more})


def opf(*chapters: str) -> bytes:
    items = "".join(
        f'<item id="i{i}" href="{name}" media-type="application/xhtml+xml"/>'
        for i, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="i{i}"/>' for i in range(len(chapters)))
    return (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    ).encode()


def page_of_lures(lures: Lures) -> bytes:
    return (
        f"<html><body><p>Words.</p><img src='{lures.picture}'/><img src='file://{lures.picture}'/>"
        f"<img src='{lures.address}'/><img src='../../../../../../..{lures.picture}'/></body></html>"
    ).encode()


def laughing(lures: Lures, root: str) -> bytes:
    """XML whose entities grow to a thousand million laughs."""
    entities = ['<!ENTITY l0 "ha">', *(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))]
    start = f"<?xml version='1.0'?><!DOCTYPE {root} [{''.join(entities)}]>"
    return f"{start}<{root}><body>&l9;</body></{root}>".encode()


_DOCUMENT_TAG = f"<w:document xmlns:w='{_WORD}'>".encode()


def body(content: bytes, doctype: bytes = b"") -> bytes:
    tail = b"<w:p><w:r><w:t>Plain words.</w:t></w:r></w:p></w:body></w:document>"
    return b"<?xml version='1.0'?>" + doctype + _DOCUMENT_TAG + b"<w:body>" + content + tail


def quadratic() -> bytes:
    """One long entity, used often."""
    return body(
        b"<w:p><w:r><w:t>" + b"&a;" * 20_000 + b"</w:t></w:r></w:p>",
        b"<!DOCTYPE x [<!ENTITY a '" + b"a" * 50_000 + b"'>]>",
    )


def external(lures: Lures) -> bytes:
    """Entities that are other files."""
    doctype = f"<!DOCTYPE x [<!ENTITY a SYSTEM 'file://{lures.text}'><!ENTITY b SYSTEM '{lures.address}'>]>"
    return body(b"<w:p><w:r><w:t>&a;&b;</w:t></w:r></w:p>", doctype.encode())


def relations(lures: Lures) -> bytes:
    """Pictures that lie elsewhere."""
    targets = [
        (lures.address, "External"),
        (f"file://{lures.picture}", "External"),
        (str(lures.picture), "Internal"),
    ]
    targets.append((f"../../../../../../..{lures.picture}", "Internal"))
    links = "".join(
        f'<Relationship Id="r{i}" Type="{_OFFICE}/image" Target="{target}" TargetMode="{mode}"/>'
        for i, (target, mode) in enumerate(targets)
    )
    return f'<Relationships xmlns="{_RELATIONS}">{links}</Relationships>'.encode()


def drawing() -> bytes:
    main = "http://schemas.openxmlformats.org/drawingml/2006/main"
    place = "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"
    shown = "".join(
        f'<w:p><w:r><w:drawing><wp:inline xmlns:wp="{place}"><a:graphic xmlns:a="{main}"><a:graphicData>'
        f'<pic:pic xmlns:pic="{main[:-4]}picture"><pic:blipFill><a:blip xmlns:r="{_OFFICE}" r:{how}="r{i}"/>'
        "</pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
        for i in range(4)
        for how in ("embed", "link")
    )
    return body(shown.encode())


_CELL = (b"<w:tbl><w:tr><w:tc><w:p/>", b"<w:p/></w:tc></w:tr></w:tbl>")


def word(document: bytes, relationships: bytes = b"") -> bytes:
    types = (
        f'<Types xmlns="{_TYPES}"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="png" ContentType="image/png"/><Override PartName="/word/document.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    top = (
        f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" Type="{_OFFICE}/officeDocument" '
        'Target="word/document.xml"/></Relationships>'
    )
    members = {
        "[Content_Types].xml": types.encode(),
        "_rels/.rels": top.encode(),
        "word/document.xml": document,
    }
    members |= {"word/_rels/document.xml.rels": relationships} if relationships else {}
    return packed({**members, "word/media/a.png": png(8, 8)}, deflated=True)


def far_cell() -> bytes:
    """A workbook whose two cells lie as far from each other as can be."""
    book = openpyxl.Workbook()
    book.active["A1"] = book.active["XFD1048576"] = "Words."
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def repeated_cells() -> bytes:
    cell = b'<table:table-cell table:number-columns-repeated="1000000"><text:p>a</text:p></table:table-cell>'
    row = b'<table:table-row table:number-rows-repeated="1000000">%s</table:table-row>' % cell
    return b'<table:table table:name="A">%s</table:table>' % row


def open_document(kind: str, content: bytes) -> bytes:
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "text", "table")
    )
    start = b"<office:document-content%s><office:body><office:%s>"
    whole = start + b"%s</office:%s></office:body></office:document-content>"
    members = {
        "mimetype": f"application/vnd.oasis.opendocument.{kind}".encode(),
        "content.xml": whole % (names.encode(), kind.encode(), content, kind.encode()),
    }
    return packed(members, deflated=True)
