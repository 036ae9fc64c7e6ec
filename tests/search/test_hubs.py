"""Hubs, told by a bank of queries."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from plait.errors import InputError
from plait.search.hubs import Hubs

NAN = np.nan


def bank(*rows: list[float]) -> list[tuple[str, np.ndarray]]:
    return [("text", np.array(rows, np.float32))]


def test_a_unit_is_held_back_by_its_mean_over_the_nearest_of_the_bank() -> None:
    hubs = Hubs.of(bank([0.9, 0.1], [0.7, 0.3], [0.0, 0.0]), nearest=2)  # means 0.8 and 0.2, of both 0.5
    assert_allclose(hubs.excess["text"], [0.3, -0.3], atol=1e-6)
    assert_allclose(hubs.moves(["text"], strength=0.5)["text"], [-0.15, 0.15], atol=1e-6)


def test_a_query_made_of_the_unit_itself_does_not_count() -> None:
    hubs = Hubs.of(bank([NAN, 0.2], [0.4, NAN]))
    assert_allclose(hubs.excess["text"], [0.1, -0.1], atol=1e-6)


def test_what_the_bank_knows_nothing_of_stays() -> None:
    hubs = Hubs.of(bank([NAN, 0.2, 0.4]))
    moves = hubs.moves(["text", "image"], strength=1.0)
    assert list(moves) == ["text"]
    assert_allclose(moves["text"], [0, 0.1, -0.1], atol=1e-6)


def test_equal_units_stay_equal() -> None:
    assert_allclose(Hubs.of(bank([0.4] * 5, [0.1] * 5)).excess["text"], 0, atol=1e-7)


def test_a_bank_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="query"):
        Hubs.of([("text", np.empty((0, 3), np.float32))])
