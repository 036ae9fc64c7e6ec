"""Matryoshka: vectors cut by hand, and what it equals."""

from __future__ import annotations

import pytest
import torch
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss
from tests.train.objectives.made import given_model, targets_of, unit

from plait.errors import InputError, ShapeError
from plait.train.objectives.contrastive import Contrastive
from plait.train.objectives.matryoshka import Matryoshka, cut


def test_tokens_and_width_are_cut_and_made_of_unit_length_by_hand():
    vectors = torch.tensor([[[3.0, 4.0, 12.0], [0.0, 5.0, 12.0], [1.0, 0.0, 0.0]]])
    assert cut(vectors, tokens=2, width=2).tolist() == [[[pytest.approx(0.6), pytest.approx(0.8)], [0, 1]]]
    torch.testing.assert_close(cut(vectors, tokens=1, width=None), vectors[:, :1] / 13)
    torch.testing.assert_close(cut(vectors[:, 0], tokens=None, width=2), torch.tensor([[0.6, 0.8]]))
    torch.testing.assert_close(cut(vectors[:, 0], tokens=1, width=2), torch.tensor([[0.6, 0.8]]))
    assert cut(torch.zeros(1, 2, 3), tokens=1, width=1).tolist() == [[[0.0]]]


def test_the_loss_is_the_weighted_sum_over_sizes():
    queries, documents, targets = unit(4, 3, 6), unit(8, 3, 6, seed=1), targets_of([[1, 0]] * 4)
    objective = Contrastive(temperature=0.5)
    expected = objective(queries, documents, targets) + 0.25 * objective(
        *(torch.nn.functional.normalize(side[:, :2, :4], dim=-1) for side in (queries, documents)), targets
    )
    loss = Matryoshka(objective, [(None, None, 1.0), (2, 4, 0.25)])(queries, documents, targets)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("shape", [(3, 6), (6,)], ids=["tokens", "single"])
def test_the_full_size_alone_is_the_objective_itself(shape):
    queries, documents, targets = unit(3, *shape), unit(3, *shape, seed=1), targets_of([[1]] * 3)
    tokens = shape[0] if len(shape) == 2 else 1
    for size in ((None, None, 1.0), (tokens, 6, 1.0)):
        loss = Matryoshka(Contrastive(), [size])(queries, documents, targets)
        torch.testing.assert_close(loss, Contrastive()(queries, documents, targets))


def test_single_vectors_equal_sentence_transformers_matryoshka():
    queries, documents = unit(4, 6), unit(4, 6, seed=1)
    model = given_model(single=True)
    inner = MultipleNegativesRankingLoss(model, scale=4.0)
    theirs = MatryoshkaLoss(model, inner, matryoshka_dims=[6, 4, 2], matryoshka_weights=[1.0, 0.5, 0.25])
    expected = theirs([{"vectors": queries}, {"vectors": documents}], None)
    ours = Matryoshka(Contrastive(temperature=0.25), [(None, 6, 1.0), (None, 4, 0.5), (None, 2, 0.25)])
    torch.testing.assert_close(ours(queries, documents, targets_of([[1]] * 4)), expected)


def test_numbers_behind_the_cut_get_no_gradient():
    queries = unit(3, 3, 6).requires_grad_()
    Matryoshka(Contrastive(), [(2, 4, 1.0)])(queries, unit(3, 3, 6, seed=1), targets_of([[1]] * 3)).backward()
    assert (queries.grad[:, 2:] == 0).all()
    assert (queries.grad[:, :, 4:] == 0).all()
    assert (queries.grad[:, :2, :4] != 0).any()


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [
        ((3, 6), (4, 6, 1.0), "is 4 tokens x 6 wide, but the model gives 3 x 6"),
        ((3, 6), (2, 8, 1.0), "is 2 tokens x 8 wide, but the model gives 3 x 6"),
        ((6,), (2, 6, 1.0), "is 2 tokens x 6 wide, but the model gives 1 x 6"),
    ],
)
def test_sizes_larger_than_the_models_are_refused(shape, size, message):
    with pytest.raises(ShapeError, match=message):
        Matryoshka(Contrastive(), [size])(unit(2, *shape), unit(2, *shape), targets_of([[1], [1]]))


@pytest.mark.parametrize("size", [(0, 4, 1.0), (2, 0, 1.0), (2, 4, 0.0), (-1, 4, 1.0)])
def test_sizes_out_of_range_are_refused(size):
    with pytest.raises(InputError, match="all above 0"):
        Matryoshka(Contrastive(), [size])


def test_no_size_is_refused():
    with pytest.raises(InputError, match="Matryoshka has no sizes"):
        Matryoshka(Contrastive(), [])


def test_its_options_are_told():
    objective = Contrastive()
    config = Matryoshka(objective, [(2, 4, 1)]).get_config_dict()
    assert config == {"objective": objective, "sizes": ((2, 4, 1.0),)}
