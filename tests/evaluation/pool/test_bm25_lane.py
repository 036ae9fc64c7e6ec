"""The lane of words is BM25 over the whole pool, in whatever pieces it is asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait.evaluation.pool import bm25_lane
from plait.evaluation.pool.bm25_lane import Bm25Lane
from plait.index.bm25 import Bm25
from plait.index.lexical import term_counts

WORDS = ["lion", "stone", "wheel", "river", "pilot", "lamp", "storm", "bread"]
QUERIES = ["lions and rivers", "", "lamp lamp bread", "unheard", " \n"]


@pytest.fixture(scope="module")
def texts():
    draw = np.random.default_rng(0)
    return [" ".join(draw.choice(WORDS, size=draw.integers(0, 9))) for _ in range(100)]


@pytest.fixture(params=[100, 7])
def lane(texts, request, monkeypatch):
    monkeypatch.setattr(bm25_lane, "MOST_ITEMS", request.param)
    return Bm25Lane(iter(texts), QUERIES)


def test_blocks_and_pairs_are_bm25_over_all(texts, lane):
    whole = Bm25.of([term_counts(text) for text in texts])
    assert len(lane) == 100
    assert lane.asked.tolist() == [True, False, True, True, False]
    asking = np.flatnonzero(lane.asked)
    blocks = list(lane.blocks(asking))
    expected = np.stack([whole.scores([QUERIES[query]]) for query in asking])
    np.testing.assert_array_equal(torch.cat([block for _, block in blocks], dim=1).numpy(), expected)
    assert [first for first, _ in blocks] == list(range(0, 100, blocks[0][1].shape[1]))
    some = np.array([0, 3, 6, 7, 50, 99])
    for query, scores in zip(asking, expected, strict=True):
        np.testing.assert_array_equal(lane.pairs(query, some), scores[some])


def test_words_are_of_the_language():
    german = Bm25Lane(["die Häuser der Stadt", "der Fluss"], ["Haus"], language="german")
    assert (german.pairs(0, np.arange(2)) > 0).tolist() == [True, False]


def test_a_pool_without_words_and_one_without_candidates():
    assert Bm25Lane(["", ""], ["lion"]).pairs(0, np.arange(2)).tolist() == [0, 0]
    nothing = Bm25Lane([], ["lion"])
    assert len(nothing) == 0
    assert list(nothing.blocks(np.array([0]))) == []
