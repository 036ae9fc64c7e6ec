"""Token sets: filling, pooling and stacking them changes no score, or as little as is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.encode.token_sets import filled, pooled, stacked, unit_length
from plait.index.multi_vector import MultiVectors
from plait.scoring.maxsim import maxsim


def random_set(size: int, seed: int = 0, width: int = 8):
    return unit_length(np.random.default_rng(seed).standard_normal((size, width)).astype(np.float32))


def test_unit_length_leaves_zeros_alone():
    assert unit_length(np.array([[3, 4], [0, 0]], np.float32)).tolist() == [
        [0.6000000238418579, 0.800000011920929],
        [0, 0],
    ]


@given(size=st.integers(1, 9), tokens=st.integers(9, 20), seed=st.integers(0, 99))
def test_a_filled_set_scores_as_before(size, tokens, seed):
    few, query = random_set(size, seed), random_set(5, seed + 100)
    full = filled(few, tokens)
    assert full.shape == (tokens, 8)
    assert full.dtype == np.float32
    np.testing.assert_allclose(maxsim(query[None], full[None]), maxsim(query[None], few[None]), atol=1e-6)


def test_an_empty_set_is_filled_with_zeros():
    assert filled(np.zeros((0, 3), np.float32), 2).tolist() == [[0, 0, 0], [0, 0, 0]]


@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_stacked_parts_score_as_each_alone(sizes, seed):
    parts = [random_set(size, seed + k) for k, size in enumerate(sizes)]
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(parts))).astype(np.float32)
    index = MultiVectors.of(
        [random_set(6, seed + 50 + k).reshape(2, 3, 8) for k in range(3)], tokens=3, width=8
    )
    alone = [index.scores(part[None], np.ones(1, np.float32)) for part in parts]
    found = index.scores(stacked(parts), weights)
    np.testing.assert_allclose(found, weights @ np.stack(alone), atol=1e-6)


def test_parts_of_one_size_are_stacked_as_they_are():
    parts = [random_set(3, seed) for seed in range(2)]
    assert np.array_equal(stacked(parts), np.stack(parts))


@pytest.mark.parametrize("copies", [10, 400])
def test_pooling_finds_the_vectors_that_were_repeated(copies):
    three = np.eye(3, 8, dtype=np.float32)
    found = pooled(np.repeat(three, copies, axis=0), 3)
    assert sorted(found.round(4).tolist()) == sorted(three.tolist())


@given(size=st.integers(2, 60), tokens=st.integers(1, 59), seed=st.integers(0, 99))
def test_pooling_gives_just_as_many_as_asked_for(size, tokens, seed):
    vectors = random_set(size, seed)
    found = pooled(vectors, tokens)
    assert len(found) == min(size, tokens)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    if size <= tokens:
        assert np.array_equal(found, vectors)


def test_more_vectors_than_are_clustered_at_once_are_pooled_too():
    found = pooled(random_set(3000), 20)
    assert found.shape == (20, 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_pooling_vectors_that_come_in_pairs_to_half_keeps_the_scores():
    pairs = np.repeat(random_set(32, width=16), 2, axis=0)
    document = unit_length(pairs + 0.1 * random_set(64, 2, width=16))
    queries = random_set(50, 1, width=16)[:, None]
    whole, half = (maxsim(queries, some[None]) for some in (document, pooled(document, 32)))
    np.testing.assert_allclose(half, whole, atol=0.05)
