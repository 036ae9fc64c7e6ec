"""One reading process: started when needed, asked a file at a time, replaced when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from plait.data.readers.base import ReadLimits, ReadTask, document_id
from plait.data.readers.sandbox.confinement import OCR_TICKS, Confinement, largest_file_mb
from plait.data.readers.sandbox.wire import (
    LARGEST_DOCUMENT_BYTES,
    Assembly,
    EndedError,
    LateError,
    WireError,
    parsed,
    receive_bytes,
    send,
)
from plait.errors import ReadError
from plait.schema import Document, Picture

# What a parser leaks goes with its process.
_FILES_A_CHILD = 2000
# A parser that runs out of address space usually aborts; this full, that is why it did.
_FULL = 0.6
_LOOK_MS = 20  # how often its memory is looked at
# -P: modules are never imported from the folder the user happens to stand in.
_PROGRAM = ("-P", "-m", "plait.data.readers.sandbox.worker")
_PICTURE_NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,5}")
_REPAIR = "repair it (printing it to a new PDF often helps), or leave it out"
_REPORT = "report it with the file, or leave it out"
# What libraries may need of the environment; keys and tokens are none of their business.
_ENVIRONMENT = frozenset(
    {"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "TZ", "VIRTUAL_ENV"}
)


class _DrainedError(ReadError):
    """The process had no memory left."""


class Child:
    """A reading process and what it may cost and see.

    Args:
        limits: what one file may cost.
        roots: the folders and files it may read; None means all.
    """

    def __init__(self, limits: ReadLimits, roots: Sequence[Path] | None = None) -> None:
        self._limits = limits
        self._roots = roots
        self._spool: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._files = 0
        self._was_used = False
        self._peak_mb = 0.0
        self._closed = False
        self._lock = threading.Lock()

    def read(self, task: ReadTask, *, spool: Path, limits: ReadLimits | None = None) -> Document:
        """Return the file as a document.

        Args:
            task: the file.
            spool: the folder that the child may write into; the task's own lies in it, or is it.
            limits: what is left of `max_attachments` and `max_unpacked_mb`, where the file is an attachment.

        Raises:
            ReadError: whatever went wrong.
        """
        try:
            return self._read(task, spool, limits or self._limits)
        except _DrainedError:
            if not self._was_used:
                raise
            # What the files before it leaked is no fault of its own.
            return self._read(task, spool, limits or self._limits)

    def close(self) -> None:
        """End the process for good."""
        with self._lock:
            self._closed = True
        self._end()

    def _read(self, task: ReadTask, spool: Path, limits: ReadLimits) -> Document:
        process = self._started(task.source, spool)
        self._was_used = self._files > 0
        self._files += 1
        try:
            return self._ask(process, task, limits)
        except LateError:
            self._end()
            reason = f"took longer than {self._limits.wall_seconds} s"
            raise ReadError(task.source, reason, "split it, or raise read_wall_seconds") from None
        except (EndedError, OSError):
            raise self._death(process, task.source) from None
        except WireError:
            self._end()
            raise ReadError(task.source, "its parser gave a malformed answer", _REPORT) from None

    def _started(self, source: str, spool: Path) -> subprocess.Popen[bytes]:
        """Return the running process, renewed when it is old or confined to another spool."""
        if self._files >= _FILES_A_CHILD or spool != self._spool:
            self._end()
        with self._lock:
            if self._closed:
                raise ReadError(source, "reading was stopped", "add it again")
            if self._process is None:
                self._process = _spawn(self._limits, Confinement(self._roots, spool))
                self._files, self._spool = 0, spool
            return self._process

    def _ask(self, process: subprocess.Popen[bytes], task: ReadTask, limits: ReadLimits) -> Document:
        """Send a task and put its answer together."""
        request = {name: str(getattr(task, name)) for name in ("path", "source", "root", "spool")}
        left = {name: getattr(limits, name) for name in ("max_attachments", "max_unpacked_mb")}
        send(cast(BinaryIO, process.stdin), {**request, **left})
        assembly = Assembly()
        for message in self._messages(process):
            if "part" not in message:
                self._refuse(message, task.source)
            document = assembly.add(message)
            if document is not None:
                return _checked(document, task)
        raise WireError("an answer of too many bytes or messages")

    def _messages(self, process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
        """Give what the process answers; each heartbeat lets its time begin again."""
        stream = cast(BinaryIO, process.stdout)
        heartbeats = 2 + self._limits.max_pages // OCR_TICKS
        self._peak_mb, size = 0.0, 0
        deadline = time.monotonic() + self._limits.wall_seconds
        while size <= LARGEST_DOCUMENT_BYTES and heartbeats > 0:
            self._watch(process, deadline)
            data = receive_bytes(stream, timeout_seconds=max(0.0, deadline - time.monotonic()))
            size += len(data)
            message = parsed(data)
            if "heartbeat" in message:
                heartbeats -= 1
                deadline = time.monotonic() + self._limits.wall_seconds
            else:
                yield message

    def _watch(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        """Wait for the next message, looking at the process's memory meanwhile."""
        poll = select.poll()
        poll.register(cast(BinaryIO, process.stdout), select.POLLIN)
        while not poll.poll(_LOOK_MS) and time.monotonic() < deadline:
            self._peak_mb = max(self._peak_mb, _peak_mb(process))

    def _refuse(self, answer: dict[str, Any], source: str) -> NoReturn:
        """Raise why there is no document."""
        failed = answer.get("failed")
        if isinstance(failed, dict):
            raise ReadError(source, str(failed.get("reason")), str(failed.get("remedy")))
        # The process has lived through it, but its memory may be in pieces.
        self._end()
        if answer.get("out_of_memory"):
            raise self._out_of_memory(source)
        raise ReadError(source, f"its parser failed ({answer.get('crashed')})", _REPORT)

    def _death(self, process: subprocess.Popen[bytes], source: str) -> ReadError:
        """Return why a process ended while it read a file, and let the next file start a new one."""
        with self._lock:
            if self._process is process:
                self._process = None
        _kill(process)  # it may have closed the pipe and live on
        code = _reap(process)
        if code == -signal.SIGXCPU:
            reason = f"took longer than {self._limits.cpu_seconds} s of CPU"
            return ReadError(source, reason, "split it, or raise read_cpu_seconds")
        if code == -signal.SIGXFSZ:
            return ReadError(source, f"wanted to write over {largest_file_mb(self._limits)} MB", _REPAIR)
        if code == -signal.SIGKILL:  # never by our own limits: those abort or raise
            return ReadError(
                source, "its reader was killed, perhaps for memory", "free memory, then add it again"
            )
        if code < 0 and self._peak_mb > _FULL * self._limits.memory_mb:
            return self._out_of_memory(source)
        if code < 0:
            return ReadError(source, f"its parser crashed ({signal.Signals(-code).name})", _REPAIR)
        return ReadError(source, f"its reader ended with status {code}", _REPORT)

    def _out_of_memory(self, source: str) -> ReadError:
        memory_mb, name = self._limits.memory_mb, "read_memory_mb"
        if self._peak_mb > memory_mb:  # it had been granted what recognition may take
            memory_mb, name = memory_mb + self._limits.ocr_memory_mb, "ocr_memory_mb"
        return _DrainedError(source, f"needed more than {memory_mb} MB", f"split it, or raise {name}")

    def _end(self) -> None:
        """End the process; the next file starts another."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            _kill(process)
            _reap(process)


def pictures_of(document: Document) -> list[Picture]:
    """Return every picture that a document refers to."""
    shown = [segment.picture for segment in document.segments] + [page.picture for page in document.pages]
    return [picture for picture in shown if picture is not None]


def _spawn(limits: ReadLimits, confinement: Confinement) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT or name[:3] == "LC_"}
    # One thread in each library: the address space of idle ones would count against the limit.
    few = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    orders = json.dumps({"limits": asdict(limits), **confinement.to_dict()})
    return subprocess.Popen(
        [sys.executable, *_PROGRAM, orders],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={**kept, **few},
        start_new_session=True,
    )


def _checked(document: Document, task: ReadTask) -> Document:
    """Return a document that is what was asked for, and whose pictures are files of its spool.

    A hijacked child could name any file, or lead to it by a link.

    Raises:
        ReadError: it is not.
    """
    paths = {picture.path: picture.sha256 for picture in pictures_of(document)}
    if any(not _is_own(Path(path), sha256, task.spool) for path, sha256 in paths.items()):
        raise ReadError(task.source, "its parser gave a picture outside the spool", _REPORT)
    if document.source != task.source or document.id != document_id(task.source):
        raise ReadError(task.source, "its parser gave another document", _REPORT)
    return document


def _is_own(path: Path, sha256: str, spool: Path) -> bool:
    if path.parent != spool or not _PICTURE_NAME.fullmatch(path.name) or path.stem != sha256:
        return False
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def _peak_mb(process: subprocess.Popen[bytes]) -> float:
    """Return the most address space a running process has had, in MB; 0 where that cannot be seen.

    Asked while it runs: what the kernel says at its end counts the parent's peak too.
    """
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    peak = status.partition("VmPeak:")[2].split(maxsplit=1)
    return int(peak[0]) / 1024 if peak else 0.0


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _reap(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process that has ended or was killed; return its exit code."""
    code = process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):  # unsent bytes to a dead process
                stream.close()
    return code
