"""Shares, worked by hand."""

from __future__ import annotations

import pytest

from plait.search.explaining.shares import shares


@pytest.mark.parametrize(
    ("falls", "expected"),
    [
        ({"a": 3.0, "b": 1.0}, {"a": 0.75, "b": 0.25}),
        ({"a": 3.0, "b": 1.0, "c": -2.0}, {"a": 0.75, "b": 0.25, "c": -0.5}),
        ({"a": 0.2}, {"a": 1.0}),
        ({"a": -0.2}, {"a": 1.0}),
        ({"a": -1.0, "b": -3.0}, {"a": -0.25, "b": -0.75}),
        ({"a": 0.0, "b": 0.0}, {"a": 0.5, "b": 0.5}),
        ({"a": 1.0, "b": 1e-9, "c": -1e-9}, {"a": 1.0, "b": 0.0, "c": 0.0}),
        ({}, {}),
    ],
)
def test_what_speaks_for_the_hit_sums_to_one_and_the_rest_is_on_the_same_scale(falls, expected):
    assert shares(falls) == pytest.approx(expected)
