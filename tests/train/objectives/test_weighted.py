"""Weighted: a sum that tells its parts."""

from __future__ import annotations

import math

import pytest
import torch
from tests.train.objectives.made import targets_of, unit

from plait.errors import InputError
from plait.train.objectives.components import components
from plait.train.objectives.contrastive import Contrastive
from plait.train.objectives.distillation import Distillation
from plait.train.objectives.matryoshka import Matryoshka
from plait.train.objectives.weighted import Weighted


def test_the_loss_is_the_sum_of_its_named_parts():
    batch = unit(2, 3, 4), unit(4, 3, 4, seed=1), targets_of([[1, 0]] * 2, teacher=[1.0, 0.0, 2.0, 1.0])
    parts = [
        Contrastive(),
        Matryoshka(Contrastive(), [(1, 2, 1.0)]),
        Distillation(),
        Contrastive(temperature=2.0),
    ]
    weighted = Weighted(list(zip((1.0, 0.5, 0.25, 2.0), parts, strict=True)))
    found = weighted.components(*batch)
    assert list(found) == ["contrastive_1", "matryoshka", "distillation", "contrastive_2"]
    torch.testing.assert_close(found["distillation"], 0.25 * parts[2](*batch))
    torch.testing.assert_close(weighted(*batch), sum(found.values()))
    assert weighted.get_config_dict()["distillation"] == (0.25, parts[2])


def test_parts_inside_matryoshka_are_sums_over_sizes():
    batch = unit(2, 3, 4), unit(4, 3, 4, seed=1), targets_of([[1, 0]] * 2, teacher=[1.0, 0.0, 2.0, 1.0])
    contrastive, distillation = Contrastive(), Distillation()
    sizes = [(None, None, 1.0), (1, 2, 0.5)]
    whole = Matryoshka(Weighted([(1.0, contrastive), (0.25, distillation)]), sizes)
    found = components(whole, *batch)
    torch.testing.assert_close(found["contrastive"], Matryoshka(contrastive, sizes)(*batch))
    torch.testing.assert_close(found["distillation"], 0.25 * Matryoshka(distillation, sizes)(*batch))
    torch.testing.assert_close(sum(found.values()), whole(*batch))


def test_objectives_without_parts_are_one():
    batch = unit(2, 3, 4), unit(2, 3, 4, seed=1), targets_of([[1], [1]])
    for objective in (Contrastive(), Matryoshka(Contrastive(), [(2, 3, 0.5)])):
        found = components(objective, *batch)
        assert list(found) == ["loss"]
        torch.testing.assert_close(found["loss"], objective(*batch))


def test_one_of_weight_1_is_the_objective_itself():
    batch = unit(2, 4), unit(2, 4, seed=1), targets_of([[1], [1]])
    torch.testing.assert_close(Weighted([(1.0, Contrastive())])(*batch), Contrastive()(*batch))


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_weights_out_of_range_are_refused(weight):
    with pytest.raises(
        InputError, match=r"the weight of Contrastive is .*: expected a finite number above 0"
    ):
        Weighted([(weight, Contrastive())])


def test_no_objective_is_refused():
    with pytest.raises(InputError, match="Weighted has no objectives"):
        Weighted([])
