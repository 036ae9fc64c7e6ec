"""Rescoring stops early only where the exact best are known as well as was asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.search.rescoring import leading, rescored


class Asked:
    """Exact scores that note which were asked for."""

    def __init__(self, exact):
        self.exact, self.batches = np.asarray(exact, np.float32), []

    def __call__(self, rows):
        self.batches.append(rows.tolist())
        return self.exact[rows]

    @property
    def rows(self):
        return [row for batch in self.batches for row in batch]


def best(scores, k):
    return set(np.argsort(-np.asarray(scores), kind="stable")[:k].tolist())


def drawn(random, count, *, noise, slope=0.0):
    """Rough scores, and exact ones that differ by a residual that falls with the score, and by noise."""
    rough = random.standard_normal(count).astype(np.float32)
    return rough, (rough * (1 - slope) + 3 + noise * random.standard_normal(count)).astype(np.float32)


def found(count, *, k, recall, noise, slope=0.0, searches=60):
    """Mean recall, mean expected recall and mean share of units rescored over some searches."""
    results = []
    for seed in range(searches):
        rough, exact = drawn(np.random.default_rng(seed), count, noise=noise, slope=slope)
        known = rescored(rough, Asked(exact), k=k, recall=recall)
        recalled = len(best(exact, k) & set(known.rows.tolist())) / k
        results.append((recalled, known.expected_recall, len(known.rows) / count))
    return np.mean(results, axis=0)


@pytest.mark.parametrize("count", [0, 1, 7, 128, 129, 20_000])
@pytest.mark.parametrize("recall", [0.9, 1.0])
def test_rows_are_asked_once_and_are_those_ranked_first_and_a_few_controls(count, recall):
    rough, exact = drawn(np.random.default_rng(count), count, noise=0.1)
    rough = np.round(rough, 1)  # with ties
    asked = Asked(exact)
    known = rescored(rough, asked, k=10, recall=recall)
    assert asked.rows == known.rows.tolist()
    assert len(set(asked.rows)) == len(asked.rows)
    order = np.argsort(-rough, kind="stable")
    assert set(order[: len(asked.rows) - (64 if recall < 1 else 0)].tolist()) <= set(asked.rows)
    np.testing.assert_array_equal(known.scores[known.rows], exact[known.rows])
    assert np.isnan(np.delete(known.scores, known.rows)).all()


@pytest.mark.parametrize("count", [3, 300, 20_000])
def test_full_recall_rescores_every_unit_at_once(count):
    rough, exact = drawn(np.random.default_rng(0), count, noise=0.01)
    asked = Asked(exact)
    known = rescored(rough, asked, k=10, recall=1.0)
    assert sorted(known.rows) == list(range(count))
    assert known.expected_recall == 1
    assert len(asked.batches) == 1


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 30))
def test_units_without_rough_scores_do_not_exist(seed, count, k):
    random = np.random.default_rng(seed)
    rough, exact = drawn(random, count, noise=0.3)
    gone = random.random(count) < 0.5
    rough[gone] = exact[gone] = np.nan
    known = rescored(rough, Asked(exact), k=k, recall=1.0)
    assert sorted(known.rows) == np.flatnonzero(~gone).tolist()


def test_units_asked_for_besides_are_rescored_once_and_can_be_among_the_best():
    rough, exact = drawn(np.random.default_rng(4), 5000, noise=0.1)
    odd = np.argsort(rough)[[3, 0, 1]]  # last by rough scores, first by exact ones
    exact[odd] += 20
    asked = Asked(exact)
    known = rescored(rough, asked, k=10, recall=0.9, also=np.concatenate([odd, np.argsort(-rough)[:5]]))
    assert set(odd.tolist()) <= set(known.rows.tolist())
    assert len(set(asked.rows)) == len(asked.rows)
    assert len(known.rows) <= 200


@pytest.mark.parametrize("count", [0, 1, 40, 5000, 100_000])
def test_the_leading_units_are_those_of_a_sort(count):
    rough = np.round(np.random.default_rng(count).standard_normal(count), 1).astype(np.float32)  # with ties
    rough[1::3] = np.nan
    there = count - len(rough[1::3])
    order = np.argsort(-rough, kind="stable").tolist()
    for first in (1, 32, 20_000):
        assert leading(rough, first).tolist() == order[: min(first, there)]


def test_no_unit_exists():
    known = rescored(np.full(5, np.nan, np.float32), Asked(np.full(5, np.nan)), k=3, recall=0.9)
    assert len(known.rows) == 0
    assert np.isnan(known.scores).all()
    assert known.expected_recall == 1


def test_fewer_units_than_asked_for_are_all_rescored():
    known = rescored(np.arange(200, dtype=np.float32), Asked(np.zeros(200)), k=500, recall=0.5)
    assert len(known.rows) == 200
    assert known.expected_recall == 1


def test_exact_rough_scores_need_one_batch():
    scores = np.random.default_rng(1).standard_normal(50_000).astype(np.float32)
    asked = Asked(scores * 2 + 1)
    known = rescored(scores, asked, k=10, recall=0.999)
    assert len(asked.batches) == 1
    assert best(asked.exact, 10) <= set(known.rows.tolist())
    assert known.expected_recall > 0.999


def test_rough_scores_that_say_nothing_are_not_trusted():
    random = np.random.default_rng(2)
    rough, exact = random.standard_normal((2, 5000)).astype(np.float32)
    known = rescored(rough, Asked(exact), k=10, recall=0.95)
    assert len(known.rows) > 0.85 * 5000
    assert known.expected_recall >= 0.95


@pytest.mark.parametrize("count", [2000, 30_000])
@pytest.mark.parametrize(("noise", "slope"), [(0.3, 0.0), (0.3, 0.3), (0.5, 0.3)])
def test_recall_is_at_least_what_was_asked_and_nearly_what_was_expected(count, noise, slope):
    for recall in (0.9, 0.99):
        measured, expected, share = found(count, k=10, recall=recall, noise=noise, slope=slope)
        assert measured >= recall - 0.005
        assert -0.01 < measured - expected < 0.05
        assert share < 0.6


def test_more_recall_rescores_more_units():
    shares = [found(5000, k=10, recall=recall, noise=0.6)[2] for recall in (0.5, 0.9, 0.99, 0.999)]
    assert shares == sorted(set(shares))


def test_many_results_are_recalled_too():
    measured, _, share = found(20_000, k=500, recall=0.95, noise=0.3, searches=10)
    assert measured >= 0.95
    assert share < 0.5


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.25, 64.0]))
def test_the_scale_of_scores_does_not_matter(seed, factor):
    """Powers of two, by which floats are multiplied exactly."""
    rough, exact = drawn(np.random.default_rng(seed), 3000, noise=0.3)
    known = rescored(rough, Asked(exact), k=10, recall=0.95)
    scaled = rescored(rough * np.float32(factor), Asked(exact * factor), k=10, recall=0.95)
    assert scaled.rows.tolist() == known.rows.tolist()


@pytest.mark.parametrize("shift", [-8.0, 32.0])
def test_what_exact_scores_have_in_common_does_not_matter(shift):
    rough, exact = drawn(np.random.default_rng(5), 3000, noise=0.3)
    known = rescored(rough, Asked(exact), k=10, recall=0.95)
    shifted = rescored(rough, Asked(exact + shift), k=10, recall=0.95)
    assert len(shifted.rows) == pytest.approx(len(known.rows), abs=2)
