"""Who adds a file: a gentle process of its own, or, with an encoder of the caller's, this one."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from plait.encode.base import Encoder
from plait.errors import PlaitError
from plait.library import Library, Progress
from plait.library.reports import ProgressCallback
from plait.serve.jobs.adding import UnfitError, WorkerError, added
from plait.serve.processes import ended, environment
from plait.settings import Settings

_PATIENCE_SECONDS = 5.0  # with a process that has closed its pipes: to learn how it ended
_SILENT_SECONDS = 3600.0  # without a sign of life; no step of an `add` takes nearly as long
# -P: modules are never imported from the folder the user happens to stand in.
_PROGRAM = (sys.executable, "-P", "-m", "plait.serve.jobs.process")


@dataclass(frozen=True, slots=True)
class Task:
    """Some files to add together.

    Attributes:
        folder, settings: of the library.
        paths: of the files.
    """

    folder: Path
    settings: Settings
    paths: tuple[Path, ...]


class Worker(Protocol):
    """Adds files."""

    def add(self, task: Task, tell: ProgressCallback) -> Sequence[Mapping[str, Any]]:
        """Add the files of a task, and return what became of each, as `Job.report`.

        Raises:
            WorkerError: it broke down.
            UnfitError: the library cannot take them now.
        """
        ...

    def rest(self) -> None:
        """Let go of what is held for the next task; none is at hand."""
        ...

    def stop(self) -> None:
        """End, if need be in the middle of a task; another thread calls it."""
        ...


class InProcess:
    """Adds in the workshop's own thread, with an encoder that a process of its own could not load."""

    def __init__(self, encoder: Encoder | None = None) -> None:
        self._encoder = encoder

    def add(self, task: Task, tell: ProgressCallback) -> Sequence[Mapping[str, Any]]:
        try:
            library = Library(task.folder, settings=task.settings, encoder=self._encoder)
        except PlaitError as error:
            raise UnfitError(str(error)) from error
        with library:
            return added(library, task.paths, tell)

    def rest(self) -> None: ...

    def stop(self) -> None: ...


class OwnProcess:
    """Adds in a process of low priority, on one thread, which ends when there is nothing to do.

    Each library has a process of its own, one after the other: nothing of one gets into the next. It ends
    with this process, whatever ends that: what it reads its tasks from is closed then.

    Args:
        program: the command; it runs `process.main`.
        silent_seconds: after so long without a sign of life it is ended.
    """

    def __init__(self, program: Sequence[str] = _PROGRAM, *, silent_seconds: float = _SILENT_SECONDS) -> None:
        self._program = program
        self._silent_seconds = silent_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._stopped = False

    def add(self, task: Task, tell: ProgressCallback) -> Sequence[Mapping[str, Any]]:
        if task.folder != self._folder:
            self.rest()
        self._folder = task.folder
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(_line(task))
            while "progress" in (said := self._answer(process)):
                tell(Progress(**said["progress"]))
        except OSError as error:
            raise WorkerError(f"the process that added it {self._end(process, error)} ({error})") from error
        if "unfit" in said:
            raise UnfitError(said["unfit"])
        if "broke" in said:
            raise WorkerError(said["broke"])
        reports: list[Mapping[str, Any]] = said["reports"]
        return reports

    def rest(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            ended(process)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise WorkerError("it was stopped")
            if self._process is not None and self._process.poll() is not None:  # it died, but of no file
                ended(self._process)
                self._process = None
            if self._process is None:
                self._process = subprocess.Popen(
                    self._program,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    bufsize=0,
                    env=environment(os.environ),
                    start_new_session=True,  # Ctrl-C is for the server, which ends it
                )
            return self._process

    def _answer(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """Return the next thing the process says.

        Raises:
            OSError: it says nothing, or ended.
        """
        assert process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([process.stdout], [], [], self._silent_seconds)[0]:
                raise TimeoutError(f"no sign of life for {self._silent_seconds:g} s")
            piece = process.stdout.read(1 << 16)
            if not piece:
                raise BrokenPipeError("no answer")
            line += piece
        said: dict[str, Any] = json.loads(line.splitlines()[-1])
        return said

    def _end(self, process: subprocess.Popen[bytes], error: OSError) -> str:
        """End the process, and return how it ended, in words."""
        with self._lock:
            self._process = None
        return ended(process, patience_seconds=0 if isinstance(error, TimeoutError) else _PATIENCE_SECONDS)


def _line(task: Task) -> bytes:
    paths = [str(path) for path in task.paths]
    said = {"folder": str(task.folder), "settings": asdict(task.settings), "paths": paths}
    return json.dumps(said).encode() + b"\n"
