"""Unwanted parts push down what is like them, and leave all else alone."""

from __future__ import annotations

import numpy as np
import pytest

from plait.errors import QueryError
from plait.schema import Query
from plait.search.scale import Fusing
from plait.search.unwanted import Unwanted, usual

GEARS = [
    "the gear turns smoothly",
    "a gear full of rust",
    "how to grease a gear",
    "rust on a gear of iron",
    "wooden gear wheels",
]
OTHERS = ["brush", "comb", "paint", "paper", "lamp", "glue", "sand", "water", "stone", "glass", "wool", "ink"]


@pytest.fixture
def works(library, figure):
    others = {f"other-{word}": [([f"something about {word}"], [figure("grey")])] for word in OTHERS}
    return library({f"gear-{n}": [([text], [])] for n, text in enumerate(GEARS)} | others)


def ids(hits):
    return [hit.document_id for hit in hits]


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
def test_units_that_hold_an_unwanted_word_come_after_those_that_do_not(works, method):
    with_rust = {"gear-1", "gear-3"}
    before = ids(works.search(Query.of("gear"), k=5, method=method))
    assert set(before) == {f"gear-{n}" for n in range(5)}
    query = Query(texts=("gear", "rust"), text_weights=(1, -1))
    after = ids(works.search(query, k=20, method=method))
    places = [after.index(name) for name in sorted(set(before) - with_rust)]
    assert max(places) < min(after.index(name) for name in with_rust)


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
@pytest.mark.parametrize("lanes", [None, ["bm25"], ["text"]])
def test_units_that_have_nothing_to_do_with_it_keep_their_score(works, method, lanes):
    def scores(query):
        found = works.search(query, k=20, method=method, lanes=lanes)
        return {hit.document_id: hit.score for hit in found}

    before = scores(Query.of("gear"))
    after = scores(Query(texts=("gear", "rust"), text_weights=(1, -1)))
    assert after.keys() == before.keys()
    changed = {name for name in before if after[name] != before[name]}
    assert {"gear-1", "gear-3"} & before.keys() <= changed
    assert changed <= {"gear-1", "gear-3"}
    assert all(after[name] < before[name] for name in changed)


def test_a_part_twice_as_unwanted_costs_twice_as_much(works):
    def score(weight):
        query = Query(texts=("gear", "rust"), text_weights=(1, weight)) if weight else Query.of("gear")
        return {hit.document_id: hit.score for hit in works.search(query, k=20)}["gear-1"]

    assert score(0) - score(-2) == pytest.approx(2 * (score(0) - score(-1)), rel=1e-4)
    # what counts is how much more it is unwanted than the most wanted part is wanted
    halves = works.search(Query(texts=("gear", "rust"), text_weights=(10, -20)), k=20)
    assert {hit.document_id: hit.score for hit in halves}["gear-1"] == pytest.approx(score(-2), rel=1e-5)


def test_two_unwanted_parts_cost_what_each_does(works):
    def score(*unwanted):
        weights = (1.0,) + (-1.0,) * len(unwanted)
        hits = works.search(Query(texts=("gear", *unwanted), text_weights=weights), k=20)
        return {hit.document_id: hit.score for hit in hits}["gear-3"]

    alone = [score() - score(word) for word in ("rust", "iron")]
    assert score() - score("rust", "iron") == pytest.approx(sum(alone), rel=1e-4)


def test_an_unwanted_picture_pushes_down_units_that_show_it(library, figure, picture):
    shown = library(
        {
            "plain": [(["a gear"], [])],
            "red": [(["a gear"], [figure("red")])],
            "grey": [(["a gear"], [figure("grey")])],
        }
        | {f"other-{n}": [([f"number {n}"], [figure("grey")])] for n in range(9)}
    )
    query = Query(texts=("gear",), images=(picture("red"),), image_weights=(-1,))
    hits = shown.search(query, k=20)
    assert ids(hits)[:2] == ["plain", "grey"]
    assert ids(hits)[-1] == "red"
    assert set(hits[0].lanes) == {"bm25", "text"}  # raw scores are of what is wanted


def test_an_unwanted_part_that_no_lane_may_compare_is_refused(works, picture):
    query = Query(texts=("gear",), images=(picture("red"),), image_weights=(-1,))
    with pytest.raises(QueryError, match="it can be answered by image"):
        works.search(query, lanes=["bm25"])


def test_a_ranking_tells_what_the_unwanted_parts_found(works):
    ranking = works.ranking(Query(texts=("gear", "rust"), text_weights=(1, -1)), k=20)
    against = {works.hits(ranking, [place])[0].document_id: place.against for place in ranking.places}
    assert against["gear-0"] == ({"bm25": 0.0, "text": pytest.approx(0, abs=0.3)},)
    assert against["gear-1"][0]["bm25"] > 0


def test_the_background_is_two_deviations_above_the_middle():
    assert usual(np.zeros(0)) == 0
    assert usual(np.full(7, 0.25)) == 0.25
    scores = np.random.default_rng(0).normal(0.1, 0.05, 20_000)
    assert usual(scores) == pytest.approx(0.2, abs=0.003)
    few = np.concatenate([scores, np.full(5000, 0.9)])  # what is like the part does not raise it
    assert usual(few) == pytest.approx(0.2, abs=0.04)


class _Given(Unwanted):
    backgrounds = {"bm25": 0.0, "text": 0.2}  # noqa: RUF012


def test_a_penalty_is_what_the_lanes_say_above_the_background():
    part = _Given(None, 0.5, Fusing("zsum", None, {"text": 3.0}))
    lanes = {
        "bm25": np.array([0, 0, 4, 0], np.float32),  # mean 1, deviation 3 ** 0.5
        "text": np.array([0.1, 0.2, np.nan, 0.6], np.float32),  # deviation 0.216
    }
    deviation = np.std([0.1, 0.2, 0.6])
    expected = [0, 0, 0.5 * 4 / 3**0.5, 0.5 * 3 * 0.4 / deviation]
    assert part.penalties(lanes, {}) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("method", ["gated", "zsum"])
def test_what_a_stored_part_shares_with_the_query_is_not_held_against_others(works, method):
    # "a gear full of rust" is unwanted: but for the gear, only "rust on a gear of iron" is like it
    query = Query(texts=("gear",), like=("gear-1:0",), like_weights=(-1,))
    hits = works.search(query, k=20, method=method)
    assert ids(hits)[-1] != "gear-1"
    places = {name: ids(hits).index(name) for name in ("gear-0", "gear-2", "gear-3", "gear-4")}
    assert max(places[name] for name in ("gear-0", "gear-2", "gear-4")) < places["gear-3"]
    assert sorted(places.values())[:3] == [0, 1, 2]
