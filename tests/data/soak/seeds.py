"""A small good file of each format, to be broken."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from email.message import EmailMessage

from PIL import Image, ImageDraw
from tests.data.conftest import pdf_bytes, stream, text_at
from tests.data.readers.hostile import archives

_WORDS = "The saw cuts along the line. See Figure 1 and the table below."
_HTML = (
    "<!doctype html><html lang=en><head><meta charset=utf-8><title>Saws</title></head><body>"
    "<h1 id=top>Saws</h1>"
    f"<p>{_WORDS} <a href='#top'>Up</a> &amp; <b>bold</b></p><figure><img src='DATA' alt='A saw'>"
    "<figcaption>Figure 1: A rip saw</figcaption></figure><ul><li>one<li>two</ul><pre>code</pre>"
    "<table><caption>Table 1: Teeth</caption><tr><th>Saw<th>Teeth<tr><td rowspan=2>Rip<td>5"
    "<tr><td>7</table></body></html>"
)  # fmt: skip
_MARKDOWN = f"# Saws\n\n{_WORDS}\n\n```\ncode\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quote\n\n1. x\n"
_SUBTITLES = (
    "1\n00:00:01,000 --> 00:00:02,500\nThe <i>saw</i> cuts.\n\n2\n00:00:03,000 --> 00:00:04,000\nTwice.\n"
)
_PICTURES = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")


def seeds() -> dict[str, bytes]:
    """Return name -> content, 0.1 to 30 kB each."""
    makers: dict[str, Callable[[], bytes]] = {
        "a.pdf": pdf,
        "b.pdf": packed_pdf,
        "a.html": lambda: html().encode(),
        "a.epub": epub,
        "a.md": lambda: _MARKDOWN.encode(),
        "a.txt": lambda: f"Saws\n====\n\n{_WORDS}\n\nWörter über Sägen.\n".encode(),
        "a.docx": docx,
        "a.pptx": pptx,
        "a.xlsx": xlsx,
        "a.odt": lambda: archives.open_document("text", _OPEN_TEXT.encode()),
        "a.ods": lambda: archives.open_document("spreadsheet", _OPEN_SHEET.encode()),
        "a.odp": lambda: archives.open_document("presentation", _OPEN_SLIDES.encode()),
        "a.csv": lambda: b'saw,teeth,price\nrip,5,12.50\n"cross, cut",7,"9""99"\n',
        "a.ipynb": notebook,
        "a.eml": mail,
        "a.zip": lambda: archives.packed(
            {"a.html": html().encode(), "in/b.txt": _WORDS.encode(), "p.png": picture("PNG")}
        ),
        "a.srt": lambda: _SUBTITLES.encode(),
        "a.vtt": lambda: b"WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.500 align:start\n<v Ann>The saw cuts.\n",
        "a.svg": lambda: (
            b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 90 60' width='90' height='60'>"
            b"<title>Saw</title><defs><g id='a'><path d='M1 1L9 9z'/></g></defs>"
            b"<use href='#a' transform='scale(2)'/><text x='5' y='20' font-size='9'>Teeth</text></svg>"
        ),
        **{f"a.{kind.lower()}": lambda kind=kind: picture(kind) for kind in _PICTURES},
    }
    return {name: make() for name, make in makers.items()}


def picture(kind: str, size: tuple[int, int] = (40, 30)) -> bytes:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).line((2, 2, 30, 25), fill="teal", width=3)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def html() -> str:
    import base64

    return _HTML.replace("DATA", f"data:image/png;base64,{base64.b64encode(picture('PNG')).decode()}")


def pdf() -> bytes:
    """Two columns, a heading, a picture, a drawing, a table and a caption, unpacked."""
    left = b"".join(text_at(60, 700 - 12 * i, f"{_WORDS[:40]} {i}") for i in range(8))
    right = b"".join(text_at(320, 700 - 12 * i, f"{_WORDS[20:]} {i}") for i in range(8))
    table = b"".join(text_at(60 + 80 * c, 420 - 14 * r, f"{r},{c}") for r in range(4) for c in range(3))
    rules = b"".join(b"60 %d m 280 %d l S\n" % (y, y) for y in (432, 416, 374))
    drawing = b"320 500 m 420 580 l 460 500 l h S 330 510 40 40 re f\n"
    image = b"q 80 0 0 60 60 500 cm /X Do Q\n"
    captions = (
        text_at(60, 485, "Figure 1: A saw")
        + text_at(320, 485, "Figure 2: A line")
        + text_at(60, 440, "Table 1: Teeth")
    )
    content = text_at(60, 740, "1 Saws", size=18) + left + right + image + drawing + captions + table + rules
    resources = b"<< /Font << /F 5 0 R >> /XObject << /X 6 0 R >> >>"
    page = b"<< /Type /Page /Parent 2 0 R %s /Contents 4 0 R /Annots [7 0 R] >>"
    pixels = stream(
        bytes(range(192)),
        extra=b"/Subtype /Image /Width 8 /Height 8 /ColorSpace /DeviceRGB /BitsPerComponent 8",
    )
    link = b"<< /Subtype /Link /Rect [60 690 200 705] /A << /S /URI /URI (https://example.org) >> >>"
    outline = b"<< /Type /Outlines /First 9 0 R /Last 9 0 R /Count 1 >>"
    item = b"<< /Title (Saws) /Parent 8 0 R /Dest [3 0 R /XYZ 60 740 0] >>"
    return pdf_bytes(
        [
            b"<< /Type /Catalog /Pages 2 0 R /Outlines 8 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            page % (b"/MediaBox [0 0 612 792] /Resources " + resources),
            stream(content),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            pixels,
            link,
            outline,
            item,
        ]
    )


def packed_pdf() -> bytes:
    content = b"".join(text_at(60, 700 - 12 * i, _WORDS) for i in range(8))
    font = b"/MediaBox [0 0 612 792] /Resources << /Font << /F 5 0 R >> >>"
    page = b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R %s >>" % font
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>"
    return pdf_bytes([b"<< /Type /Catalog /Pages 2 0 R >>", pages, page, stream(content, packed=True), font])


def epub() -> bytes:
    chapter = (
        html().replace("<!doctype html>", "").replace("<li>one<li>two", "").replace("&amp;", "and").encode()
    )
    return archives.book(
        "a.opf",
        archives.opf("a.xhtml", "b.xhtml"),
        {"a.xhtml": chapter, "b.xhtml": b"<html><body><p>B</p></body></html>"},
    )


def docx() -> bytes:
    import docx as library

    document = library.Document()
    document.add_heading("Saws", 1)
    document.add_paragraph(_WORDS)
    document.add_picture(io.BytesIO(picture("PNG")))
    table = document.add_table(rows=2, cols=2)
    table.cell(0, 0).text = "teeth"
    return saved(document)


def pptx() -> bytes:
    import pptx as library

    show = library.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "Saws"
    slide.shapes.add_picture(io.BytesIO(picture("PNG")), 0, 0)
    slide.shapes.add_textbox(0, 0, 99999, 99999).text_frame.text = _WORDS
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    return saved(show)


def xlsx() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (("saw", "teeth"), ("rip", 5), ("cross", 7.5)):
        book.active.append(row)
    return saved(book)


def saved(document: object) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


def notebook() -> bytes:
    cells = [
        {"cell_type": "markdown", "source": ["# Saws\n", _WORDS], "metadata": {}},
        {
            "cell_type": "code",
            "source": "print(1)",
            "metadata": {},
            "execution_count": 1,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n"}],
        },
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def mail() -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@b.example", "c@d.example", "Sägen"
    message["Date"] = "Sun, 22 Nov 2026 01:00:00 +0000"
    message.set_content(_WORDS)
    message.add_alternative(f"<p>{_WORDS}</p>", subtype="html")
    message.add_attachment(picture("PNG"), maintype="image", subtype="png", filename="saw.png")
    message.add_attachment("inner words", filename="inner.txt")
    return message.as_bytes()


_OPEN_TEXT = (
    f'<text:h text:outline-level="1">Saws</text:h><text:p>{_WORDS}<text:s text:c="3"/>x</text:p>'
    "<text:list><text:list-item><text:p>one</text:p></text:list-item></text:list><table:table><table:table-row>"
    "<table:table-cell><text:p>teeth</text:p>"
    "</table:table-cell></table:table-row></table:table>"
)
_OPEN_SHEET = (
    '<table:table table:name="Saws"><table:table-row><table:table-cell table:number-columns-repeated="2">'
    "<text:p>a</text:p></table:table-cell></table:table-row>"
    '<table:table-row table:number-rows-repeated="3"><table:table-cell><text:p>5</text:p></table:table-cell>'
    "</table:table-row></table:table>"
)
_OPEN_SLIDES = (
    '<draw:page xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" draw:name="One">'
    f"<draw:frame><draw:text-box><text:p>{_WORDS}</text:p></draw:text-box></draw:frame></draw:page>"
)
