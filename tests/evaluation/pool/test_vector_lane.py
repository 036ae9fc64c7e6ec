"""A lane of stored vectors scores as MaxSim over everything does, in whatever pieces it reads."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from tests.helpers.stored_vectors import stored, unit_vectors

from plait.errors import InputError, ShapeError
from plait.evaluation.pool import vector_lane
from plait.evaluation.pool.vector_lane import VectorLane

WIDTH = 8
COUNTS = [1, 3, 0, 2, 2, 7, 1, 1, 0, 4, 3, 1, 20, 1, 1, 5, 0, 2, 6, 1]  # windows; some without any
ASKING = [2, 1, 0, 3]
EVERY = np.array([0, 1, 3])


@pytest.fixture
def sides(tmp_path):
    """Return a function that makes a lane of the queries, and of candidates in one store or several."""
    candidates = unit_vectors(1, COUNTS, width=WIDTH)

    def lane(*bounds, **options):
        cuts = [0, *bounds, len(COUNTS)]
        stores = [stored(tmp_path, f"{a}-{b}", candidates[a:b], width=WIDTH) for a, b in pairwise(cuts)]
        queries = stored(tmp_path, "queries", unit_vectors(2, ASKING, width=WIDTH), width=WIDTH)
        return VectorLane("ret", queries, stores, **options)

    return lane


def by_hand():
    """Return (queries, candidates), a plain loop over half-precision numbers."""
    queries, candidates = unit_vectors(2, ASKING, width=WIDTH), unit_vectors(1, COUNTS, width=WIDTH)
    scores = np.full((len(queries), len(candidates)), np.nan, np.float32)
    for row, query in enumerate(queries):
        for column, candidate in enumerate(candidates):
            if len(query) and len(candidate):
                one, other = (a.astype(np.float16).astype(np.float64) for a in (query, candidate))
                scores[row, column] = np.mean([max(o @ t for o in other) for t in one])
    return scores


def gathered(lane, queries=EVERY):
    """Return (queries, N) from all blocks."""
    blocks = list(lane.blocks(queries))
    assert [first for first, _ in blocks] == np.cumsum([0, *(b.shape[1] for _, b in blocks)])[:-1].tolist()
    return torch.cat([block for _, block in blocks], dim=1).numpy()


def test_blocks_and_pairs_say_what_a_plain_loop_says(sides):
    lane = sides()
    assert len(lane) == len(COUNTS)
    assert lane.asked.tolist() == [True, True, False, True]  # a query without a vector asks nothing
    np.testing.assert_allclose(gathered(lane), by_hand()[EVERY], rtol=1e-5, atol=1e-6)
    for query in EVERY:
        # Sums of products of halves are exact in double precision: equal, not only close.
        np.testing.assert_array_equal(lane.pairs(query, np.arange(len(COUNTS))), by_hand()[query])
        np.testing.assert_array_equal(
            lane.pairs(query, np.array([2, 5, 6, 12])), by_hand()[query, [2, 5, 6, 12]]
        )


@pytest.mark.parametrize("limit", ["_BLOCK_NUMBERS", "_SCORES", "_SIMILARITIES"])
def test_how_it_is_cut_changes_nothing(sides, monkeypatch, limit):
    whole = gathered(sides())
    monkeypatch.setattr(vector_lane, limit, 40)
    np.testing.assert_allclose(gathered(sides()), whole, rtol=1e-5, atol=1e-6)


def test_several_stores_are_one_pool(sides):
    lane = sides(3, 3, 11)  # one of them empty
    np.testing.assert_allclose(gathered(lane), by_hand()[EVERY], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(lane.pairs(3, np.array([1, 3, 12])), by_hand()[3, [1, 3, 12]])


@pytest.mark.parametrize("bounds", [(), (6,)])
def test_a_part_of_a_pool_is_numbered_for_itself(sides, bounds):
    rows = np.array([2, 3, 4, 7, 12, 19])
    lane = sides(*bounds, rows=rows)
    assert len(lane) == 6
    np.testing.assert_allclose(gathered(lane), by_hand()[np.ix_(EVERY, rows)], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(lane.pairs(1, np.array([1, 4, 5])), by_hand()[1, [3, 12, 19]])


def test_who_may_ask_is_limited_by_what_is_given(sides):
    assert sides(asked=np.array([True, False, True, True])).asked.tolist() == [True, False, False, True]


def test_vectors_that_are_no_whole_file_are_read_from_memory(sides, tmp_path):
    whole = stored(tmp_path, "whole", unit_vectors(1, COUNTS, width=WIDTH), width=WIDTH)
    part = type(whole)(whole.numbers[1:], whole.starts[1:] - 1, whole.states[1:], whole.contents[1:])
    queries = stored(tmp_path, "queries", unit_vectors(2, ASKING, width=WIDTH), width=WIDTH)
    lane = VectorLane("ret", queries, [part])
    np.testing.assert_array_equal(lane.pairs(0, np.arange(19)), by_hand()[0, 1:])


def test_a_file_that_was_cut_off_is_named(sides, tmp_path):
    lane = sides()
    with (tmp_path / "0-20.vectors").open("rb+") as file:
        file.truncate(100)
    with pytest.raises(InputError, match=r"0-20\.vectors ends early"):
        gathered(lane)


def test_sides_that_do_not_fit_are_refused(tmp_path):
    one = stored(tmp_path, "one", unit_vectors(1, [1], width=8), width=8)
    other = stored(tmp_path, "other", unit_vectors(1, [1], width=4), width=4)
    with pytest.raises(ShapeError, match="queries have 8 dims, candidates 4"):
        VectorLane("ret", one, [other])
    with pytest.raises(ShapeError, match="stores of one width"):
        VectorLane("ret", one, [one, other])
    with pytest.raises(ShapeError, match="ascending rows within 1 sides"):
        VectorLane("ret", one, [one], rows=np.array([0, 1]))
