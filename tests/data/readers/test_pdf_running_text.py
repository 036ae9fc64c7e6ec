"""What of a PDF's words belongs together: over hyphens, columns and pages; heads and notes apart."""

from __future__ import annotations

import pytest
import typst

from plait.data.readers.base import ReadLimits
from plait.data.readers.pdf.hyphens import Hyphens
from plait.data.readers.pdf.paragraphs import HYPHEN_AT_END
from plait.schema import Link

PLAIN = ReadLimits(page_dpi=0)
LINE = "The kerf is the width of the cut that a saw leaves behind in the wood"
BOLD = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>"


@pytest.fixture
def reading(tmp_path, read):
    """Write a PDF and read it."""

    def run(data: bytes, *, limits: ReadLimits = PLAIN):
        (tmp_path / "file.pdf").write_bytes(data)
        return read(tmp_path / "file.pdf", limits=limits)

    return run


def texts(document, role="body"):
    return [segment.text for segment in document.segments if segment.kind == "text" and segment.role == role]


def bold(at, x: float, y: float, words: str, **options) -> bytes:
    return at(x, y, words, **options).replace(b"/F ", b"/B ")


def bold_pdf(pdf, *contents: bytes) -> bytes:
    return pdf(*contents, more=[BOLD]).replace(b"/F 3 0 R", b"/F 3 0 R /B 4 0 R")


def outlined(data: bytes, entries: list[tuple[str, int]], first: int) -> bytes:
    """Give a PDF bookmarks that lead to its pages, given by their object numbers."""
    body = b""
    for i, (title, page) in enumerate(entries):
        near = b"/Next %d 0 R" % (first + i + 2) if i + 1 < len(entries) else b""
        body += b"%d 0 obj << /Title (%s) /Parent %d 0 R /Dest [%d 0 R /Fit] %s >> endobj\n" % (
            first + i + 1,
            title.encode(),
            first,
            page,
            near,
        )
    last = first + len(entries)
    body += b"%d 0 obj << /Type /Outlines /First %d 0 R /Last %d 0 R >> endobj\n" % (first, first + 1, last)
    data = data.replace(b"/Pages 2 0 R >>", b"/Pages 2 0 R /Outlines %d 0 R >>" % first, 1)
    return data.replace(b"xref\n0", body + b"xref\n0", 1)


def test_a_hyphen_is_kept_where_the_document_writes_the_word_with_one():
    mark = HYPHEN_AT_END
    broken = [
        f"a well{mark}known saw",
        f"the hard{mark}est teeth",
        f"a rip{mark}saw",
        f"state-of-the{mark}art",
    ]
    hyphens = Hyphens([*broken, "It is well-known.", "A ripsaw, not a rip-saw: a ripsaw."])
    assert [hyphens.settled(text) for text in broken] == [
        "a well-known saw",
        "the hardest teeth",
        "a ripsaw",
        "state-of-the-art",
    ]


def test_a_paragraph_goes_on_over_the_page_and_stays_where_it_begins(reading, pdf, at):
    first = at(72, 600, LINE) + at(72, 588, "and the harder the wood the more of it is lost to the saw-")
    second = at(72, 700, "dust that falls below the bench.") + at(72, 660, "A new paragraph.")
    document = reading(pdf(first, second))
    assert texts(document)[0].endswith("the more of it is lost to the sawdust that falls below the bench.")
    assert texts(document)[1:] == ["A new paragraph."]
    assert [segment.page for segment in document.segments] == [1, 2]


def test_a_paragraph_goes_on_in_the_next_column(reading, pdf, at):
    left = [
        at(50, 600 - 12 * i, f"L{i} Line of text in the left column is long enough to fill", size=9)
        for i in range(9)
    ]
    right = [
        at(320, 600 - 12 * i, f"r{i} line of text in the right column is long enough to f", size=9)
        for i in range(9)
    ]
    (text,) = texts(reading(pdf(b"".join(left + right))))
    assert "enough to fill r0 line" in text


def test_a_sentence_that_has_ended_does_not_go_on(reading, pdf, at):
    first = at(72, 600, LINE) + at(72, 588, "and the harder the wood the more of it is lost to the sawdust.")
    document = reading(pdf(first, at(72, 700, LINE)))
    assert len(texts(document)) == 2


def test_the_words_of_a_paragraph_go_on_below_a_figure(reading, pdf, at):
    figure = b"0.9 0.5 0.1 rg 200 400 150 80 re f 0.2 0.6 0.3 rg 220 420 40 50 re f 0 g\n"
    content = at(72, 600, LINE) + at(72, 588, "and that is what the makers of saws always try to keep as")
    content += figure + at(72, 360, "small as they can, whatever the wood.")
    document = reading(pdf(content))
    assert [segment.kind for segment in document.segments] == ["text", "image"]
    assert texts(document)[0].endswith("try to keep as small as they can, whatever the wood.")


def test_bookmarks_name_the_sections(reading, pdf, at):
    first = at(72, 700, "1 Blades") + at(72, 660, f"{LINE}.")
    second = at(72, 700, f"{LINE}.") + at(72, 660, "2 Handles") + at(72, 620, f"{LINE}!")
    data = outlined(pdf(first, second), [("Blades", 4), ("Handles", 6)], first=20)
    sections = [segment.section for segment in reading(data).segments]
    assert sections == [("1 Blades",), ("1 Blades",), ("1 Blades",), ("2 Handles",), ("2 Handles",)]


