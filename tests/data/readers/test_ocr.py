"""Character recognition: the words of printed pages, where they stand, whichever way the page lies."""

from __future__ import annotations

from pathlib import Path

import pytest
import typst
from PIL import Image, ImageDraw

from plait.data.readers import ocr
from plait.data.readers.base import ReadLimits

_WORDS = "Turn the grey valve to the left before you open the lower housing of the pump."
_LIMITS = ReadLimits(memory_mb=100_000)  # the tests' own process is not to be confined


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Image.Image:
    """A small printed page at 150 dpi: a heading and one sentence on several lines."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.typ").write_text(
        '#set page(width: 9cm, height: 6cm, margin: 1cm)\n#set text(size: 11pt, font: "New Computer Modern", '
        f"hyphenate: false)\n= Changing the seal\n{_WORDS}\n"
    )
    png = typst.compile(folder / "page.typ", format="png", ppi=150)
    (folder / "page.png").write_bytes(png)
    return Image.open(folder / "page.png").convert("RGB")


def _text(image: Image.Image) -> str:
    lines = ocr.lines_of(image, 150, _LIMITS)
    assert lines is not None
    return " ".join(line.text for line in sorted(lines, key=lambda line: line.box.top))


def test_a_printed_page_is_read_to_the_letter_and_in_place(page: Image.Image) -> None:
    lines = ocr.lines_of(page, 150, _LIMITS)
    assert lines is not None
    heading, *rest = sorted(lines, key=lambda line: line.box.top)
    assert heading.text == "Changing the seal"
    assert " ".join(line.text for line in rest) == _WORDS
    # 1 cm of margin is 28 points; the heading's type is 1.4 times the text's 11 points.
    assert heading.box.left == pytest.approx(28.3, abs=3)
    assert heading.box.top == pytest.approx(28.3, abs=6)
    assert heading.size > 1.2 * rest[0].size
    assert rest[0].size == pytest.approx(11, abs=2)


@pytest.mark.parametrize(
    ("way", "margin_right", "margin_bottom"),
    [
        (Image.Transpose.ROTATE_270, True, False),  # its top is at the right
        (Image.Transpose.ROTATE_90, False, True),  # at the left, and what was left at the bottom
        (Image.Transpose.ROTATE_180, True, True),
    ],
)
def test_a_turned_page_is_read_and_its_boxes_are_those_of_the_picture(
    page: Image.Image, way: Image.Transpose, margin_right: bool, margin_bottom: bool
) -> None:
    turned = page.transpose(way)
    lines = ocr.lines_of(turned, 150, _LIMITS)
    assert lines is not None
    heading = next(line for line in lines if "Changing" in line.text)
    width, height = turned.width * 72 / 150, turned.height * 72 / 150
    across = width - heading.box.right if margin_right else heading.box.left
    down = height - heading.box.bottom if margin_bottom else heading.box.top
    assert (across, down) == (pytest.approx(28.3, abs=6), pytest.approx(28.3, abs=6))


def test_nothing_is_recognised_where_it_is_off(page: Image.Image) -> None:
    assert ocr.lines_of(page, 150, ReadLimits(ocr="off")) is None


def test_a_printed_page_looks_like_one_and_pictures_do_not(tmp_path: Path) -> None:
    (tmp_path / "a.typ").write_text(
        "#set page(width: 14cm, height: 18cm, margin: 1.5cm)\n#set text(size: 10pt)\n= Pumps\n#lorem(160)\n"
    )
    (tmp_path / "a.png").write_bytes(typst.compile(tmp_path / "a.typ", format="png", ppi=120))
    with Image.open(tmp_path / "a.png") as printed:
        assert ocr.looks_like_a_page(printed)
        assert ocr.looks_like_a_page(printed.rotate(90, expand=True))
        assert not ocr.looks_like_a_page(printed.resize((200, 260)))  # too small to be read
    drawing = Image.new("RGB", (900, 900), "white")
    ImageDraw.Draw(drawing).ellipse((100, 100, 800, 800), outline="black", width=9)
    assert not ocr.looks_like_a_page(drawing)
    photograph = Image.linear_gradient("L").resize((900, 900))
    assert not ocr.looks_like_a_page(photograph)
    assert not ocr.looks_like_a_page(Image.new("RGB", (900, 900), "white"))
