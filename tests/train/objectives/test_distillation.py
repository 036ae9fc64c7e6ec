"""Distillation: values by hand, and what it equals in sentence-transformers."""

from __future__ import annotations

import math

import pytest
import torch
from sentence_transformers.multi_vector_encoder.losses import (
    MultiVectorDistillKLDivLoss,
    MultiVectorMarginMSELoss,
)
from sentence_transformers.sentence_transformer.losses import DistillKLDivLoss, MarginMSELoss
from tests.train.objectives.made import given_model, targets_of, unit

from plait.errors import InputError, ShapeError
from plait.train.objectives.distillation import Distillation
from plait.train.objectives.targets import Targets

LN = math.log
NAN = float("nan")


def of_scores(objective, scores, grades, teacher):
    """Return the loss where each document has this score for its own query, and its gradient for them."""
    targets = targets_of(grades, teacher=teacher)
    documents = torch.full((len(scores), len(grades)), 9.0)  # for other queries, which must not matter
    documents[torch.arange(len(scores)), targets.owner] = torch.tensor(scores, dtype=torch.float32)
    documents.requires_grad_()
    loss = objective(torch.eye(len(grades)), documents, targets)
    loss.backward()
    return loss.item(), documents.grad


# --- by hand ---


def test_kl_by_hand():
    loss, gradient = of_scores(Distillation(), [LN(3), 0], [[1, 0]], [0, LN(3)])
    assert loss == pytest.approx(LN(1 / 3) / 4 + 3 * LN(3) / 4)  # 1/4, 3/4 against 3/4, 1/4
    torch.testing.assert_close(gradient[:, 0], torch.tensor([1 / 2, -1 / 2]))


def test_temperatures_by_hand():
    objective = Distillation(temperature=2.0, student_temperature=0.5)
    loss, _ = of_scores(objective, [LN(3) / 2, 0], [[1, 0]], [0, 2 * LN(3)])
    assert loss == pytest.approx((LN(1 / 3) / 4 + 3 * LN(3) / 4) / 4)


def test_kl_leaves_out_pairs_without_a_teachers_score_and_queries_with_one_alone():
    scores, teacher = [LN(3), 5, 0, 7, 8], [0, NAN, LN(3), 1, NAN]
    loss, gradient = of_scores(Distillation(), scores, [[1, 0, 0], [1, 0]], teacher)
    assert loss == pytest.approx(LN(1 / 3) / 4 + 3 * LN(3) / 4)
    assert (gradient != 0).any(1).tolist() == [True, False, True, False, False]


def test_margin_mse_by_hand():
    scores, teacher = [4, 1, 0, 2, 5], [1, 0, NAN, 3, 1]
    loss, gradient = of_scores(Distillation("margin_mse"), scores, [[1, 0, 0], [1, 0]], teacher)
    assert loss == pytest.approx(((3 - 1) ** 2 + (-3 - 2) ** 2) / 2)
    torch.testing.assert_close(gradient.sum(1), torch.tensor([2.0, -2, 0, -5, 5]))


def test_margin_mse_pairs_every_relevant_document_with_every_other():
    loss, _ = of_scores(Distillation("margin_mse"), [1, 2, 4, 8], [[1, 2, 0, 0]], [0, 0, 0, 0])
    assert loss == pytest.approx((3**2 + 7**2 + 2**2 + 6**2) / 4)


# --- equivalences ---


@pytest.fixture(params=[(3, 5), (5,)], ids=["tokens", "single"])
def batch(request):
    """Return columns for sentence-transformers, teacher scores, and the same for us."""
    columns = [unit(4, *request.param, seed=seed) for seed in range(4)]
    teacher = 3 * torch.randn(4, 3, generator=torch.Generator().manual_seed(9))
    documents = torch.stack(columns[1:], dim=1).flatten(0, 1)
    targets = targets_of([[1, 0, 0]] * 4, teacher=teacher.flatten().tolist())
    return [{"vectors": one} for one in columns], teacher, (columns[0], documents, targets)


def test_kl_equals_that_of_sentence_transformers(batch):
    columns, teacher, ours = batch
    single = columns[0]["vectors"].ndim == 2
    if single:
        theirs = DistillKLDivLoss(given_model(single=True), temperature=2.0)
        expected, objective = theirs(columns, teacher), Distillation(temperature=2.0)
    else:
        theirs = MultiVectorDistillKLDivLoss(given_model(), temperature=0.5, teacher_temperature=2.0)
        expected = theirs(columns, teacher)
        objective = Distillation(temperature=2.0, student_temperature=0.5)
    torch.testing.assert_close(objective(*ours), expected)


def test_margin_mse_equals_that_of_sentence_transformers(batch):
    columns, teacher, ours = batch
    single = columns[0]["vectors"].ndim == 2
    theirs = MarginMSELoss(given_model(single=True)) if single else MultiVectorMarginMSELoss(given_model())
    expected = theirs(columns, teacher[:, :1] - teacher[:, 1:])
    torch.testing.assert_close(Distillation("margin_mse")(*ours), expected)


@pytest.mark.parametrize("kind", ["kl", "margin_mse"])
def test_the_order_of_documents_changes_nothing(kind):
    targets = targets_of([[1, 0, 0], [2, 0]], teacher=[1.0, 0.5, NAN, 2.0, 3.0])
    queries, documents = unit(2, 3, 4), unit(5, 3, 4, seed=1)
    order = torch.tensor([3, 0, 4, 2, 1])
    moved = Targets.from_dict({name: values[order] for name, values in targets.to_dict().items()})
    objective = Distillation(kind)
    torch.testing.assert_close(
        objective(queries, documents[order], moved), objective(queries, documents, targets)
    )


# --- bad input ---


@pytest.mark.parametrize(
    ("kind", "teacher", "message"),
    [
        ("kl", [NAN, NAN, NAN], "two documents with teacher scores"),
        ("kl", [1.0, NAN, 1.0], "two documents with teacher scores"),
        ("margin_mse", [NAN, 1.0, 1.0], "a relevant document and another with teacher scores"),
    ],
)
def test_a_batch_that_teaches_nothing_is_refused(kind, teacher, message):
    targets = targets_of([[1, 0], [1]], teacher=teacher)
    with pytest.raises(InputError, match=message):
        Distillation(kind)(unit(2, 4), unit(3, 4), targets)


def test_options_out_of_range_are_refused():
    with pytest.raises(InputError, match="unknown kind of distillation 'mse': expected 'kl' or"):
        Distillation("mse")
    for value in (0.0, -1.0, math.inf, NAN):
        with pytest.raises(InputError, match="a temperature is"):
            Distillation(temperature=value)
        with pytest.raises(InputError, match="a temperature is"):
            Distillation(student_temperature=value)
    with pytest.raises(InputError, match="margin_mse has no temperature"):
        Distillation("margin_mse", temperature=2.0)


def test_sides_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="expected equal widths"):
        Distillation()(unit(2, 4), unit(2, 5), targets_of([[1], [1]]))


def test_its_options_are_told():
    assert Distillation(temperature=2.0).get_config_dict() == {
        "kind": "kl", "temperature": 2.0, "student_temperature": 2.0,
    }  # fmt: skip
    assert Distillation("margin_mse").get_config_dict() == {"kind": "margin_mse"}
