"""The best of a stream are those of a stable sort, however the stream is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plait.evaluation.pool import best as module
from plait.evaluation.pool.best import Best

SCORES = st.sampled_from([-np.inf, -3.5, -1e-30, -0.0, 0.0, 1e-30, 0.25, 7.0, 3e38])


@given(
    arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 30)), elements=SCORES),
    st.integers(1, 9),
    st.lists(st.integers(1, 30), max_size=4),
    st.sampled_from([1, 40]),
)
def test_the_best_are_the_first_of_a_stable_sort(scores, count, cuts, at_once):
    before, module._SCORES = module._SCORES, at_once
    try:
        best = Best(len(scores), count)
        bounds = sorted({0, scores.shape[1], *(cut for cut in cuts if cut < scores.shape[1])})
        for first, last in pairwise(bounds):
            best.keep(torch.from_numpy(scores[:, first:last]), first)
        places, found = best.sorted()
    finally:
        module._SCORES = before
    for row, mine, theirs in zip(scores, places, found, strict=True):
        order = [place for place in np.argsort(-row, kind="stable") if row[place] > -np.inf][:count]
        assert mine[: len(order)].tolist() == order
        assert theirs[: len(order)].tolist() == row[order].tolist()
        assert set(zip(mine[len(order) :], theirs[len(order) :], strict=True)) <= {(0, -np.inf)}


def test_places_beyond_two_thousand_million_are_kept():
    best = Best(1, 2)
    best.keep(torch.tensor([[0.5, 0.75]]), 4_294_967_294)
    assert best.sorted()[0].tolist() == [[4_294_967_295, 4_294_967_294]]
