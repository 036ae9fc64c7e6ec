"""Messages between a reading process and its parent."""

from __future__ import annotations

import io
import os

import pytest

from plait.data.readers.sandbox.wire import Assembly, LateError, WireError, document_messages, receive, send
from plait.schema import Attachment, Box, Document, Link, Page, Picture, Segment, TimeSpan


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


@pytest.mark.parametrize(
    ("segments", "pages", "messages"), [(0, 0, 1), (3, 1, 1), (400, 0, 1), (401, 900, 3)]
)
def test_a_document_comes_whole_in_parts(segments, pages, messages):
    picture = Picture(path="a.png", sha256="0" * 64, width_px=3, height_px=2)
    full = Segment(
        kind="table",
        text="a | b",
        picture=picture,
        caption="Table 1",
        section=("A", "B"),
        page=2,
        box=Box(0.0, 0.1, 0.5, 1.0),
        anchor="x",
        label="Table 1",
        rows=(("a", "b"),),
        header_rows=1,
        role="notes",
        links=(Link("a", "b"),),
        time=TimeSpan(1.0, 2.5),
    )
    document = Document(
        id="1",
        title="t",
        source="s",
        metadata={"pages": 3, "draft": True},
        segments=tuple(full if i % 2 else Segment("text", text=f"{i} \ud800") for i in range(segments)),
        pages=tuple(Page(i, label="iv", picture=picture, text_from="ocr") for i in range(pages)),
        warnings=("w",),
        attachments=(Attachment("a", "b"),),
    )
    stream = io.BytesIO()
    sent = [send(stream, message) for message in document_messages(document)]
    stream.seek(0)
    assembly = Assembly()
    got = [assembly.add(receive(stream)) for _ in sent]
    assert len(sent) == messages
    assert got == [None] * (messages - 1) + [document]
