"""Reading files in child processes that may crash, hang or grow, without harm to this one."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, BinaryIO, Protocol, TypeVar, cast

from plait.data.readers.base import ReadLimits, ReadTask, document_id
from plait.data.readers.wire import LateError, WireError, receive, send
from plait.errors import ReadError
from plait.schema import Document

# What a parser leaks goes with its process.
_FILES_A_CHILD = 200
_AHEAD = 4  # files read ahead of the caller, for each worker
# A parser that runs out of address space usually aborts; this full, that is why it did.
_FULL = 0.6
_LOOK_MS = 20  # how often its memory is looked at


class Readable(Protocol):
    """What `ReaderPool.read_many` reads."""

    @property
    def path(self) -> Path: ...
    @property
    def source(self) -> str: ...
    @property
    def root(self) -> Path: ...


Item = TypeVar("Item", bound=Readable)


class ReaderPool:
    """Child processes that read files; use it as a context manager.

    Each child reads one file at a time under the limits, is replaced when it dies, and is renewed
    after some hundred files. Children die with this process.

    Args:
        workers: how many files are read at once.
        limits: what one file may cost.
    """

    def __init__(self, workers: int, limits: ReadLimits) -> None:
        self._limits = limits
        self._children = [_Child(limits) for _ in range(max(1, workers))]
        self._idle: SimpleQueue[_Child] = SimpleQueue()
        for child in self._children:
            self._idle.put(child)
        self._threads = ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="plait-read")

    def read(
        self, path: str | Path, *, source: str, spool: str | Path, root: str | Path | None = None
    ) -> Document:
        """Return a file as a document, read by a child.

        Args:
            path: the file.
            source: how the user names it.
            spool: an existing folder; the child writes pictures into it.
            root: the folder that the file's pictures may come from; None means its own.

        Raises:
            ReadError: whatever went wrong, the death of the child included.
        """
        task = ReadTask(
            Path(path), source, Path(root) if root is not None else Path(path).parent, Path(spool)
        )
        # Always by the pool's own threads: the kernel ends a child with the thread that started it.
        return self._threads.submit(self._read, task).result()

    def read_many(
        self, items: Iterable[Item], *, spool: str | Path
    ) -> Iterator[tuple[Item, Document | ReadError]]:
        """Read files in order, some ahead of the caller; memory holds only those.

        Args:
            items: files with `path`, `source` and `root`.
            spool: an existing folder; each file's pictures go into a folder of its own in it, named
                `document_id(source)`, so that the caller can delete one file's while others are read.
        """
        source = iter(items)
        pending: deque[tuple[Item, Future[Document | ReadError]]] = deque()
        try:
            while True:
                while len(pending) < _AHEAD * len(self._children):
                    item = next(source, None)
                    if item is None:
                        break
                    own = Path(spool) / document_id(item.source)
                    own.mkdir(exist_ok=True)
                    task = ReadTask(item.path, item.source, item.root, own)
                    pending.append((item, self._threads.submit(self._outcome, task)))
                if not pending:
                    return
                item, future = pending.popleft()
                yield item, future.result()
        finally:
            for _, future in pending:
                future.cancel()

    def close(self) -> None:
        """End the children, at once; a file being read is lost."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            child.close()
        self._threads.shutdown(wait=True)

    def __enter__(self) -> ReaderPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, task: ReadTask) -> Document:
        child = self._idle.get()
        try:
            return child.read(task)
        finally:
            self._idle.put(child)

    def _outcome(self, task: ReadTask) -> Document | ReadError:
        try:
            return self._read(task)
        except ReadError as error:
            return error


