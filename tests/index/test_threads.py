"""Sharing a scan among threads: every item once, and the same scores."""

from __future__ import annotations

from threading import get_ident

import numpy as np
import pytest

from plait.index import threads
from plait.index.multi_vector import MultiVectors
from plait.index.threads import shared_out, workers_for


@pytest.mark.parametrize("count", [0, 1, 3, 100])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_item_is_scanned_once(count, workers):
    seen = np.zeros(count, int)

    def scan(first, last):
        seen[first:last] += 1

    shared_out(scan, count, workers=workers)
    assert (seen == 1).all()


def test_a_shared_scan_scores_as_one_thread_does(monkeypatch):
    random = np.random.default_rng(0)
    units = [random.standard_normal((n % 4, 3, 8)).astype(np.float32) for n in range(500)]
    scan = MultiVectors.of(units, tokens=3, width=8)
    query, weights = random.standard_normal((2, 5, 8)).astype(np.float32), np.array([0.5, 0.5], np.float32)
    mask = random.random(500) < 0.5
    alone = scan.scores(query, weights), scan.scores(query, weights, mask)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(threads, "_WORTH_A_THREAD", 1)
    np.testing.assert_allclose(scan.scores(query, weights), alone[0], atol=1e-5)
    np.testing.assert_allclose(scan.scores(query, weights, mask), alone[1], atol=1e-5)


def test_an_error_in_a_share_is_raised():
    def scan(first, last):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        shared_out(scan, 10, workers=2)


def test_a_scan_beside_another_stays_on_its_thread():
    seen = []

    def outer(first, last):
        shared_out(lambda first, last: seen.append((get_ident(), first, last)), 10, workers=4)

    shared_out(outer, 1, workers=1)
    assert seen == [(get_ident(), 0, 10)]
    shared_out(lambda first, last: seen.append((get_ident(), first, last)), 10, workers=2)
    assert [share[1:] for share in sorted(seen[1:], key=lambda share: share[1])] == [(0, 5), (5, 10)]


def test_workers_follow_the_work_and_the_users_limit(monkeypatch):
    monkeypatch.setattr(threads, "processors", lambda: 64)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [workers_for(products) for products in (0, 10**8, 7 * 10**8, 10**12)] == [1, 1, 2, 4]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert workers_for(10**12) == 1
