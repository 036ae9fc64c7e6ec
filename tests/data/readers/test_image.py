"""Scans of several pages, what pictures say of themselves, and pictures made to do harm."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from plait.data.readers.base import ReadLimits
from plait.errors import ReadError

_OFF = ReadLimits(ocr="off")


def striped(colour: str, size: tuple[int, int] = (80, 60)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((5, 5, 40, 40), fill=colour)
    return image


def save_pages(path, *pages: Image.Image) -> None:
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_deflate")


def test_a_scan_has_a_page_for_each_of_its_pictures(tmp_path, read):
    path = tmp_path / "scan.tif"
    save_pages(path, striped("red"), striped("green", (60, 90)), Image.new("RGB", (50, 50), "white"))
    document = read(path, limits=_OFF)
    assert document.metadata == {"type": "image", "width": 80, "height": 60, "pages": 3}
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert [page.picture and page.picture.height_px for page in document.pages] == [60, 90, None]
    assert [(s.kind, s.page) for s in document.segments] == [("image", 1), ("image", 2)]
    assert {page.text_from for page in document.pages} == {"none"}


def test_pages_past_the_limit_are_left_out_and_told(tmp_path, read):
    path = tmp_path / "scan.tif"
    save_pages(path, *[striped("red")] * 5)
    document = read(path, limits=ReadLimits(max_pages=2, ocr="off"))
    assert len(document.pages) == 2
    assert document.warnings == ("only the first 2 pages were read",)


def test_a_damaged_page_is_left_out_with_a_warning(tmp_path, read):
    path = tmp_path / "scan.tif"
    save_pages(path, striped("red"), striped("green"), striped("blue"))
    data = bytearray(path.read_bytes())
    with Image.open(path) as image:
        image.seek(1)
        strip = image.tag_v2[273][0]
    data[strip : strip + 40] = bytes(40)
    path.write_bytes(data)
    document = read(path, limits=_OFF)
    assert document.warnings == ("left out page 2: it is damaged",)
    assert [page.number for page in document.pages] == [1, 3]


def test_notes_of_a_camera_are_metadata_and_where_it_was_taken_is_not(tmp_path, read):
    image = striped("teal")
    exif = image.getexif()
    exif[0x010E], exif[0x013B], exif[0x010F], exif[0x0110] = "A rip saw", "A. Sawyer", "Acme", "Acme C1"
    exif[0x9C9B] = "Säge".encode("utf-16-le")
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 10:20:30"
    exif.get_ifd(0x8825)[1] = "N"
    path = tmp_path / "photo.jpg"
    image.save(path, exif=exif)
    document = read(path, limits=_OFF)
    assert document.title == "Säge"
    assert document.segments[0].text == "A rip saw"
    assert document.metadata == {
        "type": "image",
        "width": 80,
        "height": 60,
        "author": "A. Sawyer",
        "created": "2024-05-01T10:20:30",
        "camera": "Acme C1",
    }


@pytest.mark.parametrize(("said", "kept"), [("A saw\n in use", "A saw in use"), ("SONY DSC", "")])
def test_notes_of_drawing_programs_are_read_unless_a_machine_wrote_them(tmp_path, read, said, kept):
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Title", "Teeth")
    notes.add_itxt("Description", said)
    path = tmp_path / "x.png"
    striped("teal").save(path, pnginfo=notes)
    document = read(path, limits=_OFF)
    assert (document.title, document.segments[0].text) == ("Teeth", kept)


def test_wordings_of_xmp_are_read_without_its_entities(tmp_path, read):
    xmp = (
        "<x xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        "<dc:description><r:Alt><r:li>A saw</r:li></r:Alt></dc:description></x>"
    )
    for head, kept in (("", "A saw"), ("<!DOCTYPE x [<!ENTITY a '&b;&b;'>]>", "")):
        path = tmp_path / "x.png"
        notes = PngImagePlugin.PngInfo()
        notes.add_itxt("XML:com.adobe.xmp", head + xmp)
        striped("teal").save(path, pnginfo=notes)
        assert read(path, limits=_OFF).segments[0].text == kept


def test_avif_pictures_are_read_where_pillow_can(tmp_path, read):
    features = pytest.importorskip("PIL.features")
    if not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    path = tmp_path / "x.avif"
    striped("teal").save(path, "AVIF")
    assert read(path, limits=_OFF).metadata["width"] == 80


def test_heic_pictures_are_read_by_the_extra_and_refused_without_it(tmp_path, read, monkeypatch):
    path = tmp_path / "x.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    monkeypatch.setitem(__import__("sys").modules, "pi_heif", None)
    with pytest.raises(ReadError, match=r"pi_heif is not installed") as caught:
        read(path, limits=_OFF)
    assert 'pip install "plait[heic]"' in caught.value.remedy
    monkeypatch.undo()
    pytest.importorskip("pi_heif")
    with pytest.raises(ReadError, match="not a picture, or a damaged one"):
        read(path, limits=_OFF)


@pytest.mark.parametrize("size", [(1, 1_000_000), (1_000_000, 1)])
def test_a_picture_that_is_a_mere_line_is_refused(tmp_path, read, size):
    path = tmp_path / "line.png"
    Image.new("1", size).save(path)
    with pytest.raises(ReadError, match="a mere line"):
        read(path, limits=_OFF)


def test_an_animation_is_not_decoded_past_its_first_picture(tmp_path, read):
    path = tmp_path / "moving.gif"
    frames = [striped(colour) for colour in ("red", "blue") * 15]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff" * 500)
    assert len(read(path, limits=_OFF).segments) == 1
