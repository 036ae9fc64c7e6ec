"""The contrastive objective: official values, values by hand, equivalences and symmetries."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from tests.train.objectives.made import given_model, targets_of, unit

from plait.errors import InputError, ShapeError
from plait.train.losses import late_interaction_loss, single_vector_loss
from plait.train.objectives.contrastive import LEARNED_TEMPERATURES, Contrastive
from plait.train.objectives.targets import Targets

FIXTURES = Path(__file__).parents[2] / "fixtures" / "ret"
MODELS = ["clip_vit_b", "clip_vit_l", "variant_shared_pooled"]
LN = math.log
NAN = float("nan")


def of_scores(objective, rows, targets):
    """Return the loss of queries that score documents as the rows say, and its gradient for these scores."""
    documents = torch.tensor(rows, dtype=torch.float32).T.clone().requires_grad_()
    loss = objective(torch.eye(len(rows)), documents, targets)
    loss.backward()
    return loss.item(), documents.grad.T


def mass(targets, queries, **options):
    """Return (Q, N) the share of each document of a query's mass: what the gradient of equal scores shows."""
    number = len(targets.owner)
    _, gradient = of_scores(Contrastive(**options), torch.zeros(queries, number).tolist(), targets)
    return 1 / number - queries * gradient


# --- the official release ---


@pytest.mark.parametrize("model", MODELS)
def test_loss_and_gradients_are_the_official_ones(model):
    expected = load_file(FIXTURES / model / "expected.safetensors")
    labels = json.loads((FIXTURES / model / "meta.json").read_text())["labels"]
    query = expected["query.masked.normalized"].requires_grad_()
    document = expected["passage.masked.normalized"].requires_grad_()
    entity = torch.tensor([labels.index(label) for label in labels])
    loss = Contrastive()(query, document, Targets.pairs(entity))
    loss.backward()
    torch.testing.assert_close(loss, expected["loss"], rtol=0, atol=1e-5)
    torch.testing.assert_close(query.grad, expected["loss.grad_query"], rtol=0, atol=1e-6)
    torch.testing.assert_close(document.grad, expected["loss.grad_passage"], rtol=0, atol=1e-6)
    distinct = Contrastive()(query, document, Targets.pairs(torch.arange(8)))
    torch.testing.assert_close(distinct, expected["loss_unique_labels"], rtol=0, atol=1e-5)


# --- by hand ---


def test_graded_relevance_by_hand():
    # softmax 1/2, 1/4, 1/4; mass 2/3, 1/3, 0
    loss, gradient = of_scores(Contrastive(), [[LN(4), LN(2), LN(2)]], targets_of([[2, 1, 0]]))
    assert loss == pytest.approx(4 / 3 * LN(2))
    torch.testing.assert_close(gradient, torch.tensor([[1 / 2 - 2 / 3, 1 / 4 - 1 / 3, 1 / 4]]))


def test_temperature_by_hand():
    loss, _ = of_scores(Contrastive(temperature=0.5), [[LN(2), 0]], targets_of([[1, 0]]))
    assert loss == pytest.approx(LN(5 / 4))


def test_symmetry_with_hard_negatives_by_hand():
    targets = targets_of([[1, 0], [1]])
    rows = [[LN(2), 0, 0], [0, LN(3), LN(4)]]
    forwards = LN(2)  # 2 / 4 and 4 / 8
    assert of_scores(Contrastive(), rows, targets)[0] == pytest.approx(forwards)
    backwards = (LN(3 / 2) + LN(5 / 4)) / 2  # the hard negative's 1 and 3 count nowhere
    loss, _ = of_scores(Contrastive(symmetric=True), rows, targets)
    assert loss == pytest.approx((forwards + backwards) / 2)


def test_symmetry_with_duplicates_and_grades_by_hand():
    targets = targets_of([[2], [1]], entities=[7, 7])
    rows = [[LN(2), 0], [0, 0]]
    # masses of queries: 1/2, 1/2 each; of documents' queries: 2/3 and 1/3 each
    asking = (-(LN(2 / 3) + LN(1 / 3)) / 2 + LN(2)) / 2
    answering = (-(2 * LN(2 / 3) + LN(1 / 3)) / 3 + LN(2)) / 2
    loss, _ = of_scores(Contrastive(symmetric=True), rows, targets)
    assert loss == pytest.approx((asking + answering) / 2)


def test_false_negatives_leave_both_softmaxes_by_hand():
    targets = targets_of([[1, 0], [1]])
    rows = [[LN(2), 0, 0], [LN(5), 0, LN(4)]]  # the first document beats the second query's own
    asking = (LN(2) + LN(5 / 4)) / 2  # 2 / 4 and 4 / 5
    answering = (0 + LN(5 / 4)) / 2
    loss, gradient = of_scores(Contrastive(symmetric=True, false_negative_margin=0.0), rows, targets)
    assert loss == pytest.approx((asking + answering) / 2)
    assert gradient[1, 0] == 0


