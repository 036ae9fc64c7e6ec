"""The ladder of ways to keep vectors: sizes, errors, and that keeping again changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from plait.scoring.keeping import kept, numbers_kept, restored
from plait.scoring.quantise import pooled
from plait.scoring.vectors import VectorField

RUNGS = ("float16", "int8", "pooled", "binary")
SHAPES = st.tuples(st.integers(0, 3), st.integers(1, 11), st.integers(1, 20))
NUMBERS = st.floats(-1, 1, width=16)


def unit_vectors(*shape, seed=0):
    raw = np.random.default_rng(seed).standard_normal(shape)
    return (raw / np.linalg.norm(raw, axis=-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ("rung", "size"), [("float16", 8192), ("int8", 4096), ("pooled", 1024), ("binary", 512)]
)
def test_a_rung_takes_what_it_says_for_32_vectors_of_128(rung, size):
    codes = kept(unit_vectors(2, 32, 128), rung)
    assert codes[0].nbytes == size
    field = VectorField("ret", 128, 32, "unit", "joint", rung)
    numbers, dtype = numbers_kept(rung, 128)
    assert codes.shape == (2, field.tokens_kept, numbers)
    assert codes.dtype == dtype
    assert restored(codes, rung, 128).shape == (2, field.tokens_kept, 128)


def test_int8_keeps_directions_worked_by_hand():
    vectors = np.array([[[0.6, -0.8, 0], [0, 0, 0], [1, 0, 0]]], np.float32)
    codes = kept(vectors, "int8")
    assert codes.tolist() == [[[95, -127, 0], [0, 0, 0], [127, 0, 0]]]
    length = (95**2 + 127**2) ** 0.5
    expected = [[[95 / length, -127 / length, 0], [0, 0, 0], [1, 0, 0]]]
    np.testing.assert_allclose(restored(codes, "int8", 3), expected, atol=5e-4)


def test_binary_keeps_signs_worked_by_hand():
    vectors = np.array([[[0.5, -0.5, 0.1, -0.7, 0.2, 0.2, 0.2, -0.1, 0.3]]], np.float32)
    codes = kept(vectors, "binary")
    assert codes.tolist() == [[[0b10101110, 0b10000000]]]
    signs = np.array([1, -1, 1, -1, 1, 1, 1, -1, 1])
    np.testing.assert_allclose(restored(codes, "binary", 9)[0, 0], signs / 3, atol=5e-4)


def test_pooled_keeps_the_centres_of_eight_groups():
    vectors = unit_vectors(3, 32, 16)
    left = restored(kept(vectors, "pooled"), "pooled", 16)
    assert left.shape == (3, 8, 16)
    np.testing.assert_allclose(left, pooled(vectors, 8), atol=6e-3)
    few = unit_vectors(3, 5, 16)
    np.testing.assert_allclose(restored(kept(few, "pooled"), "pooled", 16), few, atol=6e-3)


@pytest.mark.parametrize(("rung", "least"), [("float16", 0.999999), ("int8", 0.9998), ("binary", 0.7)])
def test_what_is_left_points_where_the_vector_did(rung, least):
    vectors = unit_vectors(50, 4, 128)
    left = restored(kept(vectors, rung), rung, 128).astype(np.float32)
    lengths = np.linalg.norm(left, axis=2)
    assert (np.einsum("ntd,ntd->nt", vectors, left) / lengths).min() > least
    np.testing.assert_allclose(lengths, 1, atol=2e-3)


@given(st.sampled_from(RUNGS), SHAPES.flatmap(lambda s: arrays.arrays(np.float32, s, elements=NUMBERS)))
def test_what_is_left_is_kept_again_as_the_very_same_codes(rung, vectors):
    codes = kept(vectors, rung)
    left = restored(codes, rung, vectors.shape[2])
    assert left.dtype == np.float16
    assert np.isfinite(left).all()
    np.testing.assert_array_equal(kept(left, rung), codes)
