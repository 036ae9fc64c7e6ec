"""Recordings, with the extra "video": a frame of each scene, and the subtitles beside the file, by time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from plait.data.readers.base import SUBTITLE_SUFFIXES, ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.decoding import decode
from plait.data.readers.media.scenes import Look, scenes
from plait.data.readers.media.subtitles import cues
from plait.data.readers.pictures import PictureStore, looks_blank
from plait.errors import ReadError
from plait.extras import require
from plait.schema import Document, Segment, TimeSpan

_LOOKS_A_SECOND = 4
_LOOK_PX = (64, 36)
_TICK_SECONDS = 10.0  # of the recording, after which the reader says that it goes on
_LARGEST_SUBTITLES_BYTES = 20 * 2**20
# Only local files, one thread: a container that names other files or addresses must not have them opened.
_OPTIONS = "protocol_whitelist;file|threads;1"


def read_video(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a recording as a document: frames at scene changes, and subtitles, in the order of time.

    Subtitles are files beside it of the same name ("talk.srt", "talk.en.vtt"); without them it can be
    found by its pictures and its name only.

    Raises:
        ReadError: it cannot be decoded.
        MissingExtraError: the extra "video" is not installed.
    """
    cv2 = _quiet(require("cv2"))
    capture = cv2.VideoCapture(os.fspath(task.path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise ReadError(task.source, "cannot be opened as a video", "convert it to MP4 (H.264)")
        recording = _Recording(cv2, capture, task, limits)
        frames = recording.frames()
    finally:
        capture.release()
    if not frames:
        raise ReadError(task.source, "no frame of it can be decoded", "convert it to MP4 (H.264)")
    spoken, warnings = _subtitles(task)
    ends = [*(frame.time.start for frame in frames[1:] if frame.time), recording.seconds]
    shown = [_until(frame, end) for frame, end in zip(frames, ends, strict=True)]
    segments = sorted([*shown, *spoken], key=_begin)
    return Document(
        id=document_id(task.source),
        title=title_from(task.path),
        source=task.source,
        metadata={"type": "video", "seconds": round(recording.seconds, 1), "scenes": len(frames)},
        segments=tuple(segments),
        warnings=(*recording.warnings, *warnings),
    )


class _Recording:
    """One open recording, read from its beginning to its end."""

    def __init__(self, cv2: Any, capture: Any, task: ReadTask, limits: ReadLimits) -> None:
        self._cv2 = cv2
        self._capture = capture
        self._task = task
        self._limits = limits
        self._frame: Any = None
        self.seconds = 0.0
        self.warnings: list[str] = []

    def frames(self) -> list[Segment]:
        """Return one image segment a scene; its time ends where it is shown."""
        store = PictureStore(self._task.spool, max_pixels=self._limits.max_pixels)
        found: list[Segment] = []
        for scene in scenes(self._looks()):
            image = Image.fromarray(self._cv2.cvtColor(self._frame, self._cv2.COLOR_BGR2RGB))
            if looks_blank(image):
                continue
            if len(found) >= self._limits.max_pages:
                self.warnings.append(f"only the first {len(found):,} scenes were read (max_pages)")
                break
            picture = store.draw(image, photographic=True)
            found.append(Segment("image", picture=picture, time=TimeSpan(scene.start, scene.shown)))
        return found

    def _looks(self) -> Iterator[tuple[float, Look]]:
        """Give some frames a second, reduced, with their times."""
        cv2, capture = self._cv2, self._capture
        wide, high = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if wide * high > self._limits.max_pixels:
            reason = f"has frames of {wide:.0f} x {high:.0f} pixels"
            raise ReadError(self._task.source, reason, "make it smaller, or raise max_pixels")
        due, told = 0.0, 0.0
        while capture.grab():
            seconds = max(self.seconds, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            self.seconds = seconds
            if seconds < due:
                continue
            due = seconds + 1 / _LOOKS_A_SECOND
            good, self._frame = capture.retrieve()
            if not good or self._frame is None:
                continue
            if seconds - told > _TICK_SECONDS:
                self._task.tick()
                told = seconds
            small = cv2.resize(self._frame, _LOOK_PX, interpolation=cv2.INTER_AREA)
            yield seconds, small.astype(np.float32) / 255


def _quiet(cv2: Any) -> Any:
    """Return the library, held to local files and one thread."""
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _OPTIONS
    cv2.setNumThreads(1)
    return cv2


def _subtitles(task: ReadTask) -> tuple[list[Segment], list[str]]:
    """Return the cues of the first subtitle file beside a recording that has any."""
    warnings = []
    for path in _beside(task):
        try:
            if path.stat().st_size > _LARGEST_SUBTITLES_BYTES:
                raise OSError("too large")
            found = cues(decode(path.read_bytes()).text)
        except OSError as error:
            warnings.append(f"the subtitles {path.name} cannot be read ({error.strerror or error})")
            continue
        if found:
            return list(found), warnings
        warnings.append(f"the subtitles {path.name} hold no cue that can be read")
    return [], warnings


def _beside(task: ReadTask) -> list[Path]:
    """Return the subtitle files of a recording's own name, that without a language first."""
    stem, root = task.path.stem, os.path.realpath(task.root)
    names = [
        path
        for path in sorted(task.path.parent.glob("*"))
        if path.suffix.lower() in SUBTITLE_SUFFIXES
        and (path.stem == stem or path.stem.rpartition(".")[0] == stem)
        and path.is_file()
        and os.path.commonpath((os.path.realpath(path), root)) == root
    ]
    return sorted(names, key=lambda path: (path.stem != stem, path.name))


def _until(frame: Segment, end: float) -> Segment:
    """Return a frame with the time up to the next scene."""
    start = frame.time.start if frame.time else 0.0
    return replace(frame, time=TimeSpan(start, max(start, end)))


def _begin(segment: Segment) -> tuple[float, bool]:
    return segment.time.start if segment.time else 0.0, segment.kind == "text"
