"""What is accepted as one input, what it means, and what is refused, with which words."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from plait.encode.st import inputs
from plait.encode.st.inputs import read_input
from plait.errors import InputError

RED = Image.new("RGB", (30, 20), "red")


def png(picture=RED):
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def path(tmp_path):
    RED.save(tmp_path / "red.png")
    return str(tmp_path / "red.png")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("a red square", "a red square"),
        ("gone.png", "gone.png"),  # as in sentence-transformers, only a file that is there is a picture
        ("see https://example.org/page", "see https://example.org/page"),
        ("https://www.youtube.com/watch?v=1", "https://www.youtube.com/watch?v=1"),
        ({"text": "https://example.org/red.png"}, "https://example.org/red.png"),
        ({"text": " padded "}, " padded "),
        ({"text": ["red", "  ", "square"]}, "red square"),
        ({"text": "red", "image": None, "audio": None}, "red"),
        ({"text": "red", "image": {"bytes": None, "path": None}}, "red"),
        ({"text": "red", "image": []}, "red"),
        ({"role": "user", "content": "red"}, "red"),
        ([{"role": "system", "content": "red"}, {"role": "user", "content": "square"}], "red square"),
        ({"role": "user", "content": [{"type": "text", "text": "red"}, "square"]}, "red square"),
    ],
)
def test_texts_in_every_form(given, text):
    assert read_input(given) == inputs.TextAndImage(text, None)


def test_pictures_in_every_form_are_one_picture(path, tmp_path):
    array = np.asarray(RED)
    address = "data:image/png;base64," + base64.b64encode(png()).decode()
    forms = [
        RED, path, tmp_path / "red.png", address,
        array, array.transpose(2, 0, 1), torch.from_numpy(array.copy()),
        torch.from_numpy(array / 255).permute(2, 0, 1), torch.from_numpy(array / 255).bfloat16(),
        np.dstack([array, np.full((20, 30), 255, np.uint8)]),
        {"image": RED}, {"image": path}, {"image": array}, {"image": [RED]},
        {"image": {"bytes": png(), "path": None}}, {"image": {"bytes": None, "path": path}},
        {"text": " ", "image": RED}, {"role": "user", "content": [{"type": "image", "image": path}]},
    ]  # fmt: skip
    for form in forms:
        seen = read_input(form)
        assert seen.text is None
        assert np.array_equal(np.asarray(seen.image.convert("RGB")), array), form


def test_one_channel_is_grey():
    assert read_input(np.full((2, 3, 1), 0.5)).image.getpixel((0, 0)) == 128
    assert read_input(np.full((1, 2, 9), 7, np.uint8)).image.size == (9, 2)


def test_a_picture_from_a_file_is_upright_and_over_white(tmp_path):
    picture = Image.new("RGBA", (4, 2), (0, 0, 0, 0))
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90 degrees
    picture.save(tmp_path / "turned.png", exif=exif)
    seen = read_input({"image": str(tmp_path / "turned.png")}).image
    assert (seen.size, seen.getpixel((0, 0))) == ((2, 4), (255, 255, 255))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "'' has neither text .empty, or only white space. nor image: leave it out"),
        (" \n\t ", "has neither text"),
        ({}, "has neither text"),
        ({"text": None, "image": None}, "has neither text"),
        ({"role": "user", "content": []}, "has neither text"),
        (None, "None is of type NoneType, expected a text, an image, or a dict of both"),
        (float("nan"), "nan is of type float"),
        (7, "7 is of type int"),
        (("a query", "a document"), r"\('a query', 'a document'\) is of type tuple"),
        ([], r"\[\] is of type list"),
        ({"text": float("nan")}, "its text is of type float, expected str or None"),
        ({"text": b"red"}, "its text is of type bytes"),
        ({"image": float("nan")}, "nan is of type float, expected an image, its path, or an array"),
        ({"image": {}}, "is of type dict, expected an image"),
        ({"image": RED, "caption": "red"}, "holds caption, but ReT reads only 'text' and 'image'"),
        ({"audio": np.zeros(9), "video": "v.mp4", "text": "red"}, "holds audio, video, but ReT reads only"),
        ({"array": np.zeros(9), "sampling_rate": 9}, "holds array, sampling_rate"),
        ({"image": [RED, RED]}, "holds 2 images, but ReT reads one an input: split it"),
        ({"role": "user", "content": 3}, "a message's content is of type int"),
        ("https://example.org/red.png", "is an address, and nothing is fetched: give the image or its file"),
        ({"image": "http://example.org/red"}, "is an address, and nothing is fetched"),
        ({"image": "gone.png"}, "gone.png does not exist"),
        ("data:image/png;base64,%%%", "is no picture in base64"),
        ("data:image/png;base64,aGVsbG8=", "the image is not an image that can be read"),
        (np.zeros(160, np.float32), r"shape \(160,\), float32 is no image: .* sound and video are not read"),
        (torch.zeros(4, 3, 8, 8), r"shape \(4, 3, 8, 8\), float32 is no image"),
        (np.full((2, 2, 3), np.nan), r"real numbers must lie in \[0, 1\], and none be NaN"),
        (np.full((2, 2, 3), 1.5), r"real numbers must lie in \[0, 1\]"),
        (np.zeros((2, 2, 3), np.int64), "expected 1, 3 or 4 channels of uint8"),
        (np.zeros((2, 2, 7), np.uint8), "expected 1, 3 or 4 channels of uint8"),
        (np.full((2, 2, 3), None), "expected 1, 3 or 4 channels of uint8"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_clear_error(given, message):
    with pytest.raises(InputError, match=message) as error:
        read_input(given)
    assert len(str(error.value).splitlines()) == 1


def test_files_are_opened_only_up_to_a_size(path, monkeypatch):
    monkeypatch.setattr(inputs, "MAX_PIXELS", 599)
    with pytest.raises(InputError, match="599 allowed"):
        read_input(path)
    assert read_input(RED).image is RED  # in memory already
