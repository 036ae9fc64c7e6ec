"""Small real files, built by hand."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from plait.data.readers import read_in_process
from plait.data.readers.base import ReadLimits
from plait.schema import Document

Reading = Callable[..., Document]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def read(spool: Path) -> Reading:
    """Read a file in this process."""

    def run(path: Path, *, root: Path | None = None, limits: ReadLimits | None = None) -> Document:
        return read_in_process(path, source=path.name, spool=spool, limits=limits or ReadLimits(), root=root)

    return run


@pytest.fixture
def png() -> Callable[..., bytes]:
    """Encode a striped picture that no other size or colour equals."""

    def make(width: int = 60, height: int = 40, colour: str = "teal", kind: str = "PNG") -> bytes:
        image = Image.new("RGB", (width, height), "white")
        ImageDraw.Draw(image).rectangle((5, 5, width // 2, height - 5), fill=colour)
        buffer = io.BytesIO()
        image.save(buffer, kind)
        return buffer.getvalue()

    return make


def pdf_bytes(objects: Sequence[bytes], *, trailer: bytes = b"") -> bytes:
    """Return a PDF of numbered objects; the first is the catalogue."""
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return bytes(out) + b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        trailer,
        start,
    )


def lines_pdf(pages: Sequence[str], *, points: int = 20) -> bytes:
    """Return a PDF of a line of text a page."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, line in enumerate(pages):
        content = f"BT /F {points} Tf 72 700 Td ({line}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    return pdf_bytes([one.encode() for one in objects])


def stream(content: bytes, *, extra: bytes = b"", packed: bool = False) -> bytes:
    if packed:
        content, extra = zlib.compress(content, 9), extra + b" /Filter /FlateDecode"
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), extra, content)


@pytest.fixture
def pdf() -> Callable[..., bytes]:
    """Build a PDF from the content stream of each page."""

    def make(
        *contents: bytes,
        width: float = 612,
        height: float = 792,
        rotate: int = 0,
        page_extra: bytes = b"",
        resources: bytes = b"",
        more: Sequence[bytes] = (),
        trailer: bytes = b"",
        packed: bool = False,
    ) -> bytes:
        """`more` are objects numbered from 4 on; each page then takes two numbers."""
        first = 4 + len(more)
        kids = b" ".join(b"%d 0 R" % (first + 2 * i) for i in range(len(contents)))
        objects = [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(contents)),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            *more,
        ]
        for i, content in enumerate(contents):
            objects.append(
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %f %f] /Rotate %d %s "
                b"/Resources << /Font << /F 3 0 R >> %s >> /Contents %d 0 R >>"
                % (width, height, rotate, page_extra, resources, first + 2 * i + 1)
            )
            objects.append(stream(content, packed=packed))
        return pdf_bytes(objects, trailer=trailer)

    return make


def text_at(x: float, y: float, words: str, *, size: float = 10) -> bytes:
    return b"BT /F %f Tf %f %f Td (%s) Tj ET\n" % (size, x, y, words.encode("latin-1"))


@pytest.fixture
def at() -> Callable[..., bytes]:
    """Content that sets words at a place: x and y in points from the lower left corner."""
    return text_at


@pytest.fixture
def numbered() -> Callable[..., bytes]:
    """Build a PDF from its objects."""
    return pdf_bytes


@pytest.fixture
def streamed() -> Callable[..., bytes]:
    """Build a stream object."""
    return stream
