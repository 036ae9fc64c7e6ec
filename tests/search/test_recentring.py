"""Groups of units moved to one centre."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from plait.search.recentring import centring

NAN = np.nan
WORDS, BOTH = 1, 3


def moved(lane: list[float], groups: list[int]) -> np.ndarray:
    said = np.array(lane, np.float32)
    return said + centring(np.array(groups, np.int8), lambda rows: said[rows])


def test_groups_get_the_mean_of_all_units() -> None:
    text = [*[0.1, 0.3] * 4, *[0.5, 0.7] * 8]  # means 0.2 and 0.6, of all 0.4667
    centre = (8 * 0.2 + 16 * 0.6) / 24
    found = moved(text, [WORDS] * 8 + [BOTH] * 16)
    assert_allclose(found, [centre - 0.1, centre + 0.1] * 12, atol=1e-6)


def test_a_group_alone_in_a_lane_stays() -> None:
    figures = [*[NAN] * 8, *[0.2] * 8]
    assert_allclose(moved(figures, [WORDS] * 8 + [BOTH] * 8), figures, atol=1e-7)


def test_a_small_group_stays_where_it_is_but_counts_for_the_centre() -> None:
    text = [*[0.1] * 20, *[0.9] * 7]
    found = moved(text, [WORDS] * 20 + [BOTH] * 7)
    assert_array_equal(found[20:], np.float32(0.9))
    assert_allclose(found[:20], np.mean(text), rtol=1e-5)


def test_units_without_a_score_are_left_alone_and_count_for_nothing() -> None:
    text = [*[0.1, NAN] * 8, *[0.3] * 8]
    found = moved(text, [WORDS] * 16 + [BOTH] * 8)
    assert_allclose(found[::2], [0.2] * 8 + [0.2] * 4, atol=1e-6)
    assert np.isnan(found[1:16:2]).all()
    assert np.isnan(moved([NAN] * 16, [WORDS] * 8 + [BOTH] * 8)).all()


def test_within_a_group_the_order_stays() -> None:
    text = np.random.default_rng(3).normal(size=40).astype(np.float32)
    found = moved(text.tolist(), [WORDS, BOTH] * 20)
    for half in (slice(0, None, 2), slice(1, None, 2)):
        assert_array_equal(np.argsort(found[half]), np.argsort(text[half]))
