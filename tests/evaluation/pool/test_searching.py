"""The best of a lane and its moments are those of a sort of all scores, however the pool is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.stored_vectors import stored, unit_vectors

from plait.evaluation.pool import vector_lane
from plait.evaluation.pool.bm25_lane import Bm25Lane
from plait.evaluation.pool.searching import top
from plait.evaluation.pool.vector_lane import VectorLane

WIDTH = 16
EVERY = np.arange(4)


def vectors(seed=3, candidates=600, width=WIDTH):
    """Return (4 queries, candidates): every tenth has nothing, every third is another's copy."""
    draw = np.random.default_rng(seed)
    counts = draw.integers(1, 5, candidates) * (np.arange(candidates) % 10 > 0)
    sides = unit_vectors(seed, counts.tolist(), width=width)
    for place in range(2, candidates, 3):
        sides[place] = sides[place - 2]
    return unit_vectors(seed + 1, [3, 1, 2, 0], width=width), sides


@pytest.fixture
def lane(tmp_path):
    queries, candidates = vectors()
    return VectorLane(
        "ret",
        stored(tmp_path, "queries", queries, width=WIDTH),
        [stored(tmp_path, "candidates", candidates, width=WIDTH)],
    )


def test_it_is_a_stable_sort_of_exact_scores(lane):
    found = top(lane, EVERY, k=50, moments=True)
    for row in range(3):
        scores = lane.pairs(row, np.arange(len(lane)))
        order = np.argsort(-scores, kind="stable")[:50]  # NaN goes last
        assert found.places[row].tolist() == order.tolist()
        np.testing.assert_array_equal(found.scores[row], scores[order])
        there = scores[~np.isnan(scores)].astype(np.float64)
        np.testing.assert_allclose(found.moments.mean[row], there.mean(), rtol=1e-6)
        np.testing.assert_allclose(found.moments.deviation[row], there.std(), rtol=1e-6)
    assert np.isneginf(found.scores[3]).all()  # asks nothing
    assert found.moments.mean[3] == 0


@settings(max_examples=8, deadline=None)
@given(
    numbers=st.integers(200, 4000),
    scores=st.integers(80, 2000),
    at_once=st.integers(1, 4),
    k=st.integers(1, 700),
)
def test_cutting_changes_no_bit(tmp_path_factory, numbers, scores, at_once, k):
    folder = tmp_path_factory.getbasetemp() / "cut"
    folder.mkdir(exist_ok=True)
    queries, candidates = vectors()
    asked = stored(folder, "queries", queries, width=WIDTH)
    pool = [stored(folder, "candidates", candidates, width=WIDTH)]
    whole = top(VectorLane("ret", asked, pool), EVERY, k=k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_lane, "_BLOCK_NUMBERS", numbers)
        patch.setattr(vector_lane, "_SCORES", scores)
        patch.setattr(vector_lane, "_MOST_QUERIES", at_once)
        cut = top(VectorLane("ret", asked, pool), EVERY, k=k)
    np.testing.assert_array_equal(cut.places, whole.places)
    np.testing.assert_array_equal(cut.scores, whole.scores)


def test_threads_change_no_bit(tmp_path):
    queries, candidates = vectors(candidates=3000, width=256)
    given = stored(tmp_path, "q", queries, width=256), stored(tmp_path, "c", candidates, width=256)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(top(VectorLane("ret", given[0], [given[1]]), EVERY, k=200))
    torch.set_num_threads(before)
    np.testing.assert_array_equal(found[0].places, found[1].places)
    np.testing.assert_array_equal(found[0].scores, found[1].scores)


def test_bm25_finds_only_what_shares_a_word_and_counts_all_in_its_moments():
    lane = Bm25Lane(["lion", "stone", "lion lion", "lion", ""], ["lion", "", "wheel"])
    found = top(lane, np.arange(3), k=5, moments=True)
    assert found.places[0, :3].tolist() == [2, 0, 3]
    assert np.isneginf(found.scores[0, 3:]).all()
    assert np.isneginf(found.scores[1:]).all()
    scores = lane.pairs(0, np.arange(5)).astype(np.float64)
    mean, deviation = (moment[0] for moment in found.moments)
    np.testing.assert_allclose([mean, deviation], [scores.mean(), scores.std()])


def test_it_says_how_far_it_is(lane):
    told = []
    top(lane, EVERY, k=3, watch=lambda done, total: told.append((done, total)))
    assert told[-1] == (3 * 600, 3 * 600)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_pool_without_candidates_gives_none():
    found = top(Bm25Lane([], ["lion"]), np.arange(1), k=5, moments=True)
    assert found.places.shape == (1, 0)
    assert found.moments.mean.tolist() == [0]
