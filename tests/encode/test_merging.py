"""Merging vectors: means by hand, clusters that stay themselves, no matter the order; whole documents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.helpers.tiny_encoder import TinyEncoder

from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.data.segmenting import units
from plait.encode.merging import encode_document, merge_vectors, weighted_mean
from plait.encode.mini import MiniEncoder
from plait.errors import ShapeError
from plait.schema import Passage, Query, Unit
from plait.scoring.maxsim import maxsim

HANDBOOK = Path(__file__).resolve().parents[2] / "examples" / "handbook"


def unit_vectors(*shape, seed=0):
    vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def score(queries, documents):
    return maxsim(queries, documents) / queries.shape[1]


PARTS = st.lists(
    arrays(np.float32, st.tuples(st.integers(0, 3), st.just(2), st.just(3)), elements=st.integers(-2, 2)),
    min_size=1,
    max_size=4,
).filter(lambda parts: any(part.size for part in parts))


def test_single_vectors_become_their_mean():
    parts = [np.array([[[1, 0]], [[0, 1]]], np.float32), np.array([[[0, 1]]], np.float32)]
    np.testing.assert_allclose(merge_vectors(parts, tokens=1), [[1 / 5**0.5, 2 / 5**0.5]], rtol=1e-6)


def test_clusters_become_their_means():
    """Two bundles, one about each axis, and a vector that stands alone."""
    bundles = np.array([[1, 0.1, 0], [1, -0.1, 0], [0, 1, 0.2], [0, 1, -0.2], [0, 0, -1]], np.float32)
    bundles /= np.linalg.norm(bundles, axis=1, keepdims=True)
    merged = merge_vectors([bundles[:3, None], bundles[3:, None]], tokens=3)
    expected = np.array([[1, 0, 0], [0, 1, 0], [0, 0, -1]], np.float32)
    assert sorted(map(tuple, merged.round(6))) == sorted(map(tuple, expected))


def test_a_part_that_has_room_is_returned_as_it_is():
    part = unit_vectors(1, 5, 8)
    assert np.array_equal(merge_vectors([part], tokens=5), part[0])
    merged = merge_vectors([part], tokens=7)
    assert np.array_equal(merged, np.concatenate([part[0], part[0, :1], part[0, :1]]))


def test_equal_vectors_collapse():
    part = unit_vectors(1, 3, 8)
    merged = merge_vectors([np.tile(part, (50, 1, 1))], tokens=4)
    assert {row.tobytes() for row in merged} == {row.tobytes() for row in part[0]}


def test_a_vector_weighs_as_often_as_it_occurs():
    often, once = np.array([[[1, 0]]], np.float32), np.array([[[0, 1]]], np.float32)
    merged = merge_vectors([often, often, often, once], tokens=1)
    np.testing.assert_allclose(merged, [[3 / 10**0.5, 1 / 10**0.5]], rtol=1e-6)


@settings(deadline=None)
@given(PARTS, st.integers(1, 6), st.randoms())
def test_any_parts_give_so_many_unit_vectors_in_any_order(parts, tokens, random):
    merged = merge_vectors(parts, tokens=tokens)
    assert merged.shape == (tokens, 3)
    assert merged.dtype == np.float32
    vectors = [vector for part in parts for vector in part.reshape(-1, 3)]
    if len(vectors) > tokens:
        random.shuffle(vectors)
        again = merge_vectors([np.stack(vectors)[:, None]], tokens=tokens)
        assert np.array_equal(again, merged)


def test_the_order_of_many_parts_does_not_matter():
    parts = [unit_vectors(k, 4, 16, seed=k) for k in (3, 1, 40, 7)]
    merged = merge_vectors(parts, tokens=6)
    np.testing.assert_allclose(np.linalg.norm(merged, axis=1), 1, atol=1e-6)
    assert np.array_equal(merge_vectors(parts[::-1], tokens=6), merged)
    assert len(np.unique(merged, axis=0)) == 6


def test_more_tokens_stand_for_the_parts_more_closely():
    parts = [unit_vectors(20, 4, 16)]
    nearest = [(parts[0] @ merge_vectors(parts, tokens=k).T).max(-1).mean() for k in (1, 4, 16, 64)]
    assert sorted(nearest) == nearest
    assert nearest[-1] > 0.9


@pytest.mark.parametrize(
    ("parts", "tokens", "message"),
    [
        ([], 1, "none of 0 parts"),
        ([np.zeros((0, 2, 3), np.float32)], 1, "none of 1 parts"),
        ([unit_vectors(2, 3)], 1, r"expected parts of \(items, tokens, d\)"),
        ([unit_vectors(1, 2, 3), unit_vectors(1, 2, 4)], 1, r"with one d, got"),
        ([unit_vectors(1, 2, 3)], 0, "tokens must be at least 1, got 0"),
    ],
)
def test_parts_that_cannot_be_merged_are_refused(parts, tokens, message):
    with pytest.raises(ShapeError, match=message):
        merge_vectors(parts, tokens=tokens)


def test_a_weighted_mean_has_unit_length():
    mean = weighted_mean(np.array([[1, 0], [0, 1]], np.float32), [3, 4])
    np.testing.assert_allclose(mean, [0.6, 0.8], rtol=1e-6)


def test_a_document_has_its_units_vectors_and_one_item_where_they_have_any():
    encoder = TinyEncoder()
    given = [
        Unit("d:0", "d", 0, "Title", passages=(Passage("red"), Passage("blue"))),
        Unit("d:1", "d", 1, "Title", passages=(Passage("green"),)),
    ]
    found = encode_document(encoder, given)
    for one, alone in zip(found.units, encoder.encode_units(given), strict=True):
        assert np.array_equal(one.fields["text"], alone.fields["text"])
    shapes = {name: values.shape for name, values in found.whole.fields.items()}
    assert shapes == {"text": (1, 1, 64), "image": (0, 1, 24), "image_tokens": (0, 4, 24)}
    expected = sum(
        encoder.encode_query(Query((word,))).fields["text"][0, 0] for word in ("red", "blue", "green")
    )
    np.testing.assert_allclose(found.whole.fields["text"][0, 0], expected / 3**0.5, rtol=1e-6)
    assert encode_document(encoder, []).units == []


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """The handbook's illustrated pages, encoded by plait-mini."""
    spool, encoder = tmp_path_factory.mktemp("spool"), MiniEncoder.load(threads=1)
    files = sorted(HANDBOOK.glob("0[1-7]*.*"))
    read = [read_in_process(f, source=f.name, spool=spool, limits=ReadLimits()) for f in files]
    return [encode_document(encoder, units(document)) for document in read]


@pytest.mark.parametrize("field", ["text", "image_tokens"])
def test_a_document_is_nearest_to_its_own_whole(documents, field):
    """Every passage and every figure of the handbook scores its own document highest."""
    wholes = np.concatenate([document.whole.fields[field] for document in documents])
    assert len(wholes) == len(documents) == 7
    for number, document in enumerate(documents):
        items = np.concatenate([vectors.fields[field] for vectors in document.units])
        assert score(items, wholes).argmax(1).tolist() == [number] * len(items)
