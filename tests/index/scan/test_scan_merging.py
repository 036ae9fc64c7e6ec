"""Which files are merged: few files, each vector written about twice, and nothing dead kept for long."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.scan_files import piece

from plait.index.scan.scan_merging import blocks_of, regrouped
from plait.index.scan.segment import Segment

SIZES = st.integers(0, 40) | st.integers(3000, 70_000)


def test_eight_files_of_one_size_become_one():
    assert regrouped([5] * 7, [5] * 7) == []
    assert regrouped([5] * 8, [5] * 8) == [[0, 1, 2, 3, 4, 5, 6, 7]]


def test_files_of_other_sizes_stay_apart():
    assert regrouped([5] * 7 + [8], [5] * 7 + [8]) == []


def test_a_merged_file_may_complete_the_next_eight_in_one_step():
    alive = [8] * 7 + [1] * 8
    [group] = regrouped(alive, alive)
    assert sorted(group) == list(range(15))


def test_no_merge_passes_the_largest_size():
    alive = [20_000] * 9  # three fit into 65,536; six are left, fewer than eight
    assert [len(group) for group in regrouped(alive, alive)] == [3]


@pytest.mark.parametrize(
    ("dead", "purge", "rewritten"), [(2, False, 0), (3, False, 1), (1, True, 1), (0, True, 0)]
)
def test_a_file_is_written_anew_past_a_fifth_dead_or_any_when_purging(dead, purge, rewritten):
    assert len(regrouped([10], [10 - dead], purge=purge)) == rewritten


@given(st.lists(st.tuples(SIZES, st.floats(0, 1)), max_size=60), st.booleans())
def test_afterwards_nothing_is_left_to_do(files, purge):
    units = [size for size, _ in files]
    alive = [round(size * share) for size, share in files]
    groups = regrouped(units, alive, purge=purge)
    taken = [place for group in groups for place in group]
    assert len(taken) == len(set(taken))
    assert all(alive[place] for place in taken)
    assert all(len(group) == 1 or sum(alive[i] for i in group) <= 65_536 for group in groups)
    left = [place for place in range(len(units)) if place not in taken and alive[place]]
    dead = [units[place] - alive[place] for place in left]
    assert all(not gone or (not purge and gone <= 0.2 * units[i]) for i, gone in zip(left, dead, strict=True))
    after = [sum(alive[i] for i in group) for group in groups]
    assert regrouped([units[i] for i in left] + after, [alive[i] for i in left] + after, purge=purge) == []


@pytest.mark.parametrize("at_once", [1, 100, 4096, 10_000])
def test_loading_a_million_units_leaves_few_files_and_writes_each_about_twice(at_once):
    files: list[int] = []
    written = 0
    total = min(1_000_000, 5_000 * at_once)
    for _ in range(total // at_once):
        files.append(at_once)
        written += at_once
        groups = regrouped(files, files)
        merged = [sum(files[i] for i in group) for group in groups]
        taken = {i for group in groups for i in group}
        files = [size for i, size in enumerate(files) if i not in taken] + merged
        written += sum(merged)
    assert len(files) <= total / 32_768 + 7 * 5
    levels = np.log(min(total, 32_768) / at_once) / np.log(8)
    assert written <= (2 + levels) * total
    if at_once >= 4096:
        assert written <= 2 * total


def test_blocks_hold_the_units_asked_for_and_no_more():
    keys, sizes, vectors = piece(range(3000), [index % 4 for index in range(3000)])
    segment = Segment.of(keys, np.cumsum([0, *sizes]), vectors)
    units = np.flatnonzero(keys % 3 > 0)
    blocks = list(blocks_of(segment, units))
    assert len(blocks) > 2
    assert max(len(block.vectors) for block in blocks) <= 1024 + 3
    assert np.array_equal(np.concatenate([block.keys for block in blocks]), keys[units])
    assert np.array_equal(np.concatenate([block.sizes for block in blocks]), sizes[units])
    kept = np.isin(np.repeat(keys, sizes), keys[units])
    assert np.array_equal(np.concatenate([block.vectors for block in blocks]), vectors[kept])
    assert np.array_equal(np.concatenate([block.planes for block in blocks], axis=1), segment.planes[:, kept])
    assert np.array_equal(np.concatenate([block.scales for block in blocks]), segment.scales[kept])