def test_bookmarks_of_another_text_are_not_believed(reading, pdf, at):
    data = outlined(pdf(at(72, 700, f"{LINE}.")), [("chapter1.tex", 4), ("chapter2.tex", 4)], first=20)
    assert [segment.section for segment in reading(data).segments] == [()]


def test_bold_numbered_lines_of_the_size_of_the_text_are_headings(reading, pdf, at):
    content = bold(at, 72, 700, "2 Saws") + at(72, 670, f"{LINE}.") + bold(at, 72, 640, "2.1 Blades of saws")
    content += at(72, 610, f"{LINE}.") + bold(at, 72, 580, "3 Planes") + at(72, 550, f"{LINE}.")
    document = reading(bold_pdf(pdf, content))
    assert [segment.section for segment in document.segments][1::2] == [
        ("2 Saws",),
        ("2 Saws", "2.1 Blades of saws"),
        ("3 Planes",),
    ]


def test_heads_of_left_and_right_pages_are_dropped_and_page_numbers_of_one_page(reading, pdf, at):
    pages = [
        at(72, 760, f"{i} A handbook of saws" if i % 2 else f"A handbook of saws {i}")
        + at(72, 600, f"{LINE}, {i}.")
        for i in range(1, 4)
    ]
    assert texts(reading(pdf(*pages))) == [f"{LINE}, {i}." for i in range(1, 4)]
    assert texts(reading(pdf(at(72, 600, f"{LINE}.") + at(300, 30, "1")))) == [f"{LINE}."]
    assert texts(reading(pdf(at(72, 600, f"{LINE}.") + at(300, 30, "1984")))) == [f"{LINE}.", "1984"]


def test_footnotes_leave_the_text_and_their_marks_the_words(reading, tmp_path):
    source = tmp_path / "notes.typ"
    source.write_text(
        "#set page(width: 300pt, height: 260pt)\n#set text(size: 10pt)\n#set par(justify: true)\n"
        "Every saw leaves a kerf#footnote[The width of the cut that its teeth make in the wood, which is"
        " more than the blade is thick.] and every blade bends#footnote[A little.] in it.\n\n#lorem(40)"
    )
    document = reading(typst.compile(str(source), ignore_system_fonts=True))
    assert texts(document)[0] == "Every saw leaves a kerf ¹ and every blade bends ² in it."
    assert texts(document, "footnote") == [
        "¹ The width of the cut that its teeth make in the wood, which is more than the blade is thick.",
        "² A little.",
    ]
    assert [segment.role for segment in document.segments] == ["body", "body", "footnote", "footnote"]


def test_links_are_told_with_their_words(reading, pdf, at):
    link = b"<< /Type /Annot /Subtype /Link /Rect [%d 698 %d 710] /A << /S /URI /URI (%s) >> >>"
    annots = b"/Annots [" + link % (72, 150, b"https://saws.example/a") + link % (150, 200, b"javascript:x()")
    annots += b"<< /Type /Annot /Subtype /Link /Rect [72 658 120 670] /Dest [6 0 R /Fit] >>]"
    data = pdf(
        at(72, 700, "Makers of saws write much") + at(72, 660, "page two"),
        at(72, 700, LINE),
        page_extra=annots,
    )
    first, second, *_ = reading(data).segments
    (link,) = first.links
    assert (link.target, link.text.split()[0]) == ("https://saws.example/a", "Makers")
    assert second.links == (Link("page two", "page:2"),)


def test_the_file_says_who_made_it_when_and_in_which_language(reading, pdf, at):
    info = b"<< /Author (A) /Subject (B) /Keywords (C) /Producer (D) /CreationDate (D:2024)"
    info += b" /ModDate (D:202503) >>"
    data = pdf(at(72, 700, LINE), more=[info], trailer=b"/Info 4 0 R").replace(
        b"/Pages 2 0 R", b"/Lang (en-GB) /Pages 2 0 R", 1
    )
    assert reading(data).metadata == {
        "type": "pdf",
        "pages": 1,
        "author": "A",
        "subject": "B",
        "keywords": "C",
        "producer": "D",
        "created": "2024",
        "modified": "2025-03",
        "language": "en-GB",
    }


def test_code_keeps_its_lines_and_indents(reading, tmp_path):
    source = tmp_path / "code.typ"
    source.write_text(
        "#set page(width: 12cm, height: 12cm)\n#set text(size: 10pt)\n"
        "Before the listing stands a paragraph of running text that fills more than one line of the page.\n\n"
        "```\ndef turn(valve):\n    while valve.open:\n        valve.step()\n\n    return valve\n```\n\n"
        "After it the text goes on with words such as `valve` set in the same type.\n"
    )
    document = reading(typst.compile(source))
    (code,) = [segment for segment in document.segments if segment.role == "code"]
    assert code.text == "def turn(valve):\n    while valve.open:\n        valve.step()\n    return valve"
    assert [s.text[:6] for s in document.segments if s.role == "body"] == ["Before", "After "]


def test_a_typescript_is_text_and_not_code(reading, tmp_path):
    source = tmp_path / "script.typ"
    source.write_text(
        '#set page(width: 14cm, height: 12cm)\n#set text(size: 10pt, font: "DejaVu Sans Mono")\n'
        "This letter was written on a machine, all of it, and it runs over several lines of the page as a "
        "letter does.\n"
    )
    (segment,) = reading(typst.compile(source)).segments
    assert segment.role == "body"
    assert segment.text.endswith("of the page as a letter does.")
