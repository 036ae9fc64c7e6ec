"""Fusion: hand-worked sums and ranks, and what a missing score does."""

from __future__ import annotations

import numpy as np
import pytest

from plait.errors import InputError, ShapeError
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
