"""The approximate search finds what the exact one does where it looks, and passes over what PLAID would."""

from __future__ import annotations

import numpy as np
import pytest

from plait.encode.side_vectors import NOTHING, WHOLE, Vectors
from plait.errors import InputError
from plait.evaluation.pool.plaid import Plaid, Width, partitions

WIDTH = 16


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def store(sets):
    """Return token sets (n, d) as they lie on disk."""
    starts = np.concatenate([[0], np.cumsum([len(one) for one in sets])])
    numbers = np.concatenate([np.zeros((0, WIDTH)), *sets]).astype(np.float16)
    states = np.array([WHOLE if len(one) else NOTHING for one in sets], np.int32)
    return Vectors(numbers, starts, states, np.zeros(len(sets), np.uint64))


class Exact:
    """A lane over token sets, by the definition."""

    name, at_once, slack = "ret", 1, 0

    def __init__(self, queries, candidates):
        self.queries, self.candidates = queries, candidates
        self.asked = np.array([len(one) > 0 for one in queries])

    def __len__(self):
        return len(self.candidates)

    def pairs(self, query, places):
        asked = self.queries[query]
        sets = [self.candidates[place] for place in places]
        return np.array([(asked @ one.T).max(1).mean() if len(one) else np.nan for one in sets], np.float32)


@pytest.fixture(scope="module")
def crowd():
    """Return 30 queries and 600 candidates of up to 4 tokens, all around 40 themes."""
    rng = np.random.default_rng(5)
    themes = unit(rng.normal(size=(40, WIDTH)))

    def tokens(count):
        near = themes[rng.integers(40, size=count)] + 0.1 * rng.normal(size=(count, WIDTH))
        return unit(near).astype(np.float16).astype(np.float32)

    candidates = [tokens(int(rng.integers(0, 5))) for _ in range(600)]
    return [tokens(3) for _ in range(30)], candidates


@pytest.fixture(scope="module")
def plaid(crowd):
    return Plaid([store(crowd[1])], clusters=40)


def test_the_official_widths():
    assert Width.of(10) == Width(1, 0.5, 256)
    assert Width.of(100) == Width(2, 0.45, 1024)
    assert Width.of(500) == Width(4, 0.4, 4096)
    assert Width.of(2000) == Width(4, 0.4, 8000)


def test_the_official_number_of_clusters():
    assert partitions(100_000, 3_200_000) == 16_384  # 16 * sqrt(3.2 M) = 28,622
    assert partitions(3, 5) == 3  # never more than there are tokens to begin with


def test_looking_everywhere_leaves_every_candidate_and_the_best_are_those_of_the_exact_search(crowd, plaid):
    queries, candidates = crowd
    lane = Exact(queries, candidates)
    filled = [place for place, one in enumerate(candidates) if len(one)]
    everywhere = plaid.candidates(queries[0], Width(len(plaid.centroids), -1.0, 4 * len(candidates)))
    assert sorted(everywhere) == filled
    found = plaid.top(lane, lambda query: queries[query], np.arange(30), k=500)
    for query in range(30):
        exact = lane.pairs(query, filled)
        best = np.argsort(-exact, kind="stable")[:3]
        assert found.places[query, :3].tolist() == [filled[place] for place in best]
        np.testing.assert_array_equal(found.scores[query, :3], exact[best])


def test_only_candidates_with_a_token_in_the_nearest_cluster_are_seen(crowd, plaid):
    _, candidates = crowd
    query = next(one for one in candidates if len(one))[:1]
    nearest = int((query @ plaid.centroids.T).argmax())
    tokens = np.concatenate(candidates)
    owners = np.repeat(np.arange(len(candidates)), [len(one) for one in candidates])
    own = (tokens @ plaid.centroids.T - (plaid.centroids**2).sum(1) / 2).argmax(1)
    expected = sorted(set(owners[own == nearest].tolist()))
    assert 8 < len(expected) < 200
    assert sorted(plaid.candidates(query, Width(1, -1.0, 4 * len(candidates)))) == expected
    assert len(plaid.candidates(query, Width(1, -1.0, 8))) == 2  # a quarter of what the first look leaves


def test_centroids_below_the_threshold_do_not_speak_at_first(crowd, plaid):
    """With a threshold that only the nearest centroid passes, the first look keeps those that hold it."""
    _, candidates = crowd
    query = next(one for one in candidates if len(one))[:1]
    similar = (query @ plaid.centroids.T)[0]
    holders = set(plaid.candidates(query, Width(1, -1.0, 4 * len(candidates))).tolist())
    narrow = plaid.candidates(query, Width(len(similar), float(similar.max()), 4 * (len(holders) // 4)))
    assert set(narrow.tolist()) <= holders


def test_several_stores_are_one_pool_and_the_seed_decides(crowd, plaid):
    queries, candidates = crowd
    parts = Plaid([store(candidates[:250]), store(candidates[250:])], clusters=40)
    np.testing.assert_array_equal(plaid.centroids, parts.centroids)
    for query in queries:
        found, again = (one.candidates(query, Width.of(10)) for one in (plaid, parts))
        np.testing.assert_array_equal(found, again)
    assert not np.array_equal(plaid.centroids, Plaid([store(candidates)], clusters=40, seed=4).centroids)


def test_what_asks_nothing_finds_nothing_and_a_pool_of_nothing_is_refused(crowd, plaid):
    queries, candidates = crowd
    lane = Exact([queries[0], queries[0][:0]], candidates)
    found = plaid.top(lane, lambda query: queries[query], np.array([1]), k=5)
    assert np.isneginf(found.scores).all()
    with pytest.raises(InputError, match="no candidate has a vector"):
        Plaid([store([np.zeros((0, WIDTH))] * 3)])
