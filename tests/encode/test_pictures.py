"""Pictures open upright, in RGB, over white, and bad ones say why."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from plait.encode.pictures import asked_images, open_picture
from plait.errors import QueryError
from plait.schema import Box, Query

LIMIT = 10_000


def encoded(picture, kind="PNG", **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def noise(width=60, height=40):
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def png_header(width, height):
    """A PNG that claims a size, then ends where its pixels begin."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + (struct.pack(">I", 100) + b"IDAT")
    )


def test_a_path_and_its_bytes_give_the_same_picture(tmp_path):
    path = tmp_path / "noise.png"
    noise().save(path)
    from_path = open_picture(str(path), max_pixels=LIMIT)
    assert from_path.mode == "RGB"
    assert np.array_equal(from_path, open_picture(path.read_bytes(), max_pixels=LIMIT))
    assert np.array_equal(from_path, noise())


def test_transparency_is_shown_over_white():
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 0, 128))
    out = open_picture(encoded(picture), max_pixels=LIMIT)
    assert out.getpixel((0, 0)) == (255, 255, 255)
    assert out.getpixel((1, 0)) == (127, 127, 127)


def test_transparent_palettes_and_grey_are_shown_over_white():
    palette = Image.new("P", (1, 1))
    palette.putpalette([255, 0, 0])
    assert open_picture(encoded(palette, transparency=0), max_pixels=LIMIT).getpixel((0, 0)) == (
        255,
        255,
        255,
    )
    grey = Image.new("LA", (1, 1), (0, 0))
    assert open_picture(encoded(grey), max_pixels=LIMIT).getpixel((0, 0)) == (255, 255, 255)


def test_a_photo_is_turned_as_its_camera_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to view
    picture = Image.new("RGB", (16, 8), "red")
    picture.paste((0, 0, 255), (0, 0, 8, 8))
    out = open_picture(encoded(picture, "PNG", exif=exif), max_pixels=LIMIT)
    assert out.size == (8, 16)
    assert (out.getpixel((4, 2)), out.getpixel((4, 13))) == ((0, 0, 255), (255, 0, 0))


def test_damaged_camera_data_does_not_hide_the_photo():
    good = encoded(noise(), "JPEG", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff\x12\x01")
    assert open_picture(good, max_pixels=LIMIT).size == (60, 40)


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_common_formats_open(kind):
    assert open_picture(encoded(noise(), kind), max_pixels=LIMIT).size == (60, 40)


def test_sixteen_bit_grey_keeps_its_shades():
    values = np.array([[0, 32896, 65535]], dtype=np.uint16)
    out = open_picture(encoded(Image.fromarray(values)), max_pixels=LIMIT)
    assert [out.getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]


def test_real_valued_grey_is_brightness_from_0_to_1():
    values = np.array([[0.0, 0.5, 1.0]], dtype=np.float32)
    out = open_picture(encoded(Image.fromarray(values), "TIFF"), max_pixels=LIMIT)
    assert [out.getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]


def test_the_size_is_checked_before_anything_is_decoded():
    with pytest.raises(QueryError, match="is 5000 x 4000, 20,000,000 pixels, more than the 10,000 allowed"):
        open_picture(png_header(5000, 4000), max_pixels=LIMIT)
    with pytest.raises(QueryError, match="too many pixels"):
        open_picture(png_header(2**31 - 1, 2**31 - 1), max_pixels=LIMIT)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_cut_off_says_so(kind):
    data = encoded(noise(), kind)
    with pytest.raises(QueryError, match="cut off or damaged"):
        open_picture(data[: len(data) // 2], max_pixels=LIMIT)


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7 not a picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_says_so(data):
    with pytest.raises(QueryError, match="not an image that can be read"):
        open_picture(data, max_pixels=LIMIT)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(QueryError, match=r"gone\.png does not exist"):
        open_picture(str(tmp_path / "gone.png"), max_pixels=LIMIT)
    with pytest.raises(QueryError, match="is not a file"):
        open_picture(str(tmp_path), max_pixels=LIMIT)
    (tmp_path / "empty.png").touch()
    with pytest.raises(QueryError, match=r"empty\.png is not an image"):
        open_picture(str(tmp_path / "empty.png"), max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("box", "left", "top", "right", "bottom"),
    [
        (Box(0, 0, 1, 1), 0, 0, 60, 40),
        (Box(0.25, 0.5, 0.75, 1), 15, 20, 45, 40),
        (Box(0.7, 0.1, 0.9, 0.3), 42, 4, 54, 12),  # 0.7 * 60 is 42.0 and no part of a pixel more
        (Box(0.01, 0.01, 0.3, 0.3), 0, 0, 18, 12),  # pixels that the box touches belong to it
        (Box(0.5, 0.5, 0.5 + 1e-9, 0.5 + 1e-9), 30, 20, 31, 21),
        (Box(1 - 1e-12, 1 - 1e-12, 1, 1), 59, 39, 60, 40),
    ],
)
def test_a_box_is_of_whole_pixels_and_at_least_one(box, left, top, right, bottom):
    picture = noise()
    query = Query(images=(encoded(picture), encoded(picture)), image_boxes=(box, None))
    (part, whole) = asked_images(query, max_pixels=LIMIT)
    assert whole == query.images[1]
    seen = open_picture(part, max_pixels=LIMIT)
    assert np.array_equal(seen, picture.crop((left, top, right, bottom)))


def test_a_box_is_one_of_the_picture_that_is_seen_upright():
    picture = noise()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned = encoded(picture.rotate(90, expand=True), "PNG", exif=exif)
    query = Query(images=(turned,), image_boxes=(Box(0, 0, 0.5, 0.5),))
    (part,) = asked_images(query, max_pixels=LIMIT)
    assert np.array_equal(open_picture(part, max_pixels=LIMIT), picture.crop((0, 0, 30, 20)))


def test_an_image_with_a_box_is_refused_as_one_without(tmp_path):
    query = Query(images=(str(tmp_path / "none.png"),), image_boxes=(Box(0, 0, 1, 0.5),))
    with pytest.raises(QueryError, match=r"none\.png does not exist"):
        asked_images(query, max_pixels=LIMIT)
    with pytest.raises(QueryError, match=r"2,400 pixels, more than the 100 allowed"):
        asked_images(Query(images=(encoded(noise()),), image_boxes=(Box(0, 0, 0.1, 0.1),)), max_pixels=100)
