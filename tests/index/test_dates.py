"""ISO dates: which texts are dates, and how two of them compare."""

from __future__ import annotations

import operator
from datetime import date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.index.dates import dates


def known(*texts: str) -> list[bool]:
    return dates(pa.array(texts, pa.string())).known.tolist()


def compared(left: str, right: str) -> list[bool]:
    """Return whether left is <, <=, > and >= right."""
    one, other = (dates(pa.array([text])) for text in (left, right))
    return [bool(one.holds(getattr(operator, name), other)[0]) for name in ("lt", "le", "gt", "ge")]


BEFORE, SAME, AFTER = [True, True, False, False], [False, True, False, True], [False, False, True, True]


def test_years_months_days_and_times_are_dates():
    assert all(known("2024", "2024-05", "2024-05-01", "2024-05-01T10:00", "2024-05-01 10:00:30"))
    assert all(known("2024-05-01T10:00Z", "2024-05-01T10:00:30.25+02:00", "2024-05-01T00:00-0530"))


@pytest.mark.parametrize(
    "text",
    [
        *["", "20240", "202", "-2024", "2024-1-1", "2024-13", "2024-00", "2024-05-00", "2024\n", "٢٠٢٤"],
        *["2024-05-01T24:00", "2024-05-01T10:60", "2024-05-01T10:00:60", "2024-05-01T10", "2024-05-01Z"],
    ],
)
def test_nothing_else_is(text):
    assert known(text) == [False]


def test_missing_texts_and_none_at_all_are_no_dates():
    assert known() == []
    assert dates(pa.array([None, "2024"], pa.string())).known.tolist() == [False, True]


@given(st.integers(1, 9999), st.integers(0, 13), st.integers(0, 32))
def test_a_day_is_a_date_if_the_calendar_has_it(year, month, day):
    try:
        date(year, month, day)
        expected = True
    except ValueError:
        expected = False
    assert known(f"{year:04}-{month:02}-{day:02}") == [expected]


def test_leap_days():
    assert known("2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29") == [True, False, False, True]


@given(st.datetimes(min_value=datetime(1000, 1, 1)), st.datetimes(min_value=datetime(1000, 1, 1)))
def test_times_compare_by_the_second(left, right):
    left, right = left.replace(microsecond=0), right.replace(microsecond=0)
    expected = BEFORE if left < right else AFTER if left > right else SAME
    assert compared(left.isoformat(), right.isoformat(sep=" ")) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("2024-05-01", "2024", SAME),
        ("2024", "2024-05-01", SAME),
        ("2024-05-01", "2025", BEFORE),
        ("2024-05", "2024-04-30", AFTER),
        ("2024-05-01T10:00", "2024-05-01T10:00:59", SAME),
        ("2024-05-01T10:00:00.9Z", "2024-05-01T10:00:00.1+02:00", SAME),
    ],
)
def test_two_dates_compare_as_far_as_both_go(left, right, expected):
    assert compared(left, right) == expected
