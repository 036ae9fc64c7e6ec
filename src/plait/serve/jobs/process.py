"""The process that adds files: it reads tasks, one JSON object a line, and answers in such lines."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

from plait.encode.base import Encoder
from plait.errors import PlaitError
from plait.library import Library, Progress
from plait.library.reports import ProgressCallback
from plait.serve.jobs.adding import UnfitError, WorkerError, added
from plait.serve.jobs.workers import Task
from plait.serve.processes import private_streams
from plait.settings import Settings

_NICE = 5  # searches go first; where they keep all processors busy, adding still gets about a tenth of one
_TELL_SECONDS = 0.2  # between two tellings of progress


def main(encoder: Encoder | None = None) -> None:
    """Add files to one library until the input ends, then end at once, even in the middle of one.

    Args:
        encoder: the library's; None loads it.
    """
    tasks, answers = private_streams()
    _step_back()
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks, waiting), daemon=True).start()
    library, tell = _Open(encoder), _Teller(answers)
    while True:
        _send(answers, library.done(_task(json.loads(waiting.get())), tell))


class _Open:
    """Keeps the library of the last task open."""

    def __init__(self, encoder: Encoder | None) -> None:
        self._encoder = encoder
        self._library: Library | None = None

    def done(self, task: Task, tell: ProgressCallback) -> Mapping[str, Any]:
        """Do a task, and return what to say of it."""
        try:
            if self._library is None:
                self._library = Library(task.folder, settings=task.settings, encoder=self._encoder)
            return {"reports": added(self._library, task.paths, tell)}
        except WorkerError as error:
            return {"broke": str(error)}
        except (UnfitError, PlaitError) as error:
            self._library = None  # the next task finds it as it is then
            return {"unfit": str(error)}


class _Teller:
    """Tells progress, but not more often than anybody looks."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() >= self._next or progress.done == progress.total:
            _send(self._answers, {"progress": asdict(progress)})
            self._next = time.monotonic() + _TELL_SECONDS


def _listen(tasks: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    for line in tasks:
        waiting.put(line)
    os._exit(0)  # nobody is left to add for; what was stored is durable


def _task(said: Mapping[str, Any]) -> Task:
    settings = replace(Settings(**said["settings"]), threads=1, read_workers=1)
    return Task(Path(said["folder"]), settings, tuple(map(Path, said["paths"])))


def _send(answers: BinaryIO, said: Mapping[str, Any]) -> None:
    try:
        answers.write(json.dumps(said).encode() + b"\n")
        answers.flush()
    except OSError:
        os._exit(0)


def _step_back() -> None:
    """Let searches go first, and be the first to go where memory runs out."""
    os.nice(_NICE)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("900", encoding="ascii")


if __name__ == "__main__":
    main()
