"""MaxSim: NumPy = torch = a plain loop, for any shapes and masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import ShapeError
from plait.scoring.maxsim import maxsim


def unit(rng, *shape):
    vectors = rng.standard_normal(shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def by_loop(queries, documents, mask=None):
    scores = np.zeros((len(queries), len(documents)), np.float32)
    for k, query in enumerate(queries):
        for j, document in enumerate(documents):
            kept = document if mask is None else document[mask[j]]
            scores[k, j] = sum(max(float(a @ b) for b in kept) for a in query)
    return scores


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = [draw(st.integers(1, 5)) for _ in range(5)]
    queries, documents = unit(rng, size[0], size[1], size[4]), unit(rng, size[2], size[3], size[4])
    mask = rng.random((size[2], size[3])) < 0.6
    mask[:, 0] = True
    return queries, documents, mask


def test_hand_worked_scores():
    queries = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    documents = np.array([[[1.0, 0.0], [0.6, 0.8]], [[0.0, -1.0], [-1.0, 0.0]]])
    assert maxsim(queries, documents).tolist() == [[1.0 + 0.8, 0.0]]
    mask = np.array([[True, False], [True, True]])
    assert maxsim(queries, documents, mask).tolist() == [[1.0, 0.0]]


@given(problems())
def test_numpy_equals_torch_equals_a_plain_loop(problem):
    queries, documents, mask = problem
    tensors = [torch.from_numpy(x) for x in problem]
    for given_mask, tensor_mask in ((None, None), (mask, tensors[2])):
        expected = by_loop(queries, documents, given_mask)
        np.testing.assert_allclose(maxsim(queries, documents, given_mask), expected, atol=1e-5)
        np.testing.assert_allclose(maxsim(tensors[0], tensors[1], tensor_mask).numpy(), expected, atol=1e-5)


@given(problems())
def test_what_stands_at_padding_never_matters(problem):
    queries, documents, mask = problem
    changed = np.where(mask[..., None], documents, np.float32(np.nan))
    np.testing.assert_array_equal(maxsim(queries, changed, mask), maxsim(queries, documents, mask))


def test_masks_of_zeros_and_ones_equal_booleans():
    rng = np.random.default_rng(0)
    queries, documents = unit(rng, 2, 3, 4), unit(rng, 3, 5, 4)
    mask = rng.random((3, 5)) < 0.5
    np.testing.assert_array_equal(
        maxsim(queries, documents, mask), maxsim(queries, documents, mask.astype(int))
    )


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("tokens", [1, 7, 32])
def test_a_document_of_padding_only_scores_finitely_below_all_others(dtype, tokens):
    rng = np.random.default_rng(1)
    queries, documents = unit(rng, 2, tokens, 8).astype(dtype), unit(rng, 2, 3, 8).astype(dtype)
    mask = np.array([[True] * 3, [False] * 3])
    for scores in (
        maxsim(queries, documents, mask),
        maxsim(torch.from_numpy(queries), torch.from_numpy(documents), torch.from_numpy(mask)).numpy(),
    ):
        assert scores.dtype == dtype
        assert np.isfinite(scores).all()
        assert (scores[:, 1] < -9000).all()
        assert (scores[:, 0] >= -tokens).all()


def test_float16_agrees_with_float32():
    rng = np.random.default_rng(2)
    queries, documents = unit(rng, 3, 8, 16), unit(rng, 4, 6, 16)
    half = maxsim(queries.astype(np.float16), documents.astype(np.float16))
    np.testing.assert_allclose(half, maxsim(queries, documents), atol=2e-2)


def test_gradient_reaches_the_best_tokens_and_no_padding():
    queries = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    documents = torch.tensor([[[0.6, 0.8], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]], requires_grad=True)
    maxsim(queries, documents, torch.tensor([[True, False], [False, False]])).sum().backward()
    assert documents.grad.tolist() == [[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
    assert queries.grad[0, 0].tolist() == pytest.approx([0.6, 0.8])


def test_zero_query_tokens_add_nothing():
    rng = np.random.default_rng(3)
    queries, documents = unit(rng, 2, 3, 4), unit(rng, 3, 5, 4)
    longer = np.concatenate([queries, np.zeros((2, 2, 4), np.float32)], axis=1)
    np.testing.assert_allclose(maxsim(longer, documents), maxsim(queries, documents), atol=1e-6)


def test_no_documents_give_no_scores():
    assert maxsim(np.zeros((2, 3, 4)), np.zeros((0, 5, 4))).shape == (2, 0)


@pytest.mark.parametrize(
    ("queries", "documents", "mask", "message"),
    [
        ((2, 3, 4), (2, 3, 5), None, "queries have 4 dims, documents 5"),
        ((2, 4), (2, 3, 4), None, r"expected \(Q, q, d\)"),
        ((2, 3, 4), (2, 3, 4), (2, 4), r"the mask is \(2, 4\)"),
        ((2, 3, 4), (2, 0, 4), None, "no tokens"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(queries, documents, mask, message):
    with pytest.raises(ShapeError, match=message):
        maxsim(np.ones(queries), np.ones(documents), None if mask is None else np.ones(mask, bool))
