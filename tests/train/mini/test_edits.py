"""Edits: what a query's picture has gone through."""

import numpy as np
import pytest
from PIL import Image

from plait.train.mini.edits import QUERY_STYLE, TRAINING_STYLE, edit


@pytest.fixture
def picture() -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8))


def test_the_same_generator_state_gives_the_same_pixels(picture: Image.Image) -> None:
    for style in (QUERY_STYLE, TRAINING_STYLE):
        one, two = (edit(picture, np.random.default_rng(5), style) for _ in range(2))
        assert one.tobytes() == two.tobytes()


def test_a_query_keeps_seven_tenths_of_the_area_before_it_is_rescaled(picture: Image.Image) -> None:
    for seed in range(20):
        edited = edit(picture, np.random.default_rng(seed), QUERY_STYLE)
        share = edited.width * edited.height / (300 * 200)
        assert 0.7 * 0.5**2 * 0.97 <= share <= 0.7 * 0.9**2 * 1.03
        assert edited.width / edited.height == pytest.approx(1.5, rel=0.03)


def test_an_edit_is_rgb_and_leaves_the_original_alone(picture: Image.Image) -> None:
    before = picture.tobytes()
    for seed in range(30):
        assert edit(picture, np.random.default_rng(seed)).mode == "RGB"
    assert picture.tobytes() == before


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (9, 3)])
def test_tiny_and_narrow_pictures_can_be_edited(size: tuple[int, int]) -> None:
    for seed in range(20):
        assert min(edit(Image.new("RGB", size, "red"), np.random.default_rng(seed)).size) >= 1
