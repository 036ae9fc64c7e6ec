"""`length_batches`: every row once, no limit broken, and no padding that sorting could have saved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.encode.batching import in_order, length_batches
from plait.errors import InputError

ROWS = st.lists(st.tuples(st.integers(0, 90), st.sampled_from("ab")), max_size=60)


def padding(lengths, rows):
    padded = max(lengths[row] for row in rows) * len(rows)
    return (padded - sum(lengths[row] for row in rows)) / max(1, padded)


@given(
    rows=ROWS,
    batch_size=st.none() | st.integers(1, 8),
    max_tokens=st.none() | st.integers(1, 300),
    max_padding=st.floats(0, 1),
)
def test_every_row_is_in_one_batch_and_no_limit_is_broken(rows, batch_size, max_tokens, max_padding):
    lengths, kinds = [length for length, _ in rows], [kind for _, kind in rows]
    batches = length_batches(
        lengths, kinds=kinds, batch_size=batch_size, max_tokens=max_tokens, max_padding=max_padding
    )
    assert sorted(row for batch in batches for row in batch) == list(range(len(rows)))
    for batch in batches:
        assert len({kinds[row] for row in batch}) == 1
        assert batch_size is None or len(batch) <= batch_size
        padded = max(lengths[row] for row in batch) * len(batch)
        assert max_tokens is None or len(batch) == 1 or padded <= max_tokens
        assert padding(lengths, batch) <= max_padding + 1e-9


@given(rows=ROWS, batch_size=st.integers(1, 8))
def test_batches_of_a_kind_do_not_overlap_in_length_and_all_but_one_are_full(rows, batch_size):
    lengths, kinds = [length for length, _ in rows], [kind for _, kind in rows]
    batches = length_batches(lengths, kinds=kinds, batch_size=batch_size)
    for kind in set(kinds):
        of_kind = [batch for batch in batches if kinds[batch[0]] == kind]
        in_turn = [lengths[row] for batch in of_kind for row in batch]
        assert in_turn == sorted(in_turn, reverse=True)
        assert all(len(batch) == batch_size for batch in of_kind[:-1])


@given(lengths=st.lists(st.integers(0, 90), max_size=40))
def test_findings_come_back_in_the_order_of_the_rows(lengths):
    batches = length_batches(lengths, batch_size=3)
    assert in_order(batches, [[lengths[row] for row in rows] for rows in batches]) == lengths


def test_worked_by_hand():
    lengths = [3, 10, 4, 9, 1]
    assert length_batches(lengths, batch_size=2) == [[1, 3], [2, 0], [4]]
    assert length_batches(lengths, max_tokens=20) == [[1, 3], [2, 0, 4]]
    # 10 and 9 pad 1 of 20; 4 and 3 pad 1 of 8, and 1 beside them would make it 4 of 12
    assert length_batches(lengths, max_padding=0.2) == [[1, 3], [2, 0], [4]]
    assert length_batches(lengths, kinds="xyxyx") == [[1, 3], [2, 0, 4]]
    assert length_batches([]) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": "a"}, "2 lengths but 1 kinds"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"max_padding": 1.5}, "max_padding is 1.5"),
    ],
)
def test_contradictions_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        length_batches([1, 2], **options)


def test_negative_lengths_and_findings_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="a length is -1"):
        length_batches([-1])
    with pytest.raises(InputError, match=r"batches of \[2\] rows, but findings of \[1\]"):
        in_order([[0, 1]], [["one"]])
