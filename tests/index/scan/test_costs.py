"""What is compared exactly at once, by the costs that searches measure."""

from __future__ import annotations

import time

import pytest

from plait.index.scan.costs import Costs


@pytest.mark.parametrize(
    ("units", "expected"),
    [(1, True), (192, True), (193, True), (380, True), (381, False), (100_000, False)],
)
def test_few_units_are_compared_exactly_at_once(units, expected):
    # 380 units: 380 * 10 us = 3.8 ms exactly; 1.5 ms + 380 * 1 us + 192 * 10 us = 3.8 ms by choosing.
    assert Costs(rough_seconds=1e-6, exact_seconds=1e-5).prefers_exact(units) is expected


def test_many_units_never_are_whatever_was_measured():
    assert Costs(rough_seconds=1.0, exact_seconds=1e-5).prefers_exact(4096)
    assert not Costs(rough_seconds=1.0, exact_seconds=1e-5).prefers_exact(4097)


def test_faster_measurements_count_at_once_and_slower_ones_little():
    costs = Costs(rough_seconds=1.0, exact_seconds=1e-9)
    with costs.rough(1000):
        pass
    assert costs.rough_seconds < 1e-3
    with costs.exact(1000):
        time.sleep(0.01)
    assert 1e-6 <= costs.exact_seconds < 1e-4  # a tenth of 10 us or more


def test_waiting_for_other_threads_makes_no_rough_score_dearer():
    costs = Costs(rough_seconds=1.0)
    with costs.rough(1000):
        time.sleep(0.05)
    assert costs.rough_seconds < 2e-5  # of the 50 us that passed a unit


def test_a_few_units_measure_nothing():
    costs = Costs(rough_seconds=1.0, exact_seconds=1.0)
    with costs.rough(31), costs.exact(31):
        pass
    assert (costs.rough_seconds, costs.exact_seconds) == (1.0, 1.0)
