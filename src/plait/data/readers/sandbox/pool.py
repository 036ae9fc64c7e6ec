"""Reading files in child processes that may crash, hang or grow, without harm to this one."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from plait.data.readers.base import ARCHIVE_SUFFIXES, MAIL_SUFFIXES, ReadLimits, ReadTask, document_id
from plait.data.readers.sandbox.attachments import Allowance, members_of
from plait.data.readers.sandbox.child import Child, pictures_of
from plait.errors import ReadError
from plait.schema import Document

# Read ahead of the caller, for each worker: so many files, of so many bytes together, and of what
# unpacks to the disk one only.
_AHEAD = 4
_AHEAD_BYTES = 64 * 2**20
_UNPACKED = ARCHIVE_SUFFIXES | MAIL_SUFFIXES


class Readable(Protocol):
    """What `ReaderPool.read_many` reads."""

    @property
    def path(self) -> Path: ...
    @property
    def source(self) -> str: ...
    @property
    def root(self) -> Path: ...


Item = TypeVar("Item", bound=Readable)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item]):
    """What became of one file: an item of the caller's, or an attachment of one.

    Attributes:
        item: the item, also for its attachments.
        source: the file's name; of an attachment, "outer.zip!/name".
        path: the file that was read; an attachment's is there until the next outcome is asked for.
        spool: the folder of this document's pictures; the caller deletes it when it has stored them.
        result: the document, or why there is none.
        is_last: whether this is the item itself, which comes after all its attachments.
    """

    item: Item
    source: str
    path: Path
    spool: Path
    result: Document | ReadError
    is_last: bool


class ReaderPool:
    """Child processes that read files; use it as a context manager.

    Each child reads one file at a time under the limits, is replaced when it dies, and is renewed
    after some hundred files. Children die with this process.

    Args:
        workers: how many files are read at once.
        limits: what one file may cost.
        roots: the folders and files that may be read; None means all that this process may read.
    """

    def __init__(self, workers: int, limits: ReadLimits, roots: Sequence[Path] | None = None) -> None:
        self._limits = limits
        self._roots = None if roots is None else tuple(Path(os.path.realpath(root)) for root in roots)
        self._starts = tuple(f"{str(root).rstrip('/')}/" for root in self._roots or ())
        self._children = [Child(limits, self._roots) for _ in range(max(1, workers))]
        self._idle: SimpleQueue[Child] = SimpleQueue()
        for child in self._children:
            self._idle.put(child)
        self._threads = ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="plait-read")

    def read(
        self, path: str | Path, *, source: str, spool: str | Path, root: str | Path | None = None
    ) -> Document:
        """Return a file as a document, read by a child; its attachments stay in the spool, unread.

        Args:
            path: the file.
            source: how the user names it.
            spool: an existing folder; the child writes pictures into it.
            root: the folder that the file's pictures may come from; None means its own.

        Raises:
            ReadError: whatever went wrong, the death of the child included.
        """
        path, spool = _absolute(Path(path)), _absolute(Path(spool))
        task = ReadTask(path, source, _absolute(Path(root)) if root is not None else path.parent, spool)
        # Always by the pool's own threads: the kernel ends a child with the thread that started it.
        return self._threads.submit(self._read, task, task.spool, self._limits).result()

    def read_many(self, items: Iterable[Item], *, spool: str | Path) -> Iterator[Outcome[Item]]:
        """Read files in order, and what they hold; some are read ahead of the caller.

        Memory holds only those, and the disk what a few of them unpack to: what was unpacked goes before
        an item's own outcome is given, the pictures stay until the caller deletes `Outcome.spool`. What
        is abandoned half-way leaves its folders in `spool`.

        Args:
            items: files with `path`, `source` and `root`, each source once.
            spool: an existing folder, which is all that the children may write to; each document gets a
                folder of its own in it, named `document_id(source)`.
        """
        folder = _absolute(Path(spool))
        yield from self._outcomes((self._job(item, folder) for item in items), folder)

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

    def _job(self, item: Item, spool: Path) -> _Job[Item]:
        own = spool / document_id(item.source)
        task = ReadTask(_absolute(item.path), item.source, _absolute(item.root), own)
        return _Job(item, task, Allowance.of(self._limits))

    def _outcomes(self, jobs: Iterator[_Job[Item]], spool: Path) -> Iterator[Outcome[Item]]:
        """Give what became of files, each after what it holds."""
        with contextlib.closing(self._in_order(jobs, spool)) as results:
            for job, result in results:
                if isinstance(result, Document) and result.attachments:
                    held, warnings = self._held(job, result)
                    yield from self._outcomes(iter(held), spool)
                    result = replace(result, warnings=(*result.warnings, *warnings))
                if isinstance(result, Document) and job.container:
                    result = replace(result, metadata={**result.metadata, "container": job.container})
                _clear(job.task.spool, result)
                task = job.task
                yield Outcome(job.item, task.source, task.path, task.spool, result, not job.container)

    def _held(self, job: _Job[Item], document: Document) -> tuple[list[_Job[Item]], tuple[str, ...]]:
        """Return what to read of the files that a document holds, and what to say of the others."""
        task = job.task
        members, warnings = members_of(
            document.attachments,
            container=task.source,
            spool=task.spool,
            depth=job.depth + 1,
            allowance=job.allowance,
        )
        jobs = []
        for member in members:
            own = task.spool.parent / document_id(member.source)
            inner = ReadTask(member.path, member.source, member.root, own)
            jobs.append(_Job(job.item, inner, job.allowance, task.source, job.depth + 1))
        return jobs, warnings

    def _in_order(
        self, jobs: Iterator[_Job[Item]], spool: Path
    ) -> Generator[tuple[_Job[Item], Document | ReadError], None, None]:
        """Read files, some at once and some ahead; give their results in their order."""
        pending: deque[tuple[_Job[Item], Future[Document | ReadError], _Load]] = deque()
        weighed = ((job, _load(job)) for job in jobs)
        held = _Load()
        following = next(weighed, None)
        try:
            while following is not None or pending:
                while following is not None and (
                    not pending or self._has_room(len(pending), held + following[1])
                ):
                    job, load = following
                    job.task.spool.mkdir(exist_ok=True)
                    pending.append((job, self._threads.submit(self._outcome, job, spool), load))
                    held += load
                    following = next(weighed, None)
                job, future, load = pending.popleft()
                yield job, future.result()
                held -= load
        finally:
            for _, future, _ in pending:
                future.cancel()

    def _has_room(self, pending: int, held: _Load) -> bool:
        workers = len(self._children)
        return (
            pending < _AHEAD * workers and held.bytes <= _AHEAD_BYTES * workers and held.unpacked <= workers
        )

    def _outcome(self, job: _Job[Item], spool: Path) -> Document | ReadError:
        try:
            return self._read(job.task, spool, job.allowance.narrowed(self._limits))
        except ReadError as error:
            return error

    def _read(self, task: ReadTask, spool: Path, limits: ReadLimits) -> Document:
        self._check_inside(task, spool)
        child = self._idle.get()
        try:
            return child.read(task, spool=spool, limits=limits)
        finally:
            self._idle.put(child)

    def _check_inside(self, task: ReadTask, spool: Path) -> None:
        """Refuse a file that a link places outside the roots; the child's kernel would, with less to say."""
        if self._roots is None:
            return
        real = os.path.realpath(task.path)
        if not f"{real}/".startswith(self._starts) and not Path(real).is_relative_to(os.path.realpath(spool)):
            reason = f"lies outside the folders that are read, at {real}"
            raise ReadError(task.source, reason, "add the file itself, not a link to it")


