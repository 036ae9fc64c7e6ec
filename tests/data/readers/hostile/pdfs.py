"""PDFs that lie, loop, grow or reach for what is not theirs."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from tests.data.conftest import pdf_bytes, stream
from tests.data.readers.hostile.lures import Lures

_CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
_PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
_FORM = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]"
_WORDS = b"BT /F 12 Tf 72 700 Td (Plain words of a page.) Tj ET\n"


def files(lures: Lures) -> Iterator[tuple[str, bytes]]:
    """Give names and contents."""
    good = document(_WORDS)
    yield "empty.pdf", b""
    yield "page-of-html.pdf", b"<!doctype html><title>Not found</title><p>The page was not found.</p>"
    yield "text.pdf", b"just words, no mark"
    yield "cut-short.pdf", good[: len(good) // 2]
    yield "only-a-mark.pdf", b"%PDF-1.7"
    yield "flipped.pdf", bytes(b ^ (0x55 if i % 97 == 0 else 0) for i, b in enumerate(good))
    yield "password.pdf", encrypted()
    yield "page-tree-loop.pdf", pdf_bytes([_CATALOGUE, b"<< /Type /Pages /Kids [2 0 R] /Count 9 >>"])
    yield "page-tree-deep.pdf", deep_tree(5000)
    yield "two-thousand-million-pages.pdf", document(_WORDS, count=2**31 - 1)
    yield "hundred-thousand-pages.pdf", many_pages(100_000)
    yield "table-loop.pdf", good.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % good.rindex(b"xref\n0"))
    yield "form-of-itself.pdf", document(b"/X Do", more=[form(b"/X Do", b"/X 5 0 R")], objects=b"/X 5 0 R")
    yield "form-fan-out.pdf", fan_out(25)
    yield "pattern-of-itself.pdf", pattern_of_itself()
    yield "font-of-itself.pdf", drawn_font(b"1000 0 0 0 750 750 d1 BT /F 9 Tf (aaaa) Tj ET")
    yield "font-of-noise.pdf", embedded_font(noise(3000))
    yield "font-all-code-points.pdf", mapped_font(b"1 beginbfrange <0000> <FFFFFFFF> <0041> endbfrange")
    yield "content-bomb.pdf", bomb(500)
    yield "brackets.pdf", document(b"[" * 200_000 + b"(a)" + b"]" * 200_000 + b" TJ")
    yield "dictionaries.pdf", document(_WORDS, extra=b"/A " + b"<< /A " * 20_000 + b"1" + b" >>" * 20_000)
    yield "states.pdf", document(b"q " * 500_000 + _WORDS)
    yield "page-of-100-metres.pdf", document(_WORDS, box=b"0 0 288000 288000")
    yield "page-of-nothing.pdf", document(_WORDS, box=b"0 0 0 0")
    yield "page-inside-out.pdf", document(_WORDS, box=b"612 792 0 0")
    yield "page-of-nan.pdf", document(_WORDS, box=b"nan inf 1e400 -1e400")
    yield "picture-100000-square.pdf", pictured(b"/Width 100000 /Height 100000", zlib.compress(bytes(1000)))
    yield "picture-negative.pdf", pictured(b"/Width -5 /Height -5", zlib.compress(bytes(1000)))
    yield (
        "outline-loop.pdf",
        outline(b"<< /Title (A) /Parent 6 0 R /Next 7 0 R /First 7 0 R /Dest [3 0 R /Fit] >>"),
    )
    yield "outline-deep.pdf", deep_outline(3000)
    yield "content-of-a-file.pdf", reaching(lures)
    yield (
        "many-lines.pdf",
        document(b"".join(b"%d 0 m %d 99 l S\n" % (i % 600, i % 599) for i in range(20_000))),
    )
    yield "one-line-of-words.pdf", document(b"BT /F 0.01 Tf 1 700 Td (" + b"a b " * 50_000 + b") Tj ET")
    yield "words-on-one-spot.pdf", document(b"BT /F 9 Tf 99 99 Td (word) Tj ET\n" * 5_000)
    yield "words-far-away.pdf", document(b"BT /F 9 Tf 1e30 -1e30 Td (word) Tj ET\n" * 50 + _WORDS)


def document(
    content: bytes,
    *,
    box: bytes = b"0 0 612 792",
    extra: bytes = b"",
    count: int = 1,
    more: Sequence[bytes] = (),
    objects: bytes = b"",
    fonts: bytes = b"/F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
) -> bytes:
    """A page of its own content; `more` are objects numbered from 5."""
    resources = b"<< /Font << %s >> /XObject << %s >> /Pattern << %s >> >>" % (fonts, objects, objects)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] /Contents 4 0 R /Resources %s %s >>"
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count %d >>" % count
    return pdf_bytes([_CATALOGUE, pages, page % (box, resources, extra), stream(content), *more])


def encrypted() -> bytes:
    """A page that wants a password that nobody knows."""
    keys = b"/Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s>" % (b"ab" * 32, b"cd" * 32)
    trailer = b"/Encrypt << %s >> /ID [<0011> <0011>]" % keys
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] >>"
    return pdf_bytes([_CATALOGUE, _PAGES, page], trailer=trailer)


def deep_tree(levels: int) -> bytes:
    """A page below so many nodes of the page tree."""
    nodes = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (3 + i) for i in range(levels)]
    return pdf_bytes([_CATALOGUE, *nodes, b"<< /Type /Page /MediaBox [0 0 99 99] >>"])


def many_pages(number: int) -> bytes:
    """One page, so many times."""
    pages = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b"3 0 R " * number, number)
    return pdf_bytes([_CATALOGUE, pages, b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] >>"])


def form(content: bytes, objects: bytes) -> bytes:
    return stream(content, extra=_FORM + b" /Resources << /XObject << %s >> >>" % objects)


def fan_out(levels: int) -> bytes:
    """A form that draws another twice, which draws another twice, and so on."""
    forms = [form(b"/X Do /X Do", b"/X %d 0 R" % (6 + level)) for level in range(levels)]
    return document(b"/X Do", more=[*forms, stream(b"0 0 5 5 re f", extra=_FORM)], objects=b"/X 5 0 R")


def pattern_of_itself() -> bytes:
    tile = b"/PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.001 /YStep 0.001"
    fill = b"/Pattern cs /P scn 0 0 600 700 re f"
    tile = stream(fill, extra=tile + b" /Resources << /Pattern << /P 5 0 R >> >>")
    return document(fill, more=[tile], objects=b"/P 5 0 R")


def drawn_font(glyph: bytes) -> bytes:
    """A font whose glyph is drawn by content."""
    font = (
        b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 750 750] /FontMatrix [.001 0 0 .001 0 0] "
        b"/CharProcs << /a 6 0 R >> /Encoding << /Type /Encoding /Differences [97 /a] >> /FirstChar 97 "
        b"/LastChar 97 /Widths [1000] /Resources << /Font << /F 5 0 R >> >> >>"
    )
    content = b"BT /F 12 Tf 72 700 Td (aaaaaaaa) Tj ET"
    return document(content, fonts=b"/F 5 0 R", more=[font, stream(glyph)])


def embedded_font(data: bytes) -> bytes:
    """Words in a font whose program is this."""
    font = (
        b"<< /Type /Font /Subtype /TrueType /BaseFont /Bad /FontDescriptor 6 0 R /FirstChar 0 /LastChar 0 >>"
    )
    descriptor = b"<< /Type /FontDescriptor /FontName /Bad /Flags 4 /FontFile2 7 0 R >>"
    return document(_WORDS, fonts=b"/F 5 0 R", more=[font, descriptor, stream(data)])


def mapped_font(ranges: bytes) -> bytes:
    """Words in a font that says which characters its codes mean."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>"
    return document(_WORDS, fonts=b"/F 5 0 R", more=[font, stream(b"begincmap %s endcmap" % ranges)])


