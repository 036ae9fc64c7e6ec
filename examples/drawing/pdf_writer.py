"""Just enough PDF for an illustrated sheet: wrapped Helvetica, JPEG figures, the same bytes every time."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

from PIL import Image

PAGE_WIDTH, PAGE_HEIGHT, MARGIN = 595, 842, 62  # A4, in points

_WIDTHS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,:;'-()/",
        [556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278,
         556, 500, 722, 500, 500, 500, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722,
         778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 278, 278, 191, 333, 333,
         333, 278],
        strict=True,
    )
)  # fmt: skip  # Helvetica, in thousandths of the size; only line breaks depend on it


@dataclass(frozen=True)
class Block:
    """One piece of a page: a heading, a paragraph, or a figure with its caption as `words`."""

    kind: Literal["heading", "text", "figure"]
    words: str
    picture: Image.Image | None = None
    width: float = 260


class Sheet:
    """A PDF in the making: `page` adds one, `finished` gives the bytes."""

    def __init__(self, title: str) -> None:
        self._objects: list[bytes] = [b"", b""]  # the catalogue and the page tree, filled in at the end
        self._pages: list[int] = []
        self._fonts = [self._font("Helvetica"), self._font("Helvetica-Bold"), self._font("Helvetica-Oblique")]
        self._info = self._add(b"<< /Title " + _string(title) + b" >>")

    def page(self, blocks: list[Block]) -> None:
        """Lay blocks out from the top of a new page.

        Raises:
            ValueError: they do not fit on one page.
        """
        y: float = PAGE_HEIGHT - MARGIN
        content: list[bytes] = []
        images: dict[str, int] = {}
        for block in blocks:
            if block.picture is not None:
                y = self._figure(block, y, content, images)
            size, font = (15.0, 1) if block.kind == "heading" else (9.0, 2) if block.picture else (10.5, 0)
            for line in _wrapped(block.words, size, PAGE_WIDTH - 2 * MARGIN):
                y -= size * 1.35
                content.append(b"BT /F%d %g Tf %d %.1f Td %b Tj ET" % (font, size, MARGIN, y, _string(line)))
            y -= 9
        if y < MARGIN - 20:
            raise ValueError(f"the page that begins {blocks[0].words!r} is {MARGIN - y:.0f} points too long")
        number = len(self._pages) + 1
        content.append(b"BT /F0 9 Tf %d 34 Td (%d) Tj ET" % (PAGE_WIDTH // 2, number))
        self._pages.append(self._page(b"\n".join(content), images))

    def finished(self) -> bytes:
        """Return the whole file."""
        kids = b" ".join(b"%d 0 R" % n for n in self._pages)
        self._objects[0] = b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>"
        self._objects[1] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, len(self._pages))
        out = io.BytesIO()
        out.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
        offsets = []
        for number, body in enumerate(self._objects, 1):
            offsets.append(out.tell())
            out.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
        start = out.tell()
        out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1))
        out.write(b"".join(b"%010d 00000 n \n" % o for o in offsets))
        out.write(b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (len(offsets) + 1, self._info))
        out.write(b"startxref\n%d\n%%%%EOF\n" % start)
        return out.getvalue()

    def _figure(self, block: Block, y: float, content: list[bytes], images: dict[str, int]) -> float:
        assert block.picture is not None
        height = block.width * block.picture.height / block.picture.width
        name = f"Im{len(images)}"
        images[name] = self._image(block.picture)
        left, bottom = (PAGE_WIDTH - block.width) / 2, y - height
        content.append(
            b"q %.1f 0 0 %.1f %.1f %.1f cm /%b Do Q" % (block.width, height, left, bottom, name.encode())
        )
        return bottom - 2

    def _page(self, content: bytes, images: dict[str, int]) -> int:
        stream = self._stream(b"", content)
        fonts = b" ".join(b"/F%d %d 0 R" % (k, n) for k, n in enumerate(self._fonts))
        pictures = b" ".join(b"/%b %d 0 R" % (name.encode(), n) for name, n in images.items())
        return self._add(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R"
            b" /Resources << /Font << %b >> /XObject << %b >> >> >>"
            % (PAGE_WIDTH, PAGE_HEIGHT, stream, fonts, pictures)
        )

    def _image(self, picture: Image.Image) -> int:
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=85)
        head = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB" % picture.size
        return self._stream(head + b" /BitsPerComponent 8 /Filter /DCTDecode", data.getvalue())

    def _font(self, name: str) -> int:
        return self._add(
            b"<< /Type /Font /Subtype /Type1 /BaseFont /%b /Encoding /WinAnsiEncoding >>" % name.encode()
        )

    def _stream(self, head: bytes, data: bytes) -> int:
        return self._add(b"<< %b /Length %d >>\nstream\n%b\nendstream" % (head, len(data), data))

    def _add(self, body: bytes) -> int:
        self._objects.append(body)
        return len(self._objects)


def _string(words: str) -> bytes:
    raw = words.encode("cp1252")
    for mark in (b"\\", b"(", b")"):
        raw = raw.replace(mark, b"\\" + mark)
    return b"(" + raw + b")"


def _wrapped(words: str, size: float, width: float) -> list[str]:
    lines, line, used = [], "", 0.0
    for word in words.split():
        needed = sum(_WIDTHS.get(c, 556) for c in word + " ") * size / 1000
        if line and used + needed > width:
            lines.append(line)
            line, used = "", 0.0
        line, used = f"{line} {word}".strip(), used + needed
    return [*lines, line]
