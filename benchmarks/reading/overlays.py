"""Shows what was read where: every segment's box on the image of its page, numbered in reading order.

    python -m benchmarks.reading.overlays FILE --out FOLDER [--pages 1,3] [--dpi 90] [--width 800]

Writes a PNG for each page, with a legend: running text, headings, footnotes, code, figures, tables and their
captions. A caption has no box of its own in a document; it is looked up among the page's characters.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageDraw, ImageFont

from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.schema import Box, Document, Segment

_COLOURS = {
    "text": (31, 97, 168),
    "heading": (192, 57, 43),
    "footnote": (125, 60, 152),
    "code": (90, 90, 90),
    "figure": (20, 130, 70),
    "table": (200, 120, 0),
    "caption": (0, 140, 150),
}
_LEGEND_PX = 24
_FONT = ImageFont.load_default(size=12)


@dataclass(frozen=True, slots=True)
class Mark:
    """One box to draw, with what stands at its corner."""

    kind: str
    box: Box
    name: str


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    options.add_argument("--pages", help="numbers, from 1; default: all")
    options.add_argument("--dpi", type=int, default=90)
    options.add_argument(
        "--width", type=int, help="of the pictures, in pixels; default: as the page is drawn"
    )
    asked = options.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    wanted = {int(number) for number in asked.pages.split(",")} if asked.pages else None
    for number, image in overlays(asked.file, dpi=asked.dpi, pages=wanted):
        if asked.width:
            image = image.resize((asked.width, round(image.height * asked.width / image.width)))
        target = asked.out / f"{asked.file.stem}-{number}.png"
        image.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)
        print(target)


def overlays(file: Path, *, dpi: int, pages: set[int] | None = None) -> Iterator[tuple[int, Image.Image]]:
    """Give the number and the overlay of each page, or of some, of a file that has pages."""
    with tempfile.TemporaryDirectory(prefix="plait-overlays-") as spool:
        limits = ReadLimits(page_dpi=dpi)
        document = read_in_process(file, source=file.name, spool=spool, limits=limits)
        for page in document.pages:
            if page.picture is not None and (pages is None or page.number in pages):
                with Image.open(page.picture.path) as image:
                    yield page.number, drawn(image.convert("RGB"), marks(document, page.number, file))


def marks(document: Document, page: int, file: Path) -> list[Mark]:
    """Return what to draw on a page; numbers count the segments of the page."""
    found: list[Mark] = []
    here = [segment for segment in document.segments if segment.page == page and segment.box is not None]
    for number, segment in enumerate(here, start=1):
        assert segment.box is not None
        name = f"{number} {segment.label}".strip()
        found.append(Mark(kind_of(segment), segment.box, name))
        if segment.caption and file.suffix == ".pdf":
            box = caption_box(file, page, segment.caption)
            found += [Mark("caption", box, "")] if box is not None else []
    return found


def kind_of(segment: Segment) -> str:
    """Return by which colour a segment is shown."""
    if segment.kind != "text":
        return "figure" if segment.kind == "image" else "table"
    if segment.role in ("footnote", "code"):
        return segment.role
    return "heading" if segment.section and segment.text == segment.section[-1] else "text"


def caption_box(file: Path, page: int, caption: str) -> Box | None:
    """Return where the letters of a caption stand one after the other in a page's stream; None if nowhere."""
    wanted = [letter for letter in caption if letter.isalnum()]
    with pypdfium2.PdfDocument(file) as pdf:
        view = pdf[page - 1]
        text_page = view.get_textpage()
        count = text_page.count_chars()
        letters = [
            (index, letter)
            for index in range(count)
            if (letter := chr(pdfium.FPDFText_GetUnicode(text_page, index))).isalnum()
        ]
        start = _place("".join(letter for _, letter in letters), "".join(wanted))
        if start is None:
            return None
        boxes = [text_page.get_charbox(index) for index, _ in letters[start : start + len(wanted)]]
        width, height = view.get_size()
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    left, bottom, right, top = min(lefts), min(bottoms), max(rights), max(tops)
    return Box(left / width, 1 - top / height, right / width, 1 - bottom / height)


def _place(letters: str, wanted: str) -> int | None:
    place = letters.find(wanted)
    return place if place >= 0 else None


def drawn(image: Image.Image, found: Sequence[Mark]) -> Image.Image:
    """Return a page with its marks, and a legend above."""
    whole = Image.new("RGB", (image.width, image.height + _LEGEND_PX), "white")
    whole.paste(image, (0, _LEGEND_PX))
    tint = Image.new("RGBA", whole.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(tint)
    for mark in found:
        colour = _COLOURS[mark.kind]
        edges = (
            mark.box.left * image.width - 2,
            mark.box.top * image.height + _LEGEND_PX - 1,
            mark.box.right * image.width + 2,
            mark.box.bottom * image.height + _LEGEND_PX + 1,
        )
        pen.rectangle(edges, outline=(*colour, 255), fill=(*colour, 28), width=2)
        if mark.name:
            _tag(pen, edges[0], edges[1], mark.name, colour)
    _legend(pen, [kind for kind in _COLOURS if any(mark.kind == kind for mark in found)])
    return Image.alpha_composite(whole.convert("RGBA"), tint).convert("RGB")


def _tag(pen: ImageDraw.ImageDraw, x: float, y: float, name: str, colour: tuple[int, int, int]) -> None:
    """Write a name on a plate at the left of a corner."""
    width = pen.textlength(name, font=_FONT) + 6
    left = max(0.0, x - width)
    pen.rectangle((left, y, left + width, y + 15), fill=(*colour, 255))
    pen.text((left + 3, y), name, fill="white", font=_FONT)


def _legend(pen: ImageDraw.ImageDraw, kinds: Sequence[str]) -> None:
    x = 6.0
    for kind in kinds:
        pen.rectangle((x, 6, x + 12, 18), fill=(*_COLOURS[kind], 255))
        pen.text((x + 17, 4), kind, fill="black", font=_FONT)
        x += 17 + pen.textlength(kind, font=_FONT) + 16


if __name__ == "__main__":
    main()