def bomb(megabytes: int) -> bytes:
    """Content of so many MB of lines, packed twice to a few kB."""
    once = repeated_deflate(b"0 0 m 1 1 l S\n" * 80_000, megabytes * 2**20 // (14 * 80_000))
    twice = zlib.compress(once, 9)
    body = b"<< /Length %d /Filter [/FlateDecode /FlateDecode] >>\nstream\n%s\nendstream" % (
        len(twice),
        twice,
    )
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R >>"
    return pdf_bytes([_CATALOGUE, _PAGES, page, body])


def repeated_deflate(block: bytes, times: int) -> bytes:
    """Return what `zlib.compress(block * times)` could be, without packing more than one block."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    check = 1
    for _ in range(times):
        check = zlib.adler32(block, check)
    return b"\x78\xda" + packed * times + b"\x03\x00" + struct.pack(">I", check)


def pictured(size: bytes, data: bytes) -> bytes:
    image = (
        b"/Type /XObject /Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode "
    )
    return document(b"500 0 0 500 0 0 cm /X Do", more=[stream(data, extra=image + size)], objects=b"/X 5 0 R")


def outline(item: bytes) -> bytes:
    """A page with an outline of one item, object 7."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] >>"
    catalogue = b"<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>"
    top = b"<< /Type /Outlines /First 7 0 R /Last 7 0 R /Count 1 >>"
    return pdf_bytes([catalogue, _PAGES, page, b"null", b"null", top, item])


def deep_outline(levels: int) -> bytes:
    items = [b"<< /Title (L) /Parent %d 0 R /First %d 0 R >>" % (6 + i, 8 + i) for i in range(levels)]
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] >>"
    catalogue = b"<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>"
    top = b"<< /Type /Outlines /First 7 0 R /Count 1 >>"
    return pdf_bytes([catalogue, _PAGES, page, b"null", b"null", top, *items])


def reaching(lures: Lures) -> bytes:
    """A page whose content and actions lie in other files and places."""
    secret = str(lures.text).encode()
    elsewhere = b"<< /Length 0 /F (%s) /FFilter /ASCIIHexDecode >>\nstream\n\nendstream" % secret
    actions = b"/AA << /O << /S /Launch /F (%s) >> >>" % secret
    script = b"<< /S /JavaScript /JS (app.launchURL\\('%s'\\)) >>" % lures.address.encode()
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R %s >>" % actions
    catalogue = b"<< /Type /Catalog /Pages 2 0 R /OpenAction %s >>" % script
    return pdf_bytes([catalogue, _PAGES, page, elsewhere])


def noise(length: int) -> bytes:
    """Return bytes without order, always the same."""
    return b"".join(zlib.crc32(i.to_bytes(4, "big")).to_bytes(4, "big") for i in range(length // 4))
