"""Finding rows in segments: each is found once or nowhere, as a plain search would say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from plait.index.scan.scan_lookup import absent, located

KEYS = st.integers(0, 30) | st.integers(0, 2**64 - 1)


@dataclass(frozen=True)
class Held:
    keys: NDArray[np.uint64]


@given(st.lists(KEYS, max_size=40), st.lists(st.lists(KEYS, max_size=20), max_size=4))
def test_rows_are_found_where_a_plain_search_finds_them_first(keys, segments):
    found = located(np.array(keys, np.uint64), [Held(np.array(held, np.uint64)) for held in segments])
    expected, nowhere = _searched(keys, segments)
    assert [list(zip(s.units.tolist(), s.rows.tolist(), strict=True)) for s in found.shares] == expected
    assert found.nowhere.tolist() == nowhere


@given(st.lists(KEYS, max_size=40), st.lists(st.lists(KEYS, max_size=20), max_size=4))
def test_absent_keys_are_those_in_no_segment(keys, segments):
    missing = absent(np.array(keys, np.uint64), [Held(np.array(held, np.uint64)) for held in segments])
    assert missing.tolist() == [key for key in keys if not any(key in held for held in segments)]


def test_a_hundred_thousand_rows_in_many_segments_are_all_found():
    keys = np.random.default_rng(0).integers(0, 1 << 64, 100_000, np.uint64)
    asked = np.random.default_rng(1).permutation(keys)
    segments = [Held(part) for part in np.split(keys, [7, 50_000, 50_000, 99_000])]
    found = located(asked, segments)
    assert len(found.nowhere) == 0
    for segment, share in zip(segments, found.shares, strict=True):
        assert np.array_equal(asked[share.rows], segment.keys)
        assert np.array_equal(share.units, np.arange(len(segment.keys)))


def test_without_segments_all_rows_are_nowhere():
    found = located(np.array([3, 1, 2], np.uint64), [])
    assert found.shares == ()
    assert found.nowhere.tolist() == [0, 1, 2]


def _searched(keys: list[int], segments: list[list[int]]) -> tuple[list[list[tuple[int, int]]], list[int]]:
    """Return the (unit, row) pairs of each segment, and the rows in none; of equal rows one is found."""
    pairs: list[list[tuple[int, int]]] = [[] for _ in segments]
    nowhere = []
    for row, key in enumerate(keys):
        place = next((place for place, held in enumerate(segments) if key in held), None)
        if place is None or key in keys[row + 1 :]:
            nowhere.append(row)
        else:
            pairs[place].append((segments[place].index(key), row))
    return [sorted(one) for one in pairs], nowhere
