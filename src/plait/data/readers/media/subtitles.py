"""Subtitles and transcripts with times (SRT, WebVTT): each cue is a text segment with its time span."""

from __future__ import annotations

import re

import pysubs2

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.decoding import decode
from plait.errors import ReadError
from plait.schema import Document, Segment, TimeSpan

_MOST_CUES = 100_000
_SPEAKER = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]{1,80})>")


def read_subtitles(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a subtitle file as a document of timed text segments.

    Raises:
        ReadError: no cue with words can be made out.
    """
    decoded = decode(task.path.read_bytes())
    segments = cues(decoded.text)
    if not segments:
        raise ReadError(task.source, "holds no subtitles that can be read", "save it as SRT or WebVTT")
    damaged = ("some bytes are not valid text and were replaced",) if decoded.damaged else ()
    return Document(
        id=document_id(task.source),
        title=title_from(task.path),
        source=task.source,
        metadata={"type": "subtitles"},
        segments=segments,
        warnings=damaged,
    )


def cues(text: str) -> tuple[Segment, ...]:
    """Return the cues of an SRT or WebVTT text, in the order of their times; () where there are none.

    A cue that repeats the words of the one before, as captions that roll up do, only lengthens it.
    """
    kind = "vtt" if text.lstrip("\ufeff\n\r ").startswith("WEBVTT") else "srt"
    try:
        parsed = pysubs2.SSAFile.from_string(_SPEAKER.sub(r"\1: ", text), format_=kind)
    except (pysubs2.exceptions.Pysubs2Error, ValueError, OverflowError):
        return ()
    found: list[Segment] = []
    for event in sorted(parsed, key=lambda event: (event.start, event.end))[:_MOST_CUES]:
        words = " ".join(event.plaintext.split())
        start = max(0, event.start) / 1000
        span = TimeSpan(start, max(start, event.end / 1000))
        if not words or event.is_comment:
            continue
        if found and found[-1].text == words and found[-1].time is not None:
            found[-1] = Segment("text", text=words, time=TimeSpan(found[-1].time.start, span.end))
        else:
            found.append(Segment("text", text=words, time=span))
    return tuple(found)
