"""The paired randomisation test: worked by hand, exact and drawn alike, honest about its own errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import InputError
from plait.evaluation.compare import permutation
from plait.evaluation.compare.permutation import holm, permutation_test


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1.0], 1.0),  # +1 and -1 lie equally far from 0
        ([1.0, 1.0, 1.0], 2 / 8),  # +++ and ---
        ([3.0, 2.0, 1.0, -1.0], 6 / 16),  # sums 7, 5, 5, -5, -5, -7 of sixteen
        ([0.1, 0.1, 0.1, -0.1], 10 / 16),  # 0.4 twice, 0.2 eight times: but not one 0.2 in floating point
        ([0.5, -0.5], 1.0),
        ([0.0, 0.0], 1.0),
    ],
)
def test_small_cases_worked_by_hand(differences: list[float], p: float) -> None:
    found = permutation_test(differences)
    assert found.p == pytest.approx(p)
    assert found.exact


def test_queries_without_a_difference_change_nothing() -> None:
    values = [0.3, -0.1, 0.5, 0.25, -0.4]
    assert permutation_test([0.0, *values, 0.0]) == permutation_test(values)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([-1.0, -0.5, -1 / 3, 0.0, 0.2, 1 / 3, 1.0]), min_size=1, max_size=30))
def test_swapping_the_systems_leaves_p_as_it_is(differences: list[float]) -> None:
    swapped = permutation_test([-value for value in differences], draws=200)
    assert permutation_test(differences, draws=200) == swapped


def test_drawing_agrees_with_counting_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    cases = [rng.normal(mean, 1, 14).tolist() for mean in (0.0, 0.3, 0.6)]
    exact = [permutation_test(case) for case in cases]
    monkeypatch.setattr(permutation, "_ENUMERATED", 0)
    drawn = [permutation_test(case) for case in cases]
    assert not any(found.exact for found in drawn)
    for one, other in zip(exact, drawn, strict=True):
        assert other.p == pytest.approx(one.p, abs=4 * np.sqrt(one.p * (1 - one.p) / 20_000) + 1e-4)


def test_of_many_equal_differences_chance_gives_none_and_p_is_not_zero() -> None:
    found = permutation_test([0.1] * 200, draws=999)
    assert (found.p, found.exact, found.draws) == (1 / 1000, False, 999)


def test_drawing_in_small_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).normal(0.1, 1, 50).tolist()
    whole = permutation_test(values, draws=500)
    monkeypatch.setattr(permutation, "_BITS_AT_ONCE", 1000)
    assert permutation_test(values, draws=500) == whole
    assert permutation_test(values, draws=500, seed=1) != whole


@pytest.mark.parametrize(("queries", "draws"), [(12, 1), (60, 199)])
def test_where_nothing_differs_it_says_so_95_times_in_100(queries: int, draws: int) -> None:
    rng = np.random.default_rng(3)
    called = [
        permutation_test(rng.normal(0, 1, queries).tolist(), draws=draws, seed=n).p <= 0.05
        for n in range(600)
    ]
    assert 0.025 <= np.mean(called) <= 0.075  # 0.05 +- 2.8 standard errors


def test_a_difference_that_is_there_is_found() -> None:
    rng = np.random.default_rng(4)
    assert permutation_test(rng.normal(0.5, 1, 100).tolist()).p < 0.001


def test_holms_correction_worked_by_hand() -> None:
    # sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1 which may not be below the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("differences", "draws"), [([], 10), ([1.0], 0)])
def test_nothing_to_test_is_refused(differences: list[float], draws: int) -> None:
    with pytest.raises(InputError, match="expected a difference for each query and draws >= 1"):
        permutation_test(differences, draws=draws)
