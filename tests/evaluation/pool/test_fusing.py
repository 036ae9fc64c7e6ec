"""A system over a streamed pool ranks as `System.scores` over the whole of every lane does."""

from __future__ import annotations

import numpy as np
import pytest
from tests.helpers.stored_vectors import stored, unit_vectors

from plait.errors import InputError, ShapeError
from plait.evaluation.measures import ranking
from plait.evaluation.pool import ranking as module
from plait.evaluation.pool.bm25_lane import Bm25Lane
from plait.evaluation.pool.ids import Ids
from plait.evaluation.pool.ranking import rank
from plait.evaluation.pool.vector_lane import VectorLane
from plait.evaluation.systems import System, baselines
from plait.scoring.mixture import MixtureParameters

SIZE, QUERIES = 300, 12
MIXTURE = MixtureParameters(text=9, bm25=0.7, image_tokens=30, image=12, image_bias=-9, ret=3)
NAMES = [f"c{(place * 37) % SIZE}" for place in range(SIZE)]
QUERY_NAMES = [f"q{row}" for row in range(QUERIES)]
SYSTEMS = (
    *baselines(("bm25", "text", "image")),
    System("model", ("bm25", "text", "image", "image_tokens"), "gated"),
    System("words", ("bm25", "text"), "gated"),
    System("pictures", ("image", "image_tokens"), "gated"),
    System("cell", ("ret", "bm25"), "gated"),
    System("sum", ("ret", "image", "bm25"), "zsum"),
    System("ranks", ("ret", "image", "text"), "rrf"),
    System("ret alone", ("ret",)),
)


@pytest.fixture(scope="module")
def lanes(tmp_path_factory):
    """Return five lanes: some candidates lack words, some figures; some queries have one of both only."""
    folder, draw = tmp_path_factory.mktemp("lanes"), np.random.default_rng(5)
    words, shown = draw.random(SIZE) < 0.8, draw.random(SIZE) < 0.6
    in_words, in_picture = np.arange(QUERIES) % 4 != 1, np.arange(QUERIES) % 4 != 2

    def lane(name, width, tokens, has, asked):
        counts = (draw.integers(1, tokens + 1, SIZE) * has).tolist()
        sides = unit_vectors(len(name), counts, width=width)
        sides[10:20] = sides[20:30]  # ties
        queries = unit_vectors(len(name) + 1, [tokens] * QUERIES, width=width)
        return VectorLane(
            name,
            stored(folder, f"{name}-queries", queries, width=width),
            [stored(folder, f"{name}-pool", sides, width=width)],
            asked=asked,
        )

    vocabulary = [f"w{n}" for n in range(40)]
    texts = [" ".join(draw.choice(vocabulary, 6)) if one else "" for one in words]
    texts[10:20] = texts[20:30]
    asked = [" ".join(draw.choice(vocabulary, 3)) if one else "" for one in in_words]
    return [
        Bm25Lane(texts, asked),
        lane("text", 16, 1, words, in_words),
        lane("image", 24, 2, shown, in_picture),
        lane("image_tokens", 8, 4, shown, in_picture),
        lane("ret", 12, 3, words | shown, None),
    ]


def everything(lanes, query):
    """Return the raw scores of all candidates for one query, by lane."""
    return {lane.name: lane.pairs(query, np.arange(SIZE)) for lane in lanes if lane.asked[query]}


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_every_system_is_itself_over_the_whole_pool(lanes, system):
    (found,) = rank([system], lanes, k=SIZE, depth=SIZE, mixture=MIXTURE).values()
    for query in range(QUERIES):
        whole = system.scores(everything(lanes, query), MIXTURE)
        assert found.asked[query] == (whole is not None)
        if whole is None:
            assert np.isneginf(found.scores[query]).all()
            continue
        there = np.flatnonzero(~np.isnan(whole))
        order = there[np.argsort(-whole[there], kind="stable")]
        np.testing.assert_allclose(found.scores[query, : len(order)], whole[order], rtol=3e-6, atol=3e-6)
        assert np.isneginf(found.scores[query, len(order) :]).all()
        assert set(found.places[query, : len(order)].tolist()) == set(order.tolist())
        np.testing.assert_allclose(
            whole[found.places[query, : len(order)]], whole[order], rtol=3e-6, atol=3e-6
        )


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_the_best_of_each_lane_are_scored_as_in_the_whole_pool(lanes, system):
    (found,) = rank([system], lanes, k=10, depth=25, mixture=MIXTURE).values()
    for query in range(QUERIES):
        whole = system.scores(everything(lanes, query), MIXTURE)
        there = found.scores[query] > -np.inf
        if whole is None or system.method == "rrf":  # ranks beyond the best of a lane are not known
            continue
        assert there.all()
        np.testing.assert_allclose(found.scores[query], whole[found.places[query]], rtol=3e-6, atol=3e-6)


