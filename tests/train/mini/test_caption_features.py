"""What is kept of captioned pictures: each content once, none of the test set, the same in every run."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers.tiny_packages import drawing

from plait.encode.mini_towers import vision_weights
from plait.errors import InputError
from plait.model.mini.configuration_mini import VisionTower
from plait.model.mini.lite0 import EfficientNetLite0, load_lite0
from plait.model.mini.lite0_top import Lite0Top, load_lite0_top
from plait.train.mini.caption_features import Sighted, apart, edited, over_white, sight, trimmed
from plait.train.mini.captioned import Captioned

Opened = Callable[[], Image.Image]


@pytest.fixture(scope="module")
def towers() -> tuple[EfficientNetLite0, Lite0Top]:
    state = vision_weights(VisionTower())
    return load_lite0(state), load_lite0_top(state)


def named(title: str, opened: Opened) -> Captioned:
    return Captioned("set", title, title, (), opened)


def drawn(*seeds: int) -> list[Captioned]:
    return [named(f"drawing {seed}", lambda seed=seed: drawing(seed)) for seed in seeds]


def saved(picture: Image.Image, form: str, **how: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, form, **how)
    return Image.open(buffer).convert("RGBA")


# --- sight ---


def test_each_content_is_kept_once_and_blank_or_broken_ones_never(towers) -> None:
    def broken() -> Image.Image:
        raise InputError("too slim")

    pictures = [
        *drawn(1),
        named("the same again", lambda: drawing(1)),
        named("the same on white", lambda: over_white(drawing(1)).convert("RGBA")),
        named("blank", lambda: Image.new("RGBA", (64, 64), "white")),
        named("broken", broken),
        *drawn(2),
    ]
    seen = sight("set", pictures, *towers, views=2)
    assert seen.captions.titles == ("drawing 1", "drawing 2")
    assert seen.captions.features.shape == (2, 2, 1280)
    assert seen.thumbs.shape == (2, 24, 24)


def test_a_picture_of_too_many_pixels_is_left_out(towers, monkeypatch: pytest.MonkeyPatch) -> None:
    """openclipart has some of 231 million, from which Pillow shrinks back."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15_000)
    large = named("large", lambda: saved(Image.new("RGB", (200, 200), "red"), "PNG"))
    small = named("small", lambda: saved(drawing(1).resize((100, 100)), "PNG"))
    assert sight("set", [large, small], *towers, views=2).captions.titles == ("small",)


def test_features_depend_on_the_content_alone(towers) -> None:
    forth, back = sight("set", drawn(1, 2), *towers, views=2), sight("set", drawn(2, 1), *towers, views=2)
    assert np.array_equal(forth.captions.features, back.captions.features[::-1])
    assert np.array_equal(forth.thumbs, back.thumbs[::-1])


def test_the_first_of_two_views_is_the_picture_and_the_other_an_edit(towers) -> None:
    tower, top = towers
    two = sight("set", drawn(*range(8)), tower, top, views=2).captions.features
    one = sight("set", drawn(*range(8)), tower, top, views=1).captions.features
    plain = [np.allclose(one[row, 0], two[row, 0], atol=1e-2) for row in range(8)]
    assert one.shape == (8, 1, 1280)
    assert 0 < sum(plain) < 8  # of pictures seen once, some are edited
    assert not any(np.allclose(two[row, 0], two[row, 1], atol=1e-2) for row in range(8))


def test_what_is_seen_survives_a_file(towers, tmp_path: Path) -> None:
    seen = sight("set", drawn(3), *towers, views=1)
    seen.save(tmp_path / "set.npz")
    read = Sighted.read(tmp_path / "set.npz")
    assert (read.captions.source, read.captions.titles) == ("set", ("drawing 3",))
    assert np.array_equal(read.captions.features, seen.captions.features)
    assert np.array_equal(read.thumbs, seen.thumbs)


# --- apart ---


@pytest.mark.parametrize(
    "copied",
    [
        lambda picture: picture,
        lambda picture: saved(over_white(picture), "JPEG", quality=60),
        lambda picture: picture.resize((120, 120)),
        lambda picture: over_white(picture).quantize(48).convert("RGBA"),
    ],
    ids=["the same", "recompressed", "smaller", "fewer colours"],
)
def test_a_copy_of_a_test_picture_is_dropped_and_nothing_else(copied, towers) -> None:
    sources = sight("set", drawn(*range(12)), *towers, views=2)
    test = [named("stamp", lambda: copied(drawing(5))), named("another", lambda: drawing(90))]
    kept = apart(sources, sight("test", test, *towers, views=2))
    assert kept.titles == tuple(f"drawing {seed}" for seed in range(12) if seed != 5)
    rows = [row for row in range(12) if row != 5]
    assert np.array_equal(kept.features, sources.captions.features[rows])


# --- pictures ---


def test_what_is_drawn_stands_in_a_square_of_its_ground() -> None:
    picture = Image.new("RGB", (300, 200), (10, 200, 10))
    picture.paste((200, 0, 0), (100, 50, 200, 100))  # 100 x 50
    square = np.asarray(trimmed(picture)).astype(int)
    assert square.shape == (224, 224, 3)
    red = np.abs(square - [200, 0, 0]).max(2) < 30
    # the longer side fills all but 4 % at each end, the shorter half of that
    assert red.any(0).sum() == pytest.approx(224 / 1.08, abs=4)
    assert red.any(1).sum() == pytest.approx(224 / 2.16, abs=4)
    assert np.abs(square[0, 0] - [10, 200, 10]).max() <= 1


def test_a_picture_of_one_colour_is_not_trimmed() -> None:
    assert np.unique(np.asarray(trimmed(Image.new("RGB", (50, 40), (9, 9, 9))))).tolist() == [9]


def test_transparent_places_are_white() -> None:
    assert over_white(Image.new("RGBA", (2, 2), (255, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)
    assert over_white(Image.new("RGBA", (2, 2), (255, 0, 0, 255))).getpixel((0, 0)) == (255, 0, 0)


def test_an_edit_is_decided_by_its_generator_and_leaves_the_original_alone() -> None:
    picture = drawing(1)
    before = picture.tobytes()
    for seed in range(30):
        one, two = (edited(picture, np.random.default_rng(seed)) for _ in range(2))
        assert one.mode == "RGB"
        assert (one.size, one.tobytes()) == (two.size, two.tobytes())
    assert picture.tobytes() == before


def test_a_picture_without_any_pixel_drawn_can_be_edited() -> None:
    for seed in range(10):
        assert min(edited(Image.new("RGBA", (20, 20)), np.random.default_rng(seed)).size) > 0
