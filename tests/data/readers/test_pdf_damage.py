"""PDFs that were lost in part, and the sentence that tells; limits on long ones."""

from __future__ import annotations

import io
import re

import pytest

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.pdf.contents import page_contents
from plait.data.readers.pdf.declared import declared_pages
from plait.data.readers.pdf.reader import read_pdf

LINE = "The kerf is the width of the cut that a saw leaves"


@pytest.fixture
def reading(tmp_path, spool):
    """Write a PDF and read it; count what it ticks."""

    def run(data: bytes, *, limits: ReadLimits | None = None, ticks: list[int] | None = None):
        path = tmp_path / "file.pdf"
        path.write_bytes(data)
        counted = ticks if ticks is not None else []
        task = ReadTask(path, "file.pdf", tmp_path, spool, lambda: counted.append(1))
        return read_pdf(task, limits or ReadLimits(page_dpi=0))

    return run


@pytest.fixture
def three(pdf, at):
    return pdf(*(at(72, 700, f"{LINE} {i}.") for i in "abc"))


def test_a_whole_file_gives_no_warning(reading, three):
    assert reading(three).warnings == ()
    assert (
        page_contents(three) == [len(f"BT /F 10.000000 Tf 72.000000 700.000000 Td ({LINE} a.) Tj ET\n")] * 3
    )


def test_a_file_whose_end_is_missing_is_told(reading, three):
    document = reading(three[: three.index(b"startxref")])
    assert len(document.pages) == 3
    assert document.warnings == (
        "its end is missing: the file was cut short, and pages or pictures may be lost",
    )


def test_a_repaired_table_of_contents_is_told(reading, three):
    document = reading(re.sub(rb"startxref\n\d+", b"startxref\n77", three))
    assert len(document.pages) == 3
    assert document.warnings == (
        "its table of contents (xref) is damaged: what was found without it has been read",
    )


def test_content_that_cannot_be_unpacked_is_told(reading, pdf, at):
    data = pdf(at(72, 700, LINE), at(72, 700, f"{LINE} and more of it"), packed=True)
    begins = [match.end() for match in re.finditer(rb"(?<!end)stream\n", data)]
    broken = data[: begins[1]] + b"\0" * 60 + data[begins[1] + 60 :]
    document = reading(broken)
    assert document.warnings == ("1 page has content that cannot be read: it is damaged (page 2)",)
    assert [page.text_from for page in document.pages] == ["text", "none"]


def test_a_blank_page_is_not_called_damaged(reading, pdf, at):
    assert reading(pdf(at(72, 700, LINE), b"")).warnings == ()


def test_pages_beyond_the_limit_are_left_out_and_told(reading, three):
    ticks: list[int] = []
    document = reading(three, limits=ReadLimits(page_dpi=0, max_pages=2), ticks=ticks)
    assert [page.number for page in document.pages] == [1, 2]
    assert document.warnings == ("only the first 2 of its 3 pages were read, which is the limit",)
    assert len(ticks) == 2


def test_pages_are_counted_in_packed_objects_too(streamed):
    tree = b"3 0 << /Type /Pages /Kids [4 0 R] /Count 17 >>"
    data = (
        b"%PDF-1.5\n1 0 obj\n"
        + streamed(tree, extra=b"/Type /ObjStm /N 1 /First 4", packed=True)
        + b"\nendobj\n"
    )
    assert declared_pages(data) == 17
    assert page_contents(data) == []


def test_a_page_tree_that_loops_has_no_end_of_pages():
    data = b"1 0 obj << /Type /Pages /Kids [2 0 R 1 0 R 2 0 R] >> endobj 2 0 obj << /Type /Page >> endobj"
    assert page_contents(data) == [0]


def test_a_picture_of_text_is_marked_as_read_by_nobody(reading, pdf):
    from PIL import Image

    buffer = io.BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(buffer, "PDF")
    (page,) = reading(buffer.getvalue(), limits=ReadLimits(page_dpi=0, ocr="off")).pages
    assert page.text_from == "none"