@dataclass(frozen=True, slots=True)
class _Job(Generic[Item]):
    """A file to read: an item, or what one holds."""

    item: Item
    task: ReadTask
    allowance: Allowance
    container: str = ""
    depth: int = 0


@dataclass(frozen=True, slots=True)
class _Load:
    """What files that are read ahead may weigh."""

    bytes: int = 0
    unpacked: int = 0

    def __add__(self, other: _Load) -> _Load:
        return _Load(self.bytes + other.bytes, self.unpacked + other.unpacked)

    def __sub__(self, other: _Load) -> _Load:
        return _Load(self.bytes - other.bytes, self.unpacked - other.unpacked)


def _load(job: _Job[Item]) -> _Load:
    try:
        size = job.task.path.lstat().st_size
    except (OSError, ValueError):
        size = 0
    return _Load(size, int(job.task.path.suffix.lower() in _UNPACKED))


def _absolute(path: Path) -> Path:
    return path if path.is_absolute() else Path(os.path.abspath(path))


def _clear(spool: Path, result: Document | ReadError) -> None:
    """Delete what a document's spool holds but its pictures: what was unpacked, what a dead child left."""
    pictures = pictures_of(result) if isinstance(result, Document) else ()
    kept = {os.path.basename(picture.path) for picture in pictures}
    # What resists stays until the caller deletes the whole spool.
    with contextlib.suppress(OSError), os.scandir(spool) as entries:
        for entry in [entry for entry in entries if entry.name not in kept]:
            with contextlib.suppress(OSError, RecursionError):
                shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else os.unlink(entry)
