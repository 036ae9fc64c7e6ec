"""Cursors: they come back as they were, and with no other request than their own."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import InputError
from plait.schema import Query, SearchRequest
from plait.search.paging import Cursor, read, written

REQUEST = SearchRequest(Query.of("gear"), k=5)
keys = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.sampled_from(["", "p0", "f12", "t3"])), max_size=9)


@given(keys.map(tuple), keys.map(tuple), st.integers(0, 10**6))
def test_a_cursor_survives_its_text(
    shown: tuple[tuple[int, str], ...], rest: tuple[tuple[int, str], ...], distant: int
) -> None:
    cursor = Cursor(shown, rest, distant)
    assert read(replace(REQUEST, cursor=written(cursor, REQUEST))) == cursor


def test_the_number_of_hits_may_change_from_page_to_page() -> None:
    cursor = Cursor(((7, ""),), ((8, "f0"),))
    assert read(replace(REQUEST, k=50, cursor=written(cursor, REQUEST))) == cursor


@pytest.mark.parametrize(
    "other",
    [{"query": Query.of("wheel")}, {"kind": "figure"}, {"fold": False}, {"distant": True}, {"depth": 100}],
)
def test_a_cursor_is_refused_with_another_request(other: dict[str, object]) -> None:
    cursor = written(Cursor((), ((8, ""),)), REQUEST)
    with pytest.raises(InputError, match="another request"):
        read(replace(REQUEST, cursor=cursor, **other))  # type: ignore[arg-type]


GOOD = base64.urlsafe_b64decode(written(Cursor(((7, ""),), ((8, "f0"),)), REQUEST) + "==")


@given(st.binary(max_size=80) | st.integers(0, len(GOOD) - 1).map(lambda size: GOOD[:size]))
def test_what_is_no_cursor_is_refused(data: bytes) -> None:
    text = base64.urlsafe_b64encode(data).decode()
    if text:
        with pytest.raises(InputError, match="cursor"):
            read(replace(REQUEST, cursor=text))


@given(st.text(min_size=1, max_size=30))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="cursor"):
        read(replace(REQUEST, cursor=text))
