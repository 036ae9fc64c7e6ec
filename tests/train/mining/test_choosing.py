"""Of what was found for a row, the right candidates become its negatives: each protection, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import InputError
from plait.train.mining.choosing import Chosen, choose
from plait.train.mining.options import MiningOptions
from plait.train.mining.searching import Found

CONTENTS = np.arange(100, 120, dtype=np.uint64)  # of document k: 100 + k
NONE = np.zeros(0, dtype=np.uint64)


def found(scores, *, relevant=10.0, wrong=()):
    """Return what was found for one row: documents 0, 1, ... with these scores, and wrong ones from 15 on."""
    lowered = [-math.inf if score is None else score for score in scores]
    return Found(
        relevant=np.array([relevant], np.float32),
        rank=np.array([1]),
        places=np.arange(len(scores))[None],
        scores=np.array([lowered], np.float32),
        wrong_places=15 + np.arange(len(wrong))[None],
        wrong_scores=np.array([wrong], np.float32).reshape(1, -1),
    )


def chosen(found, *, contents=CONTENTS, never=NONE, name="row", **options):
    return choose(found, 0, options=MiningOptions(**options), name=name, contents=contents, never=never)


def test_the_hardest_below_the_margin_are_taken_in_their_order():
    # 0.95 * 10 = 9.5, so 12 and 9.75 are likely to be relevant, and 9.5 is not.
    assert chosen(found([12, 9.75, 9.5, 9, 8, 7]), negatives=3) == Chosen((2, 3, 4), (), 2)


def test_without_a_margin_none_is_left_out():
    assert chosen(found([12, 9.6, 9.5]), negatives=2, margin=math.inf) == Chosen((0, 1), (), 0)


def test_below_zero_the_ceiling_lies_under_the_relevant_score_too():
    assert MiningOptions().ceiling(10) == pytest.approx(9.5)
    assert MiningOptions().ceiling(-10) == pytest.approx(-10.5)
    assert MiningOptions(margin=1).ceiling(-10) == -10
    assert MiningOptions(margin=math.inf).ceiling(0) == math.inf
    # A plain share of -10 would let -9.8 pass, which scores more than the relevant document.
    assert chosen(found([-9.8, -10.2, -10.6], relevant=-10)).negatives == (2,)


def test_ranks_bound_what_is_taken_and_what_is_counted():
    scores = [9.9, 9.8, 9, 8, 7, 6]
    assert chosen(found(scores), from_rank=2, to_rank=4) == Chosen((2, 3), (), 1)
    assert chosen(found(scores), from_rank=5, to_rank=5) == Chosen((4,), (), 0)


def test_what_answers_the_row_or_is_there_already_is_never_taken():
    assert chosen(found([9, 8, 7]), never=np.array([101], np.uint64)).negatives == (0, 2)
    # The same words and picture under another path: another document, but the same content.
    assert chosen(found([9, 8, 7]), contents=np.array([5, 6, 6], np.uint64)).negatives == (0, 1)
    both = chosen(found([9], wrong=[12, 11]), wrong_modality=2, never=np.array([115, 100], np.uint64))
    assert both == Chosen((), (16,), 0)


def test_a_likely_answer_that_could_not_be_taken_anyway_is_not_counted():
    assert chosen(found([12, 9]), never=np.array([100], np.uint64)).likely_relevant == 0


def test_wrong_modalities_are_exempt_from_the_margin_and_limited():
    assert chosen(found([9], wrong=[13, 12, 11]), wrong_modality=2) == Chosen((0,), (15, 16), 0)
    assert chosen(found([9], wrong=[13, -math.inf]), wrong_modality=2).wrong_modality == (15,)
    assert chosen(found([9]), wrong_modality=0).wrong_modality == ()


def test_places_that_nothing_was_found_for_are_left_out():
    assert chosen(found([9, None, None])).negatives == (0,)


def test_a_row_that_has_no_score_gets_none():
    assert chosen(found([9, 8], relevant=math.nan)) == Chosen((), (), 0)


def test_the_choice_at_random_follows_from_seed_and_row():
    scores = found(np.linspace(9, 8, 15))

    def drawn(**options):
        return chosen(scores, negatives=4, choose="random", **options).negatives

    first = drawn()
    assert drawn() == first == tuple(sorted(first))
    assert len(set(first)) == 4
    assert len({drawn(seed=seed) for seed in range(8)}) > 4
    assert len({drawn(name=str(k)) for k in range(8)}) > 4
    assert {place for seed in range(40) for place in drawn(seed=seed)} == set(range(15))
    assert drawn(from_rank=2, to_rank=5) == (1, 2, 3, 4)


@given(
    scores=st.lists(st.floats(-20, 20, width=32), max_size=12).map(lambda some: sorted(some, reverse=True)),
    relevant=st.floats(-20, 20, width=32),
    margin=st.floats(0.1, 1),
    pick=st.sampled_from(["hardest", "random"]),
)
def test_nothing_at_or_above_the_relevant_one_passes_a_margin_below_one(scores, relevant, margin, pick):
    taken = chosen(found(scores, relevant=relevant), margin=margin, choose=pick)
    assert all(scores[place] <= relevant for place in taken.negatives)
    assert len(taken.negatives) + taken.likely_relevant <= len(scores)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"negatives": -1}, "negatives is -1, expected 0 or more"),
        ({"wrong_modality": -2}, "wrong_modality is -2, expected 0 or more"),
        ({"from_rank": 0}, "from_rank is 0, expected 1 or more"),
        ({"from_rank": 9, "to_rank": 8}, "from_rank 9 lies below to_rank 8"),
        ({"margin": 0}, "margin is 0, expected more than 0"),
        ({"margin": math.nan}, "margin is nan, expected more than 0"),
        ({"choose": "easiest"}, "choose is 'easiest', expected hardest or random"),
        ({"negatives": 0}, "nothing to do"),
        ({"stripped": True, "teacher": True}, "contradict each other"),
    ],
)
def test_options_out_of_range_are_named(options, said):
    with pytest.raises(InputError, match=said):
        MiningOptions(**options)
