"""Fusion: hand-worked sums and ranks, and what a missing score does."""

from __future__ import annotations

import numpy as np
import pytest

from plait.errors import InputError, ShapeError
from plait.scoring.mixture import MixtureParameters
from plait.search.fusion import fuse

NAN = np.nan


def lanes(**scores):
    return {name: np.array(values, np.float32) for name, values in scores.items()}


def test_z_sum_worked_by_hand():
    both = lanes(text=[1, 2, 3], image=[10, 10, 40])  # deviations sqrt(2/3) and sqrt(200)
    expected = [
        -1 / np.sqrt(2 / 3) - 10 / np.sqrt(200),
        -10 / np.sqrt(200),
        1 / np.sqrt(2 / 3) + 20 / np.sqrt(200),
    ]
    assert fuse(both, method="zsum") == pytest.approx(expected)


def test_z_sum_takes_a_missing_score_as_the_lanes_mean():
    both = lanes(text=[0, 1, 2], image=[-1, NAN, 1])
    assert fuse(both, method="zsum")[1] == pytest.approx(0)


def test_z_sum_leaves_out_a_lane_that_tells_no_units_apart():
    both = lanes(text=[0, 1, 2], image=[0.5, 0.5, 0.5])
    assert fuse(both, method="zsum") == pytest.approx(fuse(lanes(text=[0, 1, 2]), method="zsum"))


def test_z_sum_does_not_depend_on_a_lanes_scale():
    some = lanes(text=[0.1, 0.7, 0.2], bm25=[3, 0, 9])
    other = {"text": some["text"] * 7 + 5, "bm25": some["bm25"] / 3}
    assert fuse(some, method="zsum") == pytest.approx(fuse(other, method="zsum"), abs=1e-5)


def test_reciprocal_ranks_worked_by_hand():
    both = lanes(text=[0.9, 0.5, 0.7, NAN], bm25=[0, 4, 4, 2])
    expected = [1 / 61, 1 / 63 + 1 / 61, 1 / 62 + 1 / 61, 1 / 63]  # equal scores share the first rank
    assert fuse(both, method="rrf") == pytest.approx(expected)


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
def test_a_unit_that_no_lane_has_stays_out(method):
    fused = fuse(lanes(text=[0.5, NAN, 0.1], image=[NAN, NAN, 0.9]), method=method)
    assert np.isnan(fused).tolist() == [False, True, False]
    assert fused.dtype == np.float32


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
def test_one_lane_keeps_its_order(method):
    scores = [0.3, -0.2, 0.9, 0.1]
    assert np.argsort(fuse(lanes(text=scores), method=method)).tolist() == np.argsort(scores).tolist()


def test_a_mixture_that_was_never_fitted_falls_back_to_the_z_sum():
    both = lanes(text=[0.1, 0.7, 0.2], image=[0.5, NAN, 0.9])
    np.testing.assert_array_equal(fuse(both, method="gated"), fuse(both, method="zsum"))


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
def test_an_empty_library_fuses_to_nothing(method):
    assert fuse(lanes(text=[], bm25=[]), method=method).shape == (0,)


def test_lanes_that_cannot_be_fused_are_refused():
    with pytest.raises(InputError, match="nothing to fuse"):
        fuse({})
    with pytest.raises(ShapeError, match="text 2, image 1"):
        fuse(lanes(text=[1, 2], image=[1]))
    with pytest.raises(InputError, match="unknown fusion method 'sum'"):
        fuse(lanes(text=[1]), method="sum")  # type: ignore[arg-type]


BOTH_SIDES = {
    "text": [0.2, 0.5, NAN],
    "bm25": [0, 3, 1],
    "image": [0.1, 0.9, 0.4],
    "image_tokens": [NAN, 0.7, 0.6],
}
FITTED = MixtureParameters(figure_words=30.0, figure_bias=-2.0, ret=3.0)


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
def test_weights_of_one_change_no_bit(method):
    given = lanes(**BOTH_SIDES, figure_words=[0.3, NAN, 0.2], ret=[0.1, 0.2, 0.3])
    plain = fuse(given, method=method, parameters=FITTED)
    for weights in ({}, dict.fromkeys(given, 1.0)):
        weighted = fuse(given, method=method, parameters=FITTED, weights=weights)
        assert weighted.tobytes() == plain.tobytes()


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
def test_a_lane_of_weight_zero_is_as_good_as_absent(method):
    given = lanes(**BOTH_SIDES)
    without = {name: scores for name, scores in given.items() if name != "image"}
    left = fuse(given, method=method, parameters=FITTED, weights={"image": 0})
    assert left.tobytes() == fuse(without, method=method, parameters=FITTED).tobytes()


def test_weights_multiply_a_lanes_share_of_a_sum():
    given = lanes(text=[0.2, 0.5, 0.9], bm25=[4, 3, 0])
    text, bm25 = (fuse({name: scores}, method="zsum") for name, scores in given.items())
    assert fuse(given, method="zsum", weights={"text": 3, "bm25": 0.5}) == pytest.approx(
        3 * text + 0.5 * bm25, rel=1e-5
    )
    ranks = fuse(given, method="rrf", weights={"text": 3, "bm25": 0.5})
    assert ranks == pytest.approx([3 / 63 + 0.5 / 61, 3 / 62 + 0.5 / 62, 3 / 61])


def test_weights_of_words_multiply_their_evidence():
    given = lanes(text=[0.2, 0.5], bm25=[4, 3])
    fitted = MixtureParameters(text=10, bm25=2)
    fused = fuse(given, parameters=fitted, weights={"text": 0.5, "bm25": 3})
    assert fused == pytest.approx([5 * 0.2 + 6 * 4, 5 * 0.5 + 6 * 3])


def test_a_weight_on_both_image_lanes_multiplies_what_a_figure_says():
    given = lanes(image=[0.1, 0.9, 0.4], image_tokens=[0.2, 0.8, 0.5])
    fitted = MixtureParameters(image=8, image_tokens=45, image_bias=-28)
    evidence = 8 * given["image"] + 45 * given["image_tokens"] - 28
    fused = fuse(given, parameters=fitted, weights={"image": 2, "image_tokens": 2})
    assert fused == pytest.approx(np.logaddexp(0, 2 * evidence), rel=1e-5)
    # The lane that stands in for another is weighted for both.
    alone = fuse({"image": given["image"]}, parameters=fitted, weights={"image": 2})
    assert alone == pytest.approx(np.logaddexp(0, 2 * (53 * given["image"] - 28)), rel=1e-5)


def test_a_weight_on_figure_words_multiplies_all_that_they_say():
    given = lanes(text=[0.2, 0.5], figure_words=[0.9, 0.1])
    fused = fuse(given, parameters=FITTED, weights={"figure_words": 0.5})
    written = FITTED.text * given["text"]
    assert fused == pytest.approx(np.logaddexp(written, 15 * given["figure_words"] - 1), rel=1e-5)


@pytest.mark.parametrize("weight", [-1, np.nan, np.inf, "2"])
def test_a_weight_that_is_no_number_of_zero_or_more_is_refused(weight):
    with pytest.raises(InputError, match="lane text must be a number of 0 or more"):
        fuse(lanes(text=[1, 2]), weights={"text": weight})


def test_weights_that_leave_out_every_lane_are_refused():
    with pytest.raises(InputError, match="every lane of text has weight 0"):
        fuse(lanes(text=[1, 2]), weights={"text": 0, "bm25": 1})
