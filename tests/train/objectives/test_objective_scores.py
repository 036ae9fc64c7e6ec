"""Scores in blocks equal scores at once, gradients included."""

from __future__ import annotations

import pytest
import torch
from tests.train.objectives.made import unit

from plait.errors import ShapeError
from plait.scoring.maxsim import maxsim
from plait.train.objectives import scores as module
from plait.train.objectives.scores import pair_scores, scores


@pytest.mark.parametrize("limit", [1, 3 * 7 * 2, 10**9])
def test_blocks_change_neither_scores_nor_gradients(monkeypatch, limit):
    monkeypatch.setattr(module, "MAX_SIMILARITIES", limit)
    results = []
    for score in (maxsim, scores):
        queries, documents = unit(5, 3, 4).requires_grad_(), unit(7, 2, 4, seed=1).requires_grad_()
        found = score(queries, documents)
        (found * unit(5, 7, seed=2)).sum().backward()
        results.append((found.detach(), queries.grad, documents.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_blocks_do_not_keep_the_similarities(monkeypatch):
    monkeypatch.setattr(module, "MAX_SIMILARITIES", 3 * 7 * 2)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda one: kept.append(one.numel()) or one, lambda one: one
    ):
        scores(unit(5, 3, 4).requires_grad_(), unit(7, 2, 4, seed=1))
    assert max(kept, default=0) < 5 * 3 * 7 * 2


@pytest.mark.parametrize("shape", [(3, 4), (4,)], ids=["tokens", "single"])
def test_scores_of_pairs_are_those_of_all(shape):
    queries, documents = unit(3, *shape), unit(5, *shape, seed=1)
    owner = torch.tensor([2, 0, 0, 1, 2])
    expected = scores(queries, documents)[owner, torch.arange(5)]
    torch.testing.assert_close(pair_scores(queries, documents, owner), expected)


def test_tokens_and_single_vectors_are_not_compared():
    for queries, documents in ((unit(2, 3, 4), unit(2, 4)), (unit(2, 4), unit(2, 3, 4))):
        with pytest.raises(ShapeError):
            scores(queries, documents)
