"""Heat, worked by hand on tokens of two dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from plait.schema import Box
from plait.search.explaining.heat import cell_box, heat, usual_best

RIGHT, UP, LEFT = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
ONE = np.ones(1, np.float32)


def tokens(*vectors):
    return np.array(vectors, np.float32)


def test_a_place_is_worth_what_the_tokens_it_answers_find_beyond_the_usual():
    query = tokens(RIGHT, UP)[None]
    usual = np.array([[0.5, 0.9]], np.float32)

    found = heat(query, ONE, tokens(RIGHT, UP, LEFT), usual)

    # Softmax at 0.05 leaves e^-20 to other places: 0.5 and 0.1 go to the first two.
    np.testing.assert_allclose(found.values, [1.0, 0.2, 0.0], atol=1e-6)
    assert (found.part, found.token) == (0, 0)


def test_places_that_answer_alike_share_a_token():
    found = heat(tokens(RIGHT)[None], ONE, tokens(RIGHT, RIGHT, UP), np.zeros((1, 1), np.float32))
    np.testing.assert_allclose(found.values, [1.0, 1.0, 0.0], atol=1e-6)


def test_parts_count_by_their_weights():
    query = np.stack([tokens(RIGHT), tokens(UP)])
    weights = np.array([0.25, 0.75], np.float32)

    found = heat(query, weights, tokens(RIGHT, UP), np.zeros((2, 1), np.float32))

    np.testing.assert_allclose(found.values, [1 / 3, 1.0], atol=1e-6)
    assert (found.part, found.token) == (1, 0)


def test_a_figure_that_is_no_better_than_others_has_no_hot_place():
    found = heat(tokens(RIGHT)[None], ONE, tokens(RIGHT, UP), np.ones((1, 1), np.float32))
    assert not found.values.any()


def test_the_usual_is_the_mean_of_the_best_places_of_figures():
    query = tokens(RIGHT, UP)[None]
    usual = usual_best(query, [tokens(RIGHT, LEFT), tokens(UP)])
    np.testing.assert_allclose(usual, [[0.5, 0.5]])  # (1 + 0) / 2 and (0 + 1) / 2
    np.testing.assert_array_equal(usual_best(query, []), [[0.0, 0.0]])


def test_cells_lie_row_by_row_in_the_picture_or_in_the_region_that_was_cut_of_it():
    assert cell_box(5, (2, 4)) == Box(0.25, 0.5, 0.5, 1.0)
    box = cell_box(3, (2, 2), Box(0.2, 0.4, 0.6, 0.8))
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((0.4, 0.6, 0.6, 0.8))
