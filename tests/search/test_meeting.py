"""Queries that meet: each gets what it gets alone, and nothing is left of what another asked."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait.library import Library
from plait.schema import Document, Filter, Query, Segment
from plait.scoring.vectors import QueryVectors
from plait.search.meeting import Asking, Compared, Meeting

WORDS = ("safety valve", "filter basket", "boiler", "warm water", "valve under water")
LANES = ("bm25", "text")


@dataclass(frozen=True)
class CountingEncoder(TinyEncoder):
    """Tells how many queries it was given at once."""

    calls: list[int] = field(default_factory=list, compare=False)

    def encode_queries(self, queries: Sequence[Query]) -> list[QueryVectors]:
        self.calls.append(len(queries))
        return [self.encode_query(query) for query in queries]


@pytest.fixture
def meeting(tmp_path) -> Meeting:
    encoder = CountingEncoder()
    with Library(tmp_path, encoder=encoder) as library:
        texts = [Segment("text", f"Close the {words} now.") for words in WORDS]
        library.add_documents([Document(f"d{n}", "", f"d{n}", (text,)) for n, text in enumerate(texts)])
        yield Meeting(encoder, library.snapshot())


def same(one: Compared, other: Compared) -> bool:
    return one.rough.keys() == other.rough.keys() and all(
        np.array_equal(scores, other.rough[lane][0], equal_nan=True) and is_exact == other.rough[lane][1]
        for lane, (scores, is_exact) in one.rough.items()
    )


def asking(words: str) -> Asking:
    return Query.of(words), LANES


def test_what_is_done_ahead_is_what_each_gets_alone(meeting: Meeting) -> None:
    alone = [Meeting(meeting.encoder, meeting.snapshot).compared(*asking(words)) for words in WORDS]
    meeting.encoder.calls.clear()
    meeting.ahead([asking(words) for words in WORDS])
    found = [meeting.compared(*asking(words)) for words in WORDS]
    assert meeting.encoder.calls == [5]
    assert all(
        set(one.rough) == {"text"} and same(one, other) for one, other in zip(alone, found, strict=True)
    )


def test_another_query_or_other_lanes_are_asked_anew(meeting: Meeting) -> None:
    meeting.ahead([asking("boiler"), asking("valve")])
    meeting.encoder.calls.clear()
    assert not meeting.compared(Query.of("boiler"), ("bm25", "image")).rough
    meeting.compared(Query.of("boiler", filters=(Filter("type", "=", "html"),)), LANES)
    assert meeting.encoder.calls == [1, 1]
    meeting.ahead([])
    meeting.compared(*asking("boiler"))
    assert meeting.encoder.calls == [1, 1, 1]


def test_queries_with_filters_are_encoded_together_and_compared_for_themselves(meeting: Meeting) -> None:
    filtered = Query.of("boiler", filters=(Filter("source", "=", "d1"),)), LANES
    meeting.ahead([filtered, asking("boiler")])
    assert not meeting.compared(*filtered).rough
    assert meeting.compared(*filtered).vectors.fields.keys() == {"text"}


def test_long_queries_do_not_hold_up_others(meeting: Meeting) -> None:
    long = Query.of("valve " * 400), LANES
    meeting.ahead([long, asking("boiler"), asking("valve")])
    assert meeting.encoder.calls == [2]
    assert not meeting.compared(*long).rough


def test_threads_that_meet_get_their_own(meeting: Meeting) -> None:
    alone = {words: meeting.compared(*asking(words)) for words in WORDS}
    with ThreadPoolExecutor(4) as pool:
        every = WORDS * 20
        for words, found in zip(
            every, pool.map(lambda one: meeting.compared(*asking(one)), every), strict=True
        ):
            assert same(found, alone[words])
