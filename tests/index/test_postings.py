"""Postings joined, thinned out and grouped hold what postings of the same items made anew would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.index import postings as module
from plait.index.bm25 import postings_of
from plait.index.lexical import Terms, term_counts, term_hash
from plait.index.postings import GroupedPostings, Postings

TEXT = st.lists(st.sampled_from(["red", "blue", "cat", "dog"]), max_size=6).map(" ".join)
TEXTS = st.lists(TEXT, max_size=6)


def terms(texts: list[str]) -> list[Terms]:
    return [term_counts(text) for text in texts]


def content(postings: Postings) -> list[list[int]]:
    parts = (postings.hashes, postings.offsets, postings.items, postings.counts, postings.lengths)
    return [part.tolist() for part in parts]


def held(source: Postings | GroupedPostings, *words: str) -> list[dict[int, int]]:
    found = source.holders(np.array([term_hash(word) for word in words], np.uint64))
    return [dict(zip(items.tolist(), counts.tolist(), strict=True)) for items, counts in found]


def test_postings_by_hand():
    postings = postings_of(terms(["cat dog cat", "", "dog"]))
    assert held(postings, "dog", "bird", "cat") == [{0: 1, 2: 1}, {}, {0: 2}]
    assert postings.lengths.tolist() == [3, 0, 1]
    assert len(postings.hashes) == 2


@settings(deadline=None)  # a busy machine is no failure
@given(TEXTS, TEXTS)
def test_joined_postings_are_those_of_all_items(first, second):
    joined = Postings.joined(postings_of(terms(first)), postings_of(terms(second)))
    assert content(joined) == content(postings_of(terms([*first, *second])))


@settings(deadline=None)  # a busy machine is no failure
@given(TEXTS, st.data())
def test_postings_of_some_items_are_those_of_them_alone(texts, data):
    kept = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))
    left = [text for text, stays in zip(texts, kept, strict=True) if stays]
    only = postings_of(terms(texts)).only(np.array(kept, np.bool_))
    assert content(only) == content(postings_of(terms(left)))


@pytest.mark.parametrize("many", [1, 2, 100])
@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(TEXTS.filter(len), max_size=4))
def test_a_group_holds_the_words_of_its_items_together(many, groups):
    items = postings_of(terms([text for group in groups for text in group]))
    of_items = np.repeat(np.arange(len(groups), dtype=np.uint16), [len(group) for group in groups])
    expected = postings_of(terms([" ".join(group) for group in groups]))
    words = ("red", "blue", "cat", "dog", "bird")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MANY", many)  # all terms are frequent, some, none
        patch.setattr(module, "_AT_ONCE", 2)  # so that the others take several steps
        grouped = GroupedPostings.of(items, of_items)
        assert held(grouped, *words) == held(expected, *words)
    assert grouped.lengths.tolist() == expected.lengths.tolist()


@pytest.mark.parametrize(("often", "dtype"), [(255, np.uint8), (256, np.uint16)])
def test_counts_take_a_byte_where_that_suffices(often, dtype):
    postings = postings_of(terms(["cat " * often]))
    assert postings.counts.dtype == dtype
    assert held(postings, "cat") == [{0: often}]


def test_no_count_is_above_what_is_stored():
    postings = postings_of(terms(["cat " * 40_000, "cat " * 40_000]))
    grouped = GroupedPostings.of(postings, np.zeros(2, np.uint16))
    assert held(grouped, "cat") == [{0: 65_535}]
    assert grouped.lengths.tolist() == [80_000]


def test_joining_bytes_with_larger_counts_loses_none():
    few, many = postings_of(terms(["cat"])), postings_of(terms(["cat " * 300]))
    assert held(Postings.joined(few, many), "cat") == [{0: 1, 1: 300}]
