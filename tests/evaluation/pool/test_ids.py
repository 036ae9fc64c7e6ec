"""Ids kept as bytes are the ids that came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plait.evaluation.pool.ids import Ids


@given(st.lists(st.text()))
def test_ids_are_what_came(names):
    ids = Ids(iter(names))
    assert list(ids) == names
    assert len(ids) == len(names)
    assert [ids[place] for place in range(len(names))] == names
