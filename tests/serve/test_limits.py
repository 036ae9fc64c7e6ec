"""Rates are kept to the second by a clock of the test's own; places in flight are given back."""

from __future__ import annotations

import pytest

from plait.serve.limits import InFlight, Rate
from plait.serve.refusals import Refusal


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_what_comes_back() -> None:
    clock = Clock()
    rate = Rate(2.0, 3, clock=clock)
    assert [rate.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now += 0.25
    assert rate.take("a") == 0.25  # a refused request costs nothing
    clock.now += 0.25
    assert [rate.take("a"), rate.take("a")] == [0, 0.5]
    clock.now += 1000
    assert [rate.take("a") for _ in range(4)] == [0, 0, 0, 0.5]  # never more than a full bucket


def test_one_name_costs_another_nothing() -> None:
    rate = Rate(1.0, 1, clock=Clock())
    assert [rate.take("a"), rate.take("b"), rate.take("a")] == [0, 0, 1]


def test_a_flood_of_names_takes_no_more_memory_and_frees_nobody_who_still_asks() -> None:
    rate = Rate(1.0, 1, clock=Clock())
    rate.take("a")
    for number in range(10_000):
        rate.take(f"address {number}")
        assert rate.take("a") > 0
    assert len(rate._buckets) == 4096


def test_places_are_counted_of_each_and_of_all_and_given_back() -> None:
    places = InFlight(3, 2)
    with places.one("a"):
        with pytest.raises(ZeroDivisionError), places.one("a"):
            raise ZeroDivisionError
        with places.one("a"):
            with pytest.raises(Refusal) as own, places.one("a"):
                pass
            with places.one("b"), pytest.raises(Refusal) as every, places.one("c"):
                pass
    assert (own.value.status, own.value.kind) == (429, "TooMany")
    assert (every.value.status, every.value.kind) == (503, "Busy")
    assert int(own.value.headers["Retry-After"]) >= 1
    with places.one("a"), places.one("a"), places.one("c"):
        pass
