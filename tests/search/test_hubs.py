"""Hubs, told by a bank of queries."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from plait.errors import InputError, ShapeError
from plait.search.hubs import Hubs

NAN = np.nan


def scores(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_a_unit_is_held_back_by_its_mean_over_the_nearest_of_the_bank() -> None:
    bank = scores([0.9, 0.1], [0.7, 0.3], [0.0, 0.0])
    hubs = Hubs.of({"text": bank}, nearest=2)  # means 0.8 and 0.2, of both 0.5
    assert_allclose(hubs.excess["text"], [0.3, -0.3], atol=1e-6)
    held_back = hubs.suppressed({"text": scores([0.5, 0.4])[0]}, strength=0.5)
    assert_allclose(held_back["text"], [0.35, 0.55], atol=1e-6)


def test_a_query_made_of_the_unit_itself_does_not_count() -> None:
    hubs = Hubs.of({"text": scores([NAN, 0.2], [0.4, NAN])})
    assert_allclose(hubs.excess["text"], [0.1, -0.1], atol=1e-6)


def test_what_the_bank_knows_nothing_of_stays() -> None:
    hubs = Hubs.of({"text": scores([NAN, 0.2, 0.4])})
    lanes = {"text": scores([NAN, 0.5, 0.5])[0], "bm25": scores([1.0, 2.0, 3.0])[0]}
    held_back = hubs.suppressed(lanes)
    assert hubs.excess["text"][0] == 0
    assert np.isnan(held_back["text"][0])
    assert held_back["text"][1] > held_back["text"][2]
    assert_array_equal(held_back["bm25"], lanes["bm25"])


def test_equal_units_stay_equal() -> None:
    hubs = Hubs.of({"text": scores([0.4] * 5, [0.1] * 5)})
    assert_allclose(hubs.excess["text"], 0, atol=1e-7)


def test_a_bank_of_nothing_or_of_another_library_is_refused() -> None:
    with pytest.raises(InputError, match="query"):
        Hubs.of({"text": np.empty((0, 3), np.float32)})
    hubs = Hubs.of({"text": scores([0.1, 0.2])})
    with pytest.raises(ShapeError, match="knows 2 units, the lane text has 3"):
        hubs.suppressed({"text": np.zeros(3, np.float32)})
