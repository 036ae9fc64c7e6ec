"""A refined query: a step worked by hand, the gradient by differences, and what a search makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from plait.schema import Query
from plait.search.rerank.base import shortlist
from plait.search.rerank.refining import Lane, Refining

ONE = np.ones(1, np.float32)


def unit(*numbers: float) -> np.ndarray:
    vector = np.array(numbers, np.float64)
    return vector / np.linalg.norm(vector)


def random_lane(seed: int, *, parts: int = 2, tokens: int = 3) -> tuple[Lane, np.ndarray]:
    """Return a lane of five candidates, one without items, and a query."""
    draw = np.random.default_rng(seed)
    documents = [draw.standard_normal((items, 4, 6)) for items in (1, 3, 2, 0, 2)]
    documents = [one / np.linalg.norm(one, axis=2, keepdims=True) for one in documents]
    query = draw.standard_normal((parts, tokens, 6))
    weights = draw.dirichlet(np.ones(parts)).astype(np.float32)
    return Lane(documents, weights, sharpness=2.0), query / np.linalg.norm(query, axis=2, keepdims=True)


def test_a_step_is_what_it_is_by_hand():
    # Two candidates along the axes, the query between them: both score 0.707, so p = (1/2, 1/2).
    documents = [np.eye(2)[at].reshape(1, 1, 2) for at in range(2)]
    lane = Lane(documents, ONE, sharpness=1.0)
    query = unit(1, 1).reshape(1, 1, 2)
    # A guide sure of the first makes the consensus (3/4, 1/4): loss = 3/4 log(3/2) + 1/4 log(1/2).
    consensus = np.array([0.75, 0.25])
    assert lane.loss(query, consensus, spread=1.0) == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    # (p - c) = (-1/4, 1/4), each along its own axis.
    np.testing.assert_allclose(lane.gradient(query, consensus, spread=1.0)[0, 0], [-0.25, 0.25])


def test_the_gradient_is_that_of_differences():
    lane, query = random_lane(0)
    spread = lane.spread(query)
    consensus = lane.consensus(query, np.array([0, 3, 1, 2, np.nan]), spread=spread)
    found = lane.gradient(query, consensus, spread=spread)
    expected = np.zeros_like(query)
    for at in np.ndindex(query.shape):
        step = np.zeros_like(query)
        step[at] = 1e-6
        above, below = (lane.loss(query + sign * step, consensus, spread=spread) for sign in (1, -1))
        expected[at] = (above - below) / 2e-6
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found).max() > 0.01


@pytest.mark.parametrize("seed", range(5))
def test_the_loss_falls_and_lengths_stay(seed):
    lane, query = random_lane(seed)
    guide = np.array([0.0, 3, 1, 2, 5])
    spread = lane.spread(query)
    consensus = lane.consensus(query, guide, spread=spread)
    losses = [
        lane.loss(lane.refined(query, guide, steps=steps, rate=0.02), consensus, spread=spread)
        for steps in (0, 1, 5, 20)
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]
    moved = lane.refined(query, guide, steps=5, rate=0.02)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=2), 1, atol=1e-6)


def test_a_query_whose_lanes_agree_stays_where_it_is():
    lane, query = random_lane(1)
    agreeing = lane.scores(query)
    np.testing.assert_allclose(lane.refined(query, agreeing, steps=10, rate=0.5), query, atol=1e-5)


def test_scores_are_those_of_the_index(library):
    searcher = library({"guide": [(["the seal", "a pump"], []), (["the pump"], []), ([], [])]})
    asked = searcher.encoder.encode_query(Query(texts=("pump", "seal"), text_weights=(2, 1)))
    query, weights = asked.fields["text"], asked.weights["text"]
    lane = Lane(searcher.snapshot.item_vectors("text", [0, 1, 2]), weights, sharpness=1.0)
    np.testing.assert_allclose(
        lane.scores(query), searcher.snapshot.field_scores("text", query, weights), atol=1e-5
    )


def test_words_are_refined_towards_what_bm25_prefers(library):
    # The vectors know "pump" and "seal" alike; "seal" is rare, so BM25 prefers what holds it.
    pages = [(["pump seal " + "oil " * n], []) for n in range(2)] + [(["pump pump oil"], [])] * 4
    searcher = library({"guide": pages})
    given = shortlist(searcher.ranking(Query.of("pump seal"), k=10), searcher)
    still, moved = (Refining(steps=steps, rate=0.3).scores(given) for steps in (0, 10))
    held = [row < 2 for row in given.rows]
    others = np.logical_not(held)
    assert moved[held].mean() - moved[others].mean() >= still[held].mean() - still[others].mean() - 1e-6
    assert np.isfinite(moved).all()


def test_pictures_are_refined_in_their_tokens_guided_by_the_whole(library, figure):
    searcher = library(
        {"guide": [([], [figure("red", "blue")]), ([], [figure("red")]), ([], [figure("green")])]}
    )
    query = Query.of("", figure("red", "blue").picture.path)
    scores = Refining().scores(given := shortlist(searcher.ranking(query, k=10), searcher))
    assert given.rows[int(np.argmax(scores))] == 0


def test_a_lane_without_a_guide_is_left_alone(library):
    searcher = library({"guide": [(["the seal"], []), (["a pump"], [])]})
    ranking = searcher.ranking(Query.of("seal"), k=10, lanes=["text"])
    assert np.isnan(Refining().scores(shortlist(ranking, searcher))).all()


def test_alike_candidates_move_nothing():
    documents = [np.eye(3)[:1].reshape(1, 1, 3)] * 3
    lane = Lane(documents, ONE, sharpness=2.0)
    query = unit(1, 1, 0).reshape(1, 1, 3)
    assert lane.refined(query, np.array([1.0, 2, 3]), steps=5, rate=1.0) is query
