"""Recommending a fusion: chosen on one half, believed only where the other half confirms it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from plait.evaluation.measures import per_query
from plait.evaluation.recommending import (
    Fusion,
    Scored,
    gain_of,
    half_of,
    precedence_of,
    reciprocal_rank,
    recommend,
)
from plait.scoring.mixture import MixtureParameters

UNITS = 40
IDS = [f"u{row:02}" for row in range(UNITS)]
LANES = ("bm25", "text")


def queries(signals, *, count=80, groups=40, seed=0, kinds=("words",)):
    """Return queries that each unit answers in turn; a lane is noise, and a signal at the right unit."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        right = number % UNITS
        lanes = {}
        for lane, signal in signals.items():
            lanes[lane] = rng.random(UNITS).astype(np.float32) + 0.01
            lanes[lane][right] += signal
        kind = kinds[number % len(kinds)]
        found.append(Scored(kind, f"g{number % groups}", lanes, np.array([right])))
    return found


def test_reciprocal_ranks_are_those_of_the_measures():
    rng = np.random.default_rng(0)
    ids = [f"u{row}" for row in range(30)]  # "u9" > "u10": the order of text, not of numbers
    for _ in range(50):
        scores = rng.integers(0, 6, 30).astype(np.float32)  # many ties
        scores[rng.random(30) < 0.2] = np.nan
        relevant = rng.choice(30, 2, replace=False)
        run = {"q": {name: float(s) for name, s in zip(ids, scores, strict=True) if not np.isnan(s)}}
        expected = per_query(run, {"q": {ids[row]: 1 for row in relevant}}, ["mrr"])["mrr"]["q"]
        assert reciprocal_rank(scores, relevant, precedence_of(ids)) == pytest.approx(expected)


def test_what_is_not_among_the_first_hundred_is_not_found():
    scores = -np.arange(102, dtype=np.float32)
    precedence = np.arange(102)
    assert reciprocal_rank(scores, np.array([99]), precedence) == pytest.approx(0.01)
    assert reciprocal_rank(scores, np.array([100]), precedence) == 0
    assert reciprocal_rank(None, np.array([0]), precedence) == 0


def test_a_lane_that_only_misleads_is_left_out_and_the_gain_confirmed():
    noisy = queries({"bm25": 0.0, "text": 0.9})
    advice = recommend(noisy, ids=IDS, lanes=LANES, mixture=None)
    assert advice.best is not None
    assert advice.best.weights["bm25"] == 0
    assert advice.gain is not None
    assert advice.gain.low > 0
    assert advice.tried > 10
    assert advice.chosen_on + advice.confirmed_on == len(noisy)
    assert advice.best.settings.endswith('lane_weights = "bm25=0"')


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_recommends_nothing(seed):
    advice = recommend(queries({"bm25": 0.0, "text": 0.0}, seed=seed), ids=IDS, lanes=LANES, mixture=None)
    assert advice.best is None
    assert advice.candidate is not None
    assert advice.tried > 10


def test_of_what_does_about_as_well_the_simplest_is_recommended():
    alike = queries({"bm25": 0.6, "text": 0.6})
    advice = recommend(alike, ids=IDS, lanes=LANES, mixture=None, current=Fusion("rrf", {"text": 0.0}))
    assert advice.best is not None
    assert advice.best.weights == {}


def test_what_is_perfect_stays():
    advice = recommend(queries({"bm25": 2.0, "text": 2.0}), ids=IDS, lanes=LANES, mixture=None)
    assert (advice.best, advice.candidate, advice.gain) == (None, Fusion(), None)
    assert "did better" in advice.reason


def test_what_was_recommended_is_not_recommended_again():
    noisy = queries({"bm25": 0.0, "text": 0.9})
    best = recommend(noisy, ids=IDS, lanes=LANES, mixture=None).best
    again = recommend(noisy, ids=IDS, lanes=LANES, mixture=None, current=best)
    assert again.best is None


def test_few_queries_or_documents_recommend_nothing():
    for few in (queries({"text": 0.5}, count=30), queries({"text": 0.5}, groups=19)):
        advice = recommend(few, ids=IDS, lanes=("text",), mixture=None)
        assert advice.best is None
        assert "expected 40 from 20 or more" in advice.reason


def test_a_kind_of_few_queries_has_no_say():
    many = queries({"bm25": 0.0, "text": 0.9})
    few = [replace(query, kind="rare") for query in queries({"bm25": 2.0, "text": 0.0}, count=19, seed=1)]
    advice = recommend([*many, *few], ids=IDS, lanes=LANES, mixture=None)
    assert advice.kinds == ("words",)
    assert advice.best == recommend(many, ids=IDS, lanes=LANES, mixture=None).best
    assert advice.chosen_on + advice.confirmed_on == len(many)


def test_halves_share_no_document_and_are_alike_in_size():
    groups = Counter({"long": 50, **{f"g{n}": 2 for n in range(30)}})
    half = half_of(groups, np.random.default_rng(0))
    assert abs(sum(groups[name] for name in half) - 55) <= 2
    assert half < set(groups)


def test_the_gain_counts_kinds_alike_however_many_queries_they_have():
    right, wrong = np.array([1, 0], np.float32), np.array([0, 1], np.float32)

    def asked(kind, group, text):
        return Scored(kind, group, {"text": text, "bm25": np.array([0.5, 1], np.float32)}, np.array([0]))

    # Left to the text alone, the one figure query gains a half, the three sentences nothing.
    some = [asked("figure", "a", right), *(asked("sentence", name, wrong) for name in "bcd")]
    before, after = Fusion("zsum", {"text": 0.0}), Fusion("zsum", {"bm25": 0.0})
    gain = gain_of(some, np.arange(2), None, before, after, seed=0)
    assert gain.mean == pytest.approx((0.5 + 0) / 2)
    assert gain.count == 4


def test_a_fusion_that_leaves_out_every_lane_asked_finds_nothing():
    lanes = {"image": np.ones(3, np.float32)}
    assert Fusion(weights={"image": 0.0}).scores(lanes, MixtureParameters()) is None


def test_a_fusion_says_what_it_is():
    fusion = Fusion("zsum", {"bm25": 0.5, "image": 0.0})
    assert str(fusion) == "zsum, bm25 x 0.5, image left out"
    assert fusion.settings == 'method = "zsum"\nlane_weights = "bm25=0.5, image=0"'
