"""Captions put together where there are too many to remember."""

import numpy as np
import pytest

from plait.scoring.vectors import Vectors
from plait.train.mini.caption_groups import group_captions

EAST, NORTH, WEST = np.eye(3, dtype=np.float32)


def near(vector: Vectors, count: int, seed: int) -> Vectors:
    noise = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    return unit(vector + 0.02 * noise)


def unit(vectors: Vectors) -> Vectors:
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled


def test_few_captions_stay_as_they_are() -> None:
    words, looks = np.stack([EAST, NORTH]), np.stack([WEST, EAST])
    groups = group_captions(words, looks, np.array([1, 9]), most=2)
    assert np.array_equal(groups.words, words)
    assert np.array_equal(groups.looks, looks)
    assert groups.log_weights == pytest.approx([0.0, np.log(3)])


def test_what_is_called_the_same_and_looks_alike_becomes_one() -> None:
    words = np.concatenate([near(EAST, 30, 1), near(NORTH, 20, 2)])
    looks = np.concatenate([near(WEST, 30, 3), near(EAST, 20, 4)])
    groups = group_captions(words, looks, np.full(50, 2), most=4)
    assert len(groups.words) <= 4
    for of_words, of_looks in zip(groups.words, groups.looks, strict=True):
        called = np.argmax(np.stack([EAST, NORTH]) @ of_words)
        assert of_looks @ (WEST, EAST)[called] > 0.99
    pictures = np.exp(2 * groups.log_weights)
    assert pictures.sum() == pytest.approx(100, rel=1e-4)
    assert pictures[groups.words @ EAST > 0.9].sum() == pytest.approx(60, rel=1e-4)


def test_one_group_is_the_mean_that_weighs_by_the_root_of_the_pictures() -> None:
    groups = group_captions(np.stack([EAST, NORTH]), np.stack([WEST, EAST]), np.array([1, 9]), most=1)
    assert groups.words[0] == pytest.approx(np.array([1, 3, 0]) / 10**0.5, abs=1e-6)
    assert groups.looks[0] == pytest.approx(np.array([3, 0, 1]) / 10**0.5, abs=1e-6)
    assert groups.log_weights == pytest.approx([np.log(10) / 2])


def test_equal_captions_never_make_an_empty_group() -> None:
    words = np.tile(EAST, (8, 1))
    groups = group_captions(words, np.tile(WEST, (8, 1)), np.ones(8, np.int64), most=3)
    assert len(groups.words) == 1
    assert groups.log_weights == pytest.approx([np.log(8) / 2])
