"""Soft targets by hand, and what one process alone means for the contrastive loss."""

from __future__ import annotations

import math

import pytest
import torch

from plait.errors import ShapeError
from plait.scoring.contrastive import contrastive_loss, gather, soft_targets
from plait.scoring.dense import inner_products

CPU = torch.device("cpu")


def test_mass_is_shared_equally_between_documents_of_the_same_entity():
    targets = soft_targets(["a", "c"], ["a", "b", "a", "c"], device=CPU)
    assert targets.tolist() == [[0.5, 0.0, 0.5, 0.0], [0.0, 0.0, 0.0, 1.0]]


def test_a_hand_worked_loss():
    queries = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = contrastive_loss(queries, queries, score=inner_products, scale=2.0)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2.0)))
    same = contrastive_loss(queries, queries, ["a", "a"], score=inner_products, scale=2.0)
    assert same.item() == pytest.approx(math.log(1 + math.exp(-2.0)) + 1.0)


def test_without_a_process_group_gathering_changes_nothing():
    rows = torch.randn(3, 2, requires_grad=True)
    start, gathered = gather(rows)
    assert start == 0
    assert gathered is rows


def test_half_precision_scores_are_summed_in_full():
    queries = torch.eye(2, dtype=torch.float16)
    loss = contrastive_loss(queries, queries, score=inner_products)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1.0)), abs=1e-6)


def test_unequal_sides_are_refused():
    with pytest.raises(ShapeError, match="2 queries, 3 documents, 2 labels"):
        contrastive_loss(torch.ones(2, 1), torch.ones(3, 1), ["a", "b"], score=inner_products)
