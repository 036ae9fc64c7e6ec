"""Bootstrap intervals: the mean in the middle, the same draw for the same seed, honest coverage."""

from __future__ import annotations

import numpy as np
import pytest

from plait.errors import InputError
from plait.evaluation import intervals
from plait.evaluation.intervals import bootstrap, bootstrap_all


def test_the_mean_is_the_mean_and_lies_inside() -> None:
    found = bootstrap([0.0, 1.0, 1.0, 0.0, 1.0])
    assert found.mean == pytest.approx(0.6)
    assert 0 <= found.low < 0.6 < found.high <= 1
    assert found.count == 5


def test_equal_values_leave_no_doubt() -> None:
    found = bootstrap([0.25] * 40)
    assert (found.low, found.mean, found.high) == (0.25, 0.25, 0.25)


def test_one_value_is_its_own_interval() -> None:
    assert (bootstrap([0.5]).low, bootstrap([0.5]).high) == (0.5, 0.5)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(1).random(50).tolist()
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3)
    assert bootstrap(values, seed=3) != bootstrap(values, seed=4)


def test_drawing_in_small_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random(50).tolist()
    whole = bootstrap(values, resamples=500)
    monkeypatch.setattr(intervals, "_NUMBERS_AT_ONCE", 173)
    assert bootstrap(values, resamples=500) == whole


def test_measures_of_the_same_queries_have_together_the_intervals_they_have_alone() -> None:
    rng = np.random.default_rng(5)
    values = {"a": rng.random(70).tolist(), "b": rng.binomial(1, 0.3, 70).tolist()}
    together = bootstrap_all(values, level=0.9, resamples=300, seed=2)
    assert list(together) == ["a", "b"]
    for name, of_measure in values.items():
        assert together[name] == bootstrap(of_measure, level=0.9, resamples=300, seed=2)
    assert bootstrap_all({}) == {}


def test_a_seed_gives_these_numbers_for_good() -> None:
    found = bootstrap([0.0, 0.5, 1.0, 1.0, 0.25, 0.0, 1.0, 0.75], seed=11)
    assert (found.mean, found.low, found.high) == (0.5625, 0.28125, 0.84375)


def test_measures_of_different_queries_are_refused() -> None:
    with pytest.raises(InputError, match=r"for each query, got \[1, 2\] values"):
        bootstrap_all({"a": [1.0], "b": [0.0, 1.0]})


def test_a_wider_level_gives_a_wider_interval() -> None:
    values = np.random.default_rng(2).random(60).tolist()
    narrow, wide = bootstrap(values, level=0.5), bootstrap(values, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_width_is_that_of_the_normal_law_for_many_values() -> None:
    values = np.random.default_rng(3).normal(0.5, 0.1, 4000).tolist()
    found = bootstrap(values)
    expected = 2 * 1.96 * float(np.std(values)) / np.sqrt(4000)
    assert found.high - found.low == pytest.approx(expected, rel=0.08)


def test_about_95_of_100_intervals_hold_the_true_mean() -> None:
    rng = np.random.default_rng(4)
    found = [bootstrap(rng.binomial(1, 0.4, 150).tolist(), resamples=400, seed=n) for n in range(200)]
    assert 0.90 <= np.mean([interval.low <= 0.4 <= interval.high for interval in found]) <= 0.99


def test_it_reads_in_hundredths() -> None:
    assert str(bootstrap([0.25] * 4)) == "25.0 [25.0, 25.0]"


@pytest.mark.parametrize("bad", [{"level": 0.0}, {"level": 1.0}, {"resamples": 0}])
def test_levels_and_resamples_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected 0 < level < 1"):
        bootstrap([1.0], **bad)  # type: ignore[arg-type]


def test_no_values_have_no_mean() -> None:
    with pytest.raises(InputError, match="no query was judged"):
        bootstrap([])