def test_systems_side_by_side_find_what_each_finds_alone(lanes):
    together = rank(SYSTEMS, lanes, k=7, depth=20, mixture=MIXTURE)
    assert list(together) == [system.name for system in SYSTEMS]
    for system in SYSTEMS:
        (alone,) = rank([system], lanes, k=7, depth=20, mixture=MIXTURE).values()
        np.testing.assert_array_equal(together[system.name].places, alone.places)
        np.testing.assert_array_equal(together[system.name].scores, alone.scores)


def test_reciprocal_ranks_by_hand(tmp_path):
    words = Bm25Lane(["lion lion", "lion stone", "stone", "river"], ["lion"])  # ranks 0, 1
    pool = [np.array([[x, 0.0]]) for x in (0.5, 0.75, 0.25, 1.0)]  # ranks 3, 1, 0, 2
    queries = stored(tmp_path, "queries", [np.array([[1.0, 0.0]])], width=2)
    text = VectorLane("text", queries, [stored(tmp_path, "pool", pool, width=2)])
    (found,) = rank([System("both", ("bm25", "text"), "rrf")], [words, text], k=3, depth=1).values()
    # Of each lane the 3 best: 0, 1 and 3, 1, 0.
    assert found.places[0].tolist() == [0, 1, 3]
    np.testing.assert_allclose(found.scores[0], [1 / 61 + 1 / 63, 1 / 62 + 1 / 62, 1 / 61], rtol=1e-6)
    (found,) = rank([System("both", ("bm25", "text"), "rrf")], [words, text], k=2, depth=2).values()
    # Of each the 2 best: 0, 1 and 3, 1. What text thinks of 0 is not known; 0 and 3 are equal then.
    assert found.places[0].tolist() == [1, 0]
    np.testing.assert_allclose(found.scores[0], [1 / 62 + 1 / 62, 1 / 61], rtol=1e-6)


def test_answers_become_a_run_and_the_unasked_are_told(lanes):
    found = rank(SYSTEMS, lanes, k=5, depth=9, mixture=MIXTURE)["text backbone"]
    run = found.run(QUERY_NAMES, Ids(NAMES))
    assert found.unasked(QUERY_NAMES) == {"q1", "q5", "q9"}
    assert list(run) == [name for name in QUERY_NAMES if name not in {"q1", "q5", "q9"}]
    assert run == found.run(QUERY_NAMES, NAMES)
    for name, scores in run.items():
        row = QUERY_NAMES.index(name)
        assert {NAMES[place] for place in found.places[row].tolist()} == set(scores)
        assert sorted(scores.values(), reverse=True) == [scores[one] for one in ranking(scores)]


def test_what_was_found_is_not_searched_again(lanes, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "QUERIES", 5)
    whole = rank(SYSTEMS, lanes, k=5, depth=9, mixture=MIXTURE)
    told = []
    options = {"k": 5, "depth": 9, "mixture": MIXTURE, "work": tmp_path}

    def stopped(what, done, total):
        told.append(what)
        if what == "text, queries 6 to 10 of 12":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rank(SYSTEMS, lanes, watch=stopped, **options)
    told.clear()
    again = rank(SYSTEMS, lanes, watch=lambda what, done, total: told.append(what), **options)
    assert told[0] == "bm25, queries 6 to 10 of 12"
    for name, found in again.items():
        np.testing.assert_array_equal(found.places, whole[name].places)
        np.testing.assert_array_equal(found.scores, whole[name].scores)
    told.clear()
    rank(SYSTEMS, lanes, watch=lambda what, done, total: told.append(what), **options)
    assert not told
    rank(SYSTEMS[:1], lanes, watch=lambda what, done, total: told.append(what), **options)
    assert told  # another search in the same folder


def test_what_does_not_fit_is_refused(lanes):
    with pytest.raises(InputError, match=r"one of the lanes bm25, .* for 'x', which hears nothing"):
        rank([System("x", ("nothing",))], lanes, k=5)
    with pytest.raises(InputError, match=r"a method to combine 'x', which hears bm25, text"):
        rank([System("x", ("bm25", "text"))], lanes, k=5)
    with pytest.raises(InputError, match="of different names, got bm25, bm25"):
        rank(SYSTEMS, [lanes[0], lanes[0]], k=5)
    with pytest.raises(InputError, match="k and depth of at least 1, got 0 and 1000"):
        rank(SYSTEMS, lanes, k=0)
    with pytest.raises(ShapeError, match=r"queries x candidates: bm25 1 x 1, ret 12 x 300"):
        rank([System("x", ("bm25",))], [Bm25Lane(["a"], ["a"]), lanes[-1]], k=5)
