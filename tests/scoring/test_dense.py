"""Inner products of single vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait.errors import ShapeError
from plait.scoring.dense import inner_products
from plait.scoring.maxsim import maxsim


def test_hand_worked_products():
    assert inner_products(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [0.0, -1.0]])).tolist() == [
        [11.0, -2.0]
    ]


def test_torch_equals_numpy_and_maxsim_of_one_token():
    rng = np.random.default_rng(0)
    queries, documents = rng.standard_normal((3, 5)), rng.standard_normal((4, 5))
    expected = inner_products(queries, documents)
    np.testing.assert_allclose(inner_products(torch.tensor(queries), torch.tensor(documents)), expected)
    np.testing.assert_allclose(maxsim(queries[:, None], documents[:, None]), expected)


@pytest.mark.parametrize(("queries", "documents"), [((2, 3), (2, 4)), ((2, 3, 3), (2, 3))])
def test_arrays_that_do_not_fit_are_refused(queries, documents):
    with pytest.raises(ShapeError):
        inner_products(np.ones(queries), np.ones(documents))
