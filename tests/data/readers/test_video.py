"""Recordings and subtitles: what is shown and said, found at its time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from plait.data.readers import read_in_process
from plait.data.readers.base import ReadLimits
from plait.data.readers.media.scenes import Scene, scenes
from plait.data.readers.media.subtitles import cues
from plait.errors import ReadError
from plait.schema import Document, TimeSpan

Reading = Callable[..., Document]

_SRT = """1
00:00:00,500 --> 00:00:02,000
Hold the <i>red</i> lever.

2
00:00:03,000 --> 00:00:05,500
Now turn the valve
to the left.
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Nine seconds, three scenes of three seconds: noise in red, in green, in blue."""
    path = tmp_path / "pump service.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (160, 120))
    noise = np.random.default_rng(0).integers(100, 255, (120, 160), np.uint8)
    for number in range(90):
        frame = np.zeros((120, 160, 3), np.uint8)
        frame[:, :, 2 - number // 30] = noise
        writer.write(frame)
    writer.release()
    return path


def test_a_recording_gives_a_frame_for_each_scene_with_its_time(film: Path, read: Reading) -> None:
    document = read(film)
    spans = [segment.time for segment in document.segments if segment.time]
    assert document.title == "pump service"
    assert [round(span.start) for span in spans] == [0, 3, 6]
    assert [round(span.end) for span in spans] == [3, 6, 9]
    assert all(segment.picture is not None for segment in document.segments)
    assert document.metadata["seconds"] == pytest.approx(9, abs=0.2)


def test_subtitles_beside_it_stand_between_the_frames_by_time(film: Path, read: Reading) -> None:
    film.with_suffix(".srt").write_text(_SRT)
    film.with_name("another.srt").write_text(_SRT.replace("lever", "handle"))
    document = read(film)
    assert [s.text for s in document.segments if s.kind == "text"] == [
        "Hold the red lever.",
        "Now turn the valve to the left.",
    ]
    assert [s.kind for s in document.segments] == ["image", "text", "image", "text", "image"]
    assert document.segments[3].time == TimeSpan(3.0, 5.5)
    assert str(document.segments[3].time) == "0:03-0:05"


def test_a_broken_recording_says_what_to_do(tmp_path: Path, film: Path, read: Reading) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[:300])
    with pytest.raises(ReadError, match="convert it to MP4"):
        read(cut)


def test_the_first_scenes_are_kept_where_there_are_too_many(film: Path, spool: Path) -> None:
    document = read_in_process(film, source="film", spool=spool, limits=ReadLimits(max_pages=2))
    assert len(document.segments) == 2
    assert document.warnings == ("only the first 2 scenes were read (max_pages)",)


def test_a_subtitle_file_alone_is_a_document(tmp_path: Path, read: Reading) -> None:
    path = tmp_path / "talk.vtt"
    path.write_text(
        "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ada>Good morning\n\n"
        "00:02.000 --> 00:03.000\n<v Ada>Good morning\n\n01:00:00.000 --> 01:00:01.000\nThe end\n"
    )
    document = read(path)
    assert [(s.text, s.time) for s in document.segments] == [
        ("Ada: Good morning", TimeSpan(1.0, 3.0)),
        ("The end", TimeSpan(3600.0, 3601.0)),
    ]
    empty = tmp_path / "empty.srt"
    empty.write_text("nothing here\n")
    with pytest.raises(ReadError, match="no subtitles"):
        read(empty)


def test_a_scene_begins_where_the_picture_changes_for_good() -> None:
    black, white = np.zeros((4, 4, 3), np.float32), np.ones((4, 4, 3), np.float32)
    shown = [(t / 2, white if 6 <= t < 12 else black) for t in range(18)]  # white from 3 s to 6 s
    assert list(scenes(iter(shown))) == [Scene(0.0, 0.0), Scene(3.0, 3.5), Scene(6.0, 6.5)]
    assert list(scenes(iter([(0.0, black), (0.5, white)]))) == [Scene(0.0, 0.0)]
    assert list(scenes(iter([(0.0, black), (9.0, white)]))) == [Scene(0.0, 0.0), Scene(9.0, 9.0)]


def test_cues_of_hostile_times_do_no_harm() -> None:
    assert cues("1\n99999999999:00:00,000 --> 00:00:00,000\nwords\n") is not None
    assert cues("WEBVTT\n\n" + "-->\n" * 1000) == ()
