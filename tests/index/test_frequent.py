"""Impacts are kept for the terms that most items hold, within their bytes, however many threads ask."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from plait.index.frequent import FrequentImpacts

ITEMS = 80
TWO_TERMS = 2 * 4 * ITEMS


def row(term: int) -> np.ndarray:
    return np.full(ITEMS, term, np.float32)


def test_the_terms_of_most_holders_take_the_room_there_is():
    frequent = FrequentImpacts(ITEMS, most_bytes=TWO_TERMS + 1)
    computed: list[int] = []

    def of(term: int, holders: int) -> float | None:
        kept = frequent.of(term, holders, lambda: computed.append(term) or row(term))
        return None if kept is None else float(kept[0])

    assert [of(1, 20), of(2, 30), of(1, 20)] == [1, 2, 1]
    assert of(3, 25) == 3  # in place of the first
    assert [of(1, 20), of(2, 30), of(3, 25)] == [None, 2, 3]
    assert of(4, 40) == 4
    assert [of(2, 30), of(3, 25), of(4, 40)] == [2, None, 4]
    assert computed == [1, 2, 3, 4]


def test_a_term_of_few_items_is_not_kept_and_without_room_none_is():
    assert FrequentImpacts(ITEMS, most_bytes=TWO_TERMS).of(1, 10, lambda: row(1)) is None
    assert FrequentImpacts(ITEMS, most_bytes=TWO_TERMS).of(1, 11, lambda: row(1)) is not None
    assert FrequentImpacts(ITEMS, most_bytes=4 * ITEMS - 1).of(1, ITEMS, lambda: row(1)) is None
    assert FrequentImpacts(0, most_bytes=TWO_TERMS).of(1, 0, lambda: row(1)) is None


def test_asked_by_many_threads_each_gets_the_impacts_of_its_term_or_none():
    frequent = FrequentImpacts(ITEMS, most_bytes=TWO_TERMS)

    def ask(term: int) -> bool:
        kept = frequent.of(term, 20 + term, lambda: row(term))
        return kept is None or kept.tolist() == [term] * ITEMS

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, [number % 7 for number in range(2000)]))
    assert [frequent.of(term, 20 + term, lambda: row(0)) is not None for term in (5, 6)] == [True, True]
    assert frequent.of(0, 20, lambda: row(0)) is None