class _Child:
    """One reading process, started when first needed and again whenever it has ended."""

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._files = 0
        self._peak_mb = 0.0
        self._closed = False
        self._lock = threading.Lock()

    def read(self, task: ReadTask) -> Document:
        """Return the file as a document.

        Raises:
            ReadError: whatever went wrong.
        """
        process = self._started(task.source)
        try:
            answer = self._ask(process, task)
        except LateError:
            self._renew()
            reason = f"took longer than {self._limits.wall_seconds} s"
            raise ReadError(task.source, reason, "split it, or raise read_wall_seconds") from None
        except (WireError, OSError):
            raise self._death(process, task.source) from None
        self._files += 1
        return self._document(answer, task.source, task.spool)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            _kill(process)
            _reap(process)

    def _started(self, source: str) -> subprocess.Popen[bytes]:
        """Return the running process, renewed when it is old."""
        with self._lock:
            if self._closed:
                raise ReadError(source, "reading was stopped", "add it again")
            if self._process is not None and self._files >= _FILES_A_CHILD:
                _kill(self._process)
                _reap(self._process)
                self._process = None
            if self._process is None:
                self._process = _spawn(self._limits)
                self._files = 0
            return self._process

    def _document(self, answer: dict[str, Any], source: str, spool: Path) -> Document:
        """Turn a child's answer into a document, or raise why there is none."""
        if "document" in answer:
            try:
                document = Document.from_dict(answer["document"])
            except (KeyError, TypeError, ValueError, AttributeError):
                raise ReadError(source, "its parser gave a malformed answer", _REPORT) from None
            if _outside(document, spool):
                raise ReadError(source, "its parser gave a picture outside the spool", _REPORT)
            return document
        if "failed" in answer:
            raise ReadError(source, str(answer["failed"]["reason"]), str(answer["failed"]["remedy"]))
        # The process has lived through it, but its memory may be in pieces.
        self._renew()
        if answer.get("out_of_memory"):
            raise self._out_of_memory(source)
        raise ReadError(source, f"its parser failed ({answer.get('crashed')})", _REPORT)

    def _ask(self, process: subprocess.Popen[bytes], task: ReadTask) -> dict[str, Any]:
        """Send a task and wait for its answer, looking at the process's memory meanwhile."""
        deadline = time.monotonic() + self._limits.wall_seconds
        stream = cast(BinaryIO, process.stdout)
        send(
            cast(BinaryIO, process.stdin),
            {name: str(getattr(task, name)) for name in ("path", "source", "root", "spool")},
        )
        self._peak_mb = 0.0
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        while not poll.poll(_LOOK_MS) and time.monotonic() < deadline:
            self._peak_mb = max(self._peak_mb, _peak_mb(process))
        return receive(stream, timeout_seconds=max(0.0, deadline - time.monotonic()))

    def _death(self, process: subprocess.Popen[bytes], source: str) -> ReadError:
        """Return why a process ended while it read a file, and let the next file start a new one."""
        with self._lock:
            if self._process is process:
                self._process = None
        _kill(process)  # what sent a malformed message may still run
        code = _reap(process)
        if code == -signal.SIGXCPU:
            reason = f"took longer than {self._limits.cpu_seconds} s of CPU"
            return ReadError(source, reason, "split it, or raise read_cpu_seconds")
        if code == -signal.SIGXFSZ:
            return ReadError(source, "wanted to write a picture of over 256 MB", _REPAIR)
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
        reason = f"needed more than {self._limits.memory_mb} MB"
        return ReadError(source, reason, "split it, or raise read_memory_mb")

    def _renew(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            _kill(process)
            _reap(process)


_REPAIR = "repair it (printing it to a new PDF often helps), or leave it out"
_REPORT = "report it with the file, or leave it out"


def _spawn(limits: ReadLimits) -> subprocess.Popen[bytes]:
    # One thread in each library: the address space of idle ones would count against the limit.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    # -P: modules are never imported from the folder the user happens to stand in.
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "plait.data.readers.worker", json.dumps(asdict(limits))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=environment,
        start_new_session=True,
    )


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


def _outside(document: Document, spool: Path) -> bool:
    """Tell whether a picture lies anywhere but in the spool; a hijacked child could name any file."""
    pictures = [segment.picture for segment in document.segments] + [page.picture for page in document.pages]
    return any(picture is not None and Path(picture.path).parent != spool for picture in pictures)