@pytest.mark.parametrize(("margin", "leaves"), [(0.0, False), (0.28, False), (0.3, True), (-1.0, False)])
def test_a_margin_says_how_near_a_false_negative_comes(margin, leaves):
    rows = [[LN(4), LN(3), 0]]  # 0.288 below
    _, gradient = of_scores(Contrastive(false_negative_margin=margin), rows, targets_of([[1, 0, 0]]))
    assert bool(gradient[0, 1] == 0) is leaves
    assert gradient[0, 2] > 0


def test_a_false_negative_is_measured_by_the_best_relevant_document():
    rows = [[LN(4), LN(2), LN(3)]]
    _, gradient = of_scores(Contrastive(false_negative_margin=0.0), rows, targets_of([[1, 1, 0]]))
    assert gradient[0, 2] > 0


def test_relevant_documents_never_leave():
    targets = targets_of([[2, 1], [1]], entities=[7, 8, 8])
    rows = [[0.0, LN(2), LN(5)], [LN(9), 0.0, LN(3)]]
    first = -(LN(1 / 8) / 2 + LN(2 / 8) / 4 + LN(5 / 8) / 4)  # all three are relevant
    second = -(LN(1 / 4) + LN(3 / 4)) / 2  # only the first document leaves
    loss, _ = of_scores(Contrastive(false_negative_margin=100.0), rows, targets)
    assert loss == pytest.approx((first + second) / 2)


def test_a_document_that_leaves_every_query_has_no_gradient():
    rows = [[0.0, 1.0, 0.0], [0.0, 1.0, 0.5]]
    objective = Contrastive(symmetric=True, false_negative_margin=0.0)
    loss, gradient = of_scores(objective, rows, targets_of([[1, 0], [1]]))
    assert math.isfinite(loss)
    assert gradient.isfinite().all()
    assert (gradient[:, 1] == 0).all()
    assert (gradient[:, [0, 2]] != 0).any()


def test_a_teachers_scores_decide_where_it_has_any():
    rows = [[1.0, 2.0, 0.0, 2.0]]
    targets = targets_of([[1, 0, 0, 0]], teacher=[10.0, 3.0, 11.0, NAN])
    _, gradient = of_scores(Contrastive(false_negative_margin=0.0), rows, targets)
    assert (gradient[0] == 0).tolist() == [False, False, True, True]
    nothing_to_compare = targets_of([[1, 0, 0, 0]], teacher=[NAN, 3.0, 11.0, NAN])
    _, gradient = of_scores(Contrastive(false_negative_margin=0.0), rows, nothing_to_compare)
    assert (gradient[0] == 0).tolist() == [False, True, False, True]


# --- equivalences ---


@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=6), symmetric=st.booleans())
@settings(max_examples=30, deadline=None)
def test_one_document_of_grade_1_each_is_the_loss_with_labels(labels, symmetric):
    entity = torch.tensor(labels)
    objective = Contrastive(symmetric=symmetric, temperature=0.5)
    queries, documents = unit(len(labels), 3, 5), unit(len(labels), 3, 5, seed=1)
    expected = late_interaction_loss(queries, documents, labels, symmetric=symmetric, scale=2.0)
    torch.testing.assert_close(objective(queries, documents, Targets.pairs(entity)), expected)
    queries, documents = queries[:, 0], documents[:, 0]
    expected = single_vector_loss(queries, documents, labels, symmetric=symmetric, scale=2.0)
    torch.testing.assert_close(objective(queries, documents, Targets.pairs(entity)), expected)


def columns_and_targets(shape):
    """Return queries, their positives and two hard negatives each, and the same as one batch."""
    queries, *documents = (unit(4, *shape, seed=seed) for seed in range(4))
    rows = torch.stack(documents, dim=1).flatten(0, 1)  # a query's documents together
    return (queries, *documents), (queries, rows, targets_of([[1, 0, 0]] * 4))


def test_token_vectors_equal_sentence_transformers_multiple_negatives_ranking():
    columns, batch = columns_and_targets((3, 5))
    theirs = MultiVectorMultipleNegativesRankingLoss(given_model(), scale=4.0)
    expected = theirs([{"vectors": vectors} for vectors in columns])
    torch.testing.assert_close(Contrastive(temperature=0.25)(*batch), expected)


@pytest.mark.parametrize("symmetric", [False, True])
def test_single_vectors_equal_sentence_transformers_multiple_negatives_ranking(symmetric):
    columns, batch = columns_and_targets((5,))
    options = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    theirs = MultipleNegativesRankingLoss(given_model(single=True), scale=4.0, **options if symmetric else {})
    expected = theirs([{"vectors": vectors} for vectors in columns], None)
    torch.testing.assert_close(Contrastive(temperature=0.25, symmetric=symmetric)(*batch), expected)


