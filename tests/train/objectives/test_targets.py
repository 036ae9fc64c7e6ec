"""Targets: what they refuse, how they travel, and what is relevant to what."""

from __future__ import annotations

import pytest
import torch
from tests.train.objectives.made import targets_of, unit

from plait.errors import ShapeError
from plait.train.objectives.targets import Targets

NAN = float("nan")


def test_a_batch_label_comes_back_as_it_went():
    targets = targets_of([[1, 0], [2]], entities=[5, 6, 5], teacher=[0.5, NAN, 0.25])
    again = Targets.from_dict(targets.to_dict())
    for name, values in targets.to_dict().items():
        torch.testing.assert_close(getattr(again, name), values, equal_nan=True)


def test_own_documents_have_their_grades_and_others_those_of_their_entity():
    targets = targets_of([[2, 0, 1], [3], [1, 1]], entities=[7, 8, 9, 7, 8, 9])
    assert targets.grades(3).tolist() == [
        [2, 0, 1, 2, 0, 1],  # the one about 8 is a hard negative here, wherever it stands
        [3, 0, 0, 3, 0, 0],
        [0, 1, 1, 0, 1, 1],
    ]


def test_the_highest_grade_of_an_entity_counts_for_others_documents_not_for_own_ones():
    targets = targets_of([[2, 1], [1]], entities=[7, 7, 7])
    assert targets.grades(2).tolist() == [[2, 1, 2], [1, 1, 1]]


def test_pairs_are_one_relevant_document_each():
    targets = Targets.pairs(torch.tensor([4, 5, 4]))
    assert targets.grades(3).tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    assert targets.teacher.isnan().all()


def test_values_are_spread_over_their_owners_rows():
    targets = targets_of([[1], [1, 0]])
    spread = targets.spread(torch.tensor([5.0, 6.0, 7.0]), 2)
    torch.testing.assert_close(spread, torch.tensor([[5, NAN, NAN], [NAN, 6, 7]]), equal_nan=True)


def test_alone_everyone_is_this_process():
    targets = targets_of([[1, 0], [1]])
    seen = targets.gathered(2)
    assert (seen.queries, seen.own_queries, seen.own_documents) == (2, slice(0, 2), slice(0, 3))
    assert seen.targets.owner.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "holds nothing, expected a dict of owner, entity, relevance, teacher"),
        ({"owner": torch.zeros(2)}, "holds owner, expected"),
        (torch.zeros(3), "holds Tensor, expected"),
        (None, "holds NoneType, expected"),
    ],
)
def test_labels_of_another_kind_are_refused(given, message):
    with pytest.raises(ShapeError, match=message):
        Targets.from_dict(given)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("owner", torch.zeros(2, dtype=torch.int64), r"'owner': \(2,\), 'entity': \(3,\)"),
        ("entity", torch.zeros(3), "entity is of torch.float32: expected whole numbers"),
        ("relevance", torch.ones(3, dtype=torch.int64), "relevance is of torch.int64: .* real ones"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(name, values, message):
    given = targets_of([[1, 0], [1]]).to_dict() | {name: values}
    with pytest.raises(ShapeError, match=message):
        Targets.from_dict(given)


@pytest.mark.parametrize(
    ("queries", "documents", "message"),
    [
        (unit(2, 4), unit(3, 1, 4), r"\(2, 4\), documents \(3, 1, 4\): expected"),
        (unit(2, 4), unit(3, 5), "expected equal widths"),
        (unit(2, 4), unit(4, 4), "targets are of 3 documents"),
        (unit(1, 4), unit(3, 4), "a document belongs to query 1, but queries are"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(queries, documents, message):
    with pytest.raises(ShapeError, match=message):
        targets_of([[1, 0], [1]]).check(queries, documents)


@pytest.mark.parametrize("grade", [-1.0, NAN])
def test_grades_below_0_are_refused(grade):
    with pytest.raises(ShapeError, match="expected 0 or more, and no NaN"):
        targets_of([[1, grade], [1]]).check(unit(2, 4), unit(3, 4))
