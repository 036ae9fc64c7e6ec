"""Pooled and rounded vectors stay near those they stand for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.scoring.quantise import int8, pooled


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@st.composite
def items(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = [draw(st.integers(low, high)) for low, high in ((1, 4), (1, 9), (2, 8))]
    return unit(random.standard_normal(shape))


def test_two_bundles_are_pooled_to_their_directions():
    item = unit(np.array([[[1, 0.1, 0], [1, -0.1, 0], [0, 0.1, 1], [0, -0.1, 1]]]))
    centres = pooled(item, 2)[0]
    assert sorted(np.round(centres, 6).tolist()) == [[0, 0, 1], [1, 0, 0]]


@settings(deadline=None)
@given(items(), st.integers(1, 5))
def test_pooled_vectors_are_of_unit_length_and_no_more_than_asked(vectors, count):
    centres = pooled(vectors, count)
    assert centres.shape == (len(vectors), min(count, vectors.shape[1]), vectors.shape[2])
    np.testing.assert_allclose(np.linalg.norm(centres, axis=2), 1, atol=1e-5)


@settings(deadline=None)
@given(items(), st.integers(1, 5))
def test_an_item_is_pooled_the_same_alone_and_among_others(vectors, count):
    alone = np.concatenate([pooled(vectors[[k]], count) for k in range(len(vectors))])
    np.testing.assert_array_equal(pooled(vectors, count), alone)


def test_more_pooled_vectors_lie_nearer_to_the_tokens():
    """Of most items: the best grouping is not found of each."""
    vectors = unit(np.random.default_rng(0).standard_normal((500, 12, 8)))
    counts = (1, 2, 3, 4, 8)
    near = [(vectors @ pooled(vectors, n).transpose(0, 2, 1)).max(axis=2).mean(axis=1) for n in counts]
    for fewer, more in pairwise(near):
        assert (more > fewer).mean() > 0.95
        assert more.mean() > fewer.mean() + 0.04


def test_many_items_are_pooled_in_pieces_like_few():
    vectors = unit(np.random.default_rng(0).standard_normal((1003, 5, 4)))
    np.testing.assert_array_equal(pooled(vectors, 2)[998:], pooled(vectors[998:], 2))


def test_few_vectors_are_kept_as_they_are_in_float32():
    vectors = unit(np.random.default_rng(1).standard_normal((2, 3, 4))).astype(np.float16)
    for count in (3, 4):
        kept = pooled(vectors, count)
        assert kept.dtype == np.float32
        np.testing.assert_array_equal(kept, vectors)


def test_equal_vectors_and_vectors_of_zeros_are_pooled_without_dividing_by_zero():
    same = np.tile(unit(np.array([1.0, 2.0, 2.0])), (1, 4, 1))
    np.testing.assert_allclose(pooled(same, 3), same[:, :3], atol=1e-6)
    assert not pooled(np.zeros((2, 4, 3), np.float32), 2).any()


def test_no_items_are_pooled_to_none():
    assert pooled(np.empty((0, 4, 3), np.float16), 2).shape == (0, 2, 3)


@settings(deadline=None)
@given(items(), st.sampled_from([1e-6, 0.3, 1.0, 900.0]))
def test_rounding_errs_by_at_most_half_a_step(vectors, length):
    codes, scales = int8(vectors * np.float32(length))
    assert codes.dtype == np.int8
    assert np.abs(codes.astype(int)).max() == 127
    error = np.abs(codes * scales[:, None, None] - vectors * np.float32(length))
    assert (error <= 0.501 * scales[:, None, None]).all()


def test_hand_worked_codes():
    codes, scales = int8(np.array([[[1.27, -0.01], [0.5, 0.004]], [[0, 0], [0, 0]]], np.float32))
    assert codes.tolist() == [[[127, -1], [50, 0]], [[0, 0], [0, 0]]]
    assert scales.tolist() == pytest.approx([0.01, 0])


@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3)])
def test_nothing_is_rounded_to_nothing(shape):
    codes, scales = int8(np.empty(shape, np.float32))
    assert codes.shape == shape
    assert scales.tolist() == [0] * shape[0]