def test_half_precision_scores_are_summed_in_full():
    eye = torch.eye(2, dtype=torch.float16)
    loss = Contrastive()(eye, eye, targets_of([[1], [1]]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(LN(1 + math.exp(-1.0)), abs=1e-6)


# --- symmetries ---


@st.composite
def batches(draw):
    """Return grades of a few queries' documents, one above 0 each, and entities."""
    rows = st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0]), max_size=2)
    grades = [[draw(st.sampled_from([0.5, 1.0, 2.0])), *draw(rows)] for _ in range(draw(st.integers(1, 4)))]
    number = sum(map(len, grades))
    return grades, draw(st.lists(st.integers(0, 5), min_size=number, max_size=number))


@given(batch=batches(), seed=st.integers(0, 99), symmetric=st.booleans(), margin=st.sampled_from([None, 0.1]))
@settings(max_examples=60, deadline=None)
def test_the_order_of_queries_and_documents_changes_nothing(batch, seed, symmetric, margin):
    grades, entities = batch
    targets = targets_of(grades, entities=entities)
    queries, documents = unit(len(grades), 2, 4, seed=seed), unit(len(entities), 3, 4, seed=seed + 1)
    objective = Contrastive(symmetric=symmetric, false_negative_margin=margin)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(entities), generator=generator)
    new = torch.randperm(len(grades), generator=generator)  # query new[k] is the old k
    moved = {name: values[order] for name, values in targets.to_dict().items()}
    moved["owner"] = new[moved["owner"]]
    shuffled = objective(queries[new.argsort()], documents[order], Targets.from_dict(moved))
    torch.testing.assert_close(shuffled, objective(queries, documents, targets))


@given(batch=batches())
@settings(max_examples=60, deadline=None)
def test_the_mass_of_a_query_is_1_and_proportional_to_relevance(batch):
    grades, entities = batch
    targets = targets_of(grades, entities=entities)
    shares = mass(targets, len(grades))
    torch.testing.assert_close(shares.sum(1), torch.ones(len(grades)))
    relevance = targets.grades(len(grades))
    torch.testing.assert_close(shares, relevance / relevance.sum(1, keepdim=True), atol=1e-5, rtol=0)


def test_duplicates_share_the_mass():
    shares = mass(targets_of([[1, 0], [1], [1]], entities=[7, 8, 7, 9]), 3)
    expected = torch.tensor([[0.5, 0, 0.5, 0], [0.5, 0, 0.5, 0], [0, 0, 0, 1]])
    torch.testing.assert_close(shares, expected, atol=1e-6, rtol=0)


# --- temperature ---


def test_a_learned_temperature_has_the_gradient_of_its_logarithm():
    queries, documents, targets = unit(4, 3, 5), unit(8, 3, 5, seed=1), targets_of([[1, 0]] * 4)
    objective = Contrastive(temperature=0.3, learn_temperature=True, symmetric=True)
    objective(queries, documents, targets).backward()
    step = 1e-2
    ends = [
        Contrastive(temperature=0.3 * math.exp(sign * step), symmetric=True)(queries, documents, targets)
        for sign in (1, -1)
    ]
    slope = (ends[0] - ends[1]).item() / (2 * step)
    assert objective.log_temperature.grad.item() == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize(("strayed", "end"), [(1e-6, 0), (1e6, 1)])
def test_a_learned_temperature_that_strays_is_set_back_and_can_still_learn(strayed, end):
    objective = Contrastive(learn_temperature=True)
    objective.log_temperature.data.fill_(LN(strayed))
    objective(unit(3, 4), unit(3, 4, seed=1), targets_of([[1]] * 3)).backward()
    assert objective.temperature == pytest.approx(LEARNED_TEMPERATURES[end])
    assert objective.log_temperature.grad.abs() > 0


def test_a_fixed_temperature_is_no_weight():
    assert list(Contrastive(temperature=0.5).parameters()) == []
    assert Contrastive(temperature=0.5).get_config_dict() == {
        "symmetric": False, "temperature": 0.5, "learn_temperature": False, "false_negative_margin": None,
        "gather": True,
    }  # fmt: skip


# --- bad input ---


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, NAN])
def test_temperatures_out_of_range_are_refused(temperature):
    with pytest.raises(InputError, match="expected a finite number above 0"):
        Contrastive(temperature=temperature)
    with pytest.raises(InputError, match=r"expected 0\.01 to 100\.0 where it is learned"):
        Contrastive(temperature=0.001, learn_temperature=True)


@pytest.mark.parametrize("margin", [math.inf, NAN])
def test_margins_out_of_range_are_refused(margin):
    with pytest.raises(InputError, match=r"false_negative_margin is .*: expected a finite number"):
        Contrastive(false_negative_margin=margin)


def test_a_query_without_a_relevant_document_is_refused():
    with pytest.raises(InputError, match="1 of 2 queries have no relevant document, the first is 1"):
        Contrastive()(unit(2, 4), unit(3, 4), targets_of([[1], [0, 0]]))


def test_sides_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="targets are of 2 documents"):
        Contrastive()(unit(2, 4), unit(3, 4), targets_of([[1], [1]]))
