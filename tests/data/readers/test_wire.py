"""Messages between a reading process and its parent."""

from __future__ import annotations

import io
import os

import pytest

from plait.data.readers.wire import LateError, WireError, receive, send


def test_what_is_sent_is_received():
    stream = io.BytesIO()
    for message in ({"a": "Säge \ud800"}, {"b": [1, None, 2.5]}):
        send(stream, message)
    stream.seek(0)
    assert [receive(stream), receive(stream)] == [{"a": "Säge \ud800"}, {"b": [1, None, 2.5]}]


@pytest.mark.parametrize(
    "data", [b"", b"\0\0", b"\0" * 7 + b"\x05{}", b"\0" * 7 + b"\x02[]", b"\0" * 7 + b"\x03{a}", b"\xff" * 8]
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(WireError):
        receive(io.BytesIO(data))


def test_a_message_that_does_not_come_in_time_is_late():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as stream, os.fdopen(writing, "wb"), pytest.raises(LateError):
        receive(stream, timeout_seconds=0.05)
