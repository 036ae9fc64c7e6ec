"""Groups of units moved to one centre."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from plait.search.recentring import recentred

NAN = np.nan


def lane(*scores: float) -> np.ndarray:
    return np.array(scores, np.float32)


def test_groups_get_the_mean_of_all_units() -> None:
    text = lane(*[0.1, 0.3] * 4, *[0.5, 0.7] * 4)  # means 0.2 and 0.6, of all 0.4
    figures = lane(*[NAN] * 8, *[0.2] * 8)
    moved = recentred({"text": text, "figure_words": figures})
    assert_allclose(moved["text"], [0.3, 0.5] * 8, atol=1e-6)
    assert_allclose(moved["figure_words"], figures)  # one group only has them
    assert_allclose(text[:2], [0.1, 0.3])  # what was given stays


def test_a_small_group_stays_where_it_is() -> None:
    text = lane(*[0.1] * 20, *[0.9] * 7)
    figures = lane(*[NAN] * 20, *[0.2] * 7)
    moved = recentred({"text": text, "figure_words": figures})["text"]
    assert_array_equal(moved[20:], text[20:])
    assert_allclose(moved[:20], text.mean(), rtol=1e-5)


def test_words_and_units_without_a_score_are_left_alone() -> None:
    bm25 = lane(*[0.0] * 8, *[3.0] * 8)
    text = lane(*[0.1] * 8, *[NAN] * 8)
    moved = recentred({"text": text, "bm25": bm25, "image": lane(*[NAN] * 16)})
    assert_array_equal(moved["bm25"], bm25)
    assert_array_equal(np.isnan(moved["text"]), np.isnan(text))
    assert np.isnan(moved["image"]).all()


def test_within_a_group_the_order_stays() -> None:
    rng = np.random.default_rng(3)
    text = rng.normal(size=40).astype(np.float32)
    figures = np.where(np.arange(40) % 2, NAN, rng.normal(size=40)).astype(np.float32)
    moved = recentred({"text": text, "figure_words": figures})["text"]
    for half in (slice(0, None, 2), slice(1, None, 2)):
        assert_array_equal(np.argsort(moved[half]), np.argsort(text[half]))
