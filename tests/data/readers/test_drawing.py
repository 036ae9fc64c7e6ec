"""SVG drawings: drawn with their words, without scripts, entities, or files of elsewhere."""

from __future__ import annotations

import base64
import gzip

import pytest
from PIL import Image

from plait.data.readers.base import ReadLimits
from plait.data.readers.markup.drawing import drawing_of
from plait.data.readers.pictures import BadPictureError
from plait.errors import ReadError

_NAMES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


@pytest.fixture
def drawing(tmp_path, read):
    """Write a drawing, and read it."""

    def run(body: str, *, size: str = 'width="100" height="50"', limits=None):
        path = tmp_path / "saw_plan.svg"
        path.write_text(f"<svg {_NAMES} {size}>{body}</svg>")
        return read(path, limits=limits)

    return run


def pixel(document, x: float = 0.5, y: float = 0.5):
    with Image.open(document.segments[0].picture.path) as image:
        return image.convert("RGB").getpixel((int(image.width * x), int(image.height * y)))


def test_a_drawing_is_its_picture_and_the_words_in_it(drawing):
    document = drawing(
        "<title>Plan</title><desc>A saw.</desc><rect width='100' height='50' fill='blue'/>"
        "<text x='5' y='20'>Rip <tspan>saw</tspan></text><text y='9'>5 mm</text><text>5 mm</text>"
    )
    assert document.title == "Plan"
    assert document.metadata == {"type": "drawing", "width": 200, "height": 100}
    assert [(s.kind, s.text) for s in document.segments] == [("image", "A saw."), ("text", "Rip saw\n5 mm")]
    assert pixel(document) == (0, 0, 255)


@pytest.mark.parametrize("family", ["font-family='Nowhere Sans'", "style='font-family: Nowhere'", ""])
def test_words_show_whatever_fonts_the_machine_has(drawing, family):
    document = drawing(f"<text x='2' y='40' font-size='40' {family}>HHHH</text>")
    with Image.open(document.segments[0].picture.path) as image:
        assert image.convert("L").getextrema()[0] < 100


def test_a_part_of_a_web_page_becomes_words(drawing):
    document = drawing(
        "<foreignObject width='100' height='40'>"
        "<div xmlns='http://www.w3.org/1999/xhtml'>Cut <b>wood</b></div></foreignObject>"
    )
    assert document.segments[1].text == "Cut wood"


@pytest.mark.parametrize(
    "href",
    ["red.png", "{folder}/red.png", "file://{folder}/red.png", "http://127.0.0.1:9/red.png", "../red.png"],
)
@pytest.mark.parametrize(
    "part",
    [
        "<image {0} width='100' height='50'/>",
        "<filter id='f'><feImage {0}/></filter><rect filter='url(#f)' width='100' height='50'/>",
    ],
)
def test_pictures_from_elsewhere_are_not_drawn(drawing, tmp_path, monkeypatch, href, part):
    Image.new("RGB", (50, 50), "red").save(tmp_path / "red.png")
    monkeypatch.chdir(tmp_path)
    for name in ("href", "xlink:href"):
        document = drawing(part.format(f"{name}='{href.format(folder=tmp_path)}'"))
        assert pixel(document) != (255, 0, 0)


def test_pictures_written_into_the_drawing_are_drawn(drawing, png):
    data = base64.b64encode(png(50, 50, "red")).decode()
    document = drawing(f"<image href='data:image/png;base64,{data}' width='50' height='50'/>")
    assert pixel(document, 0.15, 0.5) == (255, 0, 0)
    small = ReadLimits(max_pixels=20_000)
    large = base64.b64encode(png(200, 200, "red")).decode()
    document = drawing(f"<image href='data:image/png;base64,{large}' width='50' height='50'/>", limits=small)
    assert pixel(document, 0.15, 0.5) == (255, 255, 255)


@pytest.mark.parametrize(
    ("body", "size", "reason"),
    [
        ("<g>" * 100 + "</g>" * 100, "", "nests more than 64 deep"),
        ("<g>", "", "not well-formed"),
        ("<pattern id='p' width='1e6' height='1e6'/>", "", "parts of a size that cannot be drawn"),
        ("", "width='3' height='900000'", "too thin"),
    ],
)
def test_drawings_made_to_do_harm_are_refused(drawing, body, size, reason):
    with pytest.raises(ReadError, match=reason):
        drawing(body, size=size)


@pytest.mark.parametrize("entity", ["'&a;&a;'", "SYSTEM 'file:///etc/hostname'"])
def test_entities_that_unfold_or_lie_elsewhere_are_refused(entity):
    data = f"<!DOCTYPE svg [<!ENTITY a 'b'><!ENTITY e {entity}>]><svg {_NAMES}><text>&e;</text></svg>"
    with pytest.raises(BadPictureError, match="declares entities"):
        drawing_of(data.encode(), max_pixels=1)


def test_short_entities_as_drawing_programs_write_are_taken():
    data = f"<!DOCTYPE svg [<!ENTITY saw 'rip saw'>]><svg {_NAMES}><text>&saw;</text></svg>"
    assert drawing_of(data.encode(), max_pixels=1).labels == ("rip saw",)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("width='100000' height='50000'", (1600, 800)),
        ("viewBox='0 0 40 20'", (80, 40)),
        ("width='1in' viewBox='0 0 40 20'", (192, 96)),
        ("", (600, 300)),
        ("width='100%' height='100%' viewBox='0,0,800,400'", (1000, 500)),
        ("width='-5' height='nan'", (600, 300)),
    ],
)
def test_a_drawing_takes_the_size_it_asks_for_twice_as_sharp_if_small(drawing, size, expected):
    metadata = drawing("<rect width='5' height='5'/>", size=size).metadata
    assert (metadata["width"], metadata["height"]) == expected


def test_pages_show_drawings_beside_them_and_in_them(tmp_path, read):
    drawn = f"<svg {_NAMES} width='90' height='60'><text x='5' y='30'>saw</text></svg>"
    (tmp_path / "a.svg").write_text(drawn)
    (tmp_path / "b.svgz").write_bytes(gzip.compress(drawn.replace("90", "80").encode()))
    (tmp_path / "bomb.svgz").write_bytes(gzip.compress(b"<svg>" + bytes(40 * 2**20)))
    inline = "<svg width='70' height='60' inkscape:label='x'><text>in&nbsp;line<br></text></svg>"
    page = tmp_path / "page.html"
    icons = "<svg viewBox='0 0 24 24'><path/></svg><svg width='16' height='16'></svg>"
    page.write_text(
        f"<html><p>x</p><img src='a.svg' alt='A'><img src='b.svgz'><img src='bomb.svgz'>{inline}{icons}"
    )
    document = read(page)
    shown = [s for s in document.segments if s.kind == "image"]
    assert [(s.picture.width_px, s.text) for s in shown] == [(180, "A"), (160, ""), (140, "in line")]
    assert document.warnings == ("left out 1 picture: an SVG drawing that is too large",)
