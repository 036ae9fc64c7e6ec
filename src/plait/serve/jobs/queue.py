"""The jobs of one library: what was accepted, and what became of it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import anyio
import anyio.to_thread
from filelock import FileLock, Timeout

from plait.data.whole_files import synced
from plait.errors import LibraryError
from plait.library import Progress
from plait.serve.jobs.job import Job, JobState, now
from plait.serve.jobs.ledger import Ledger
from plait.serve.jobs.placing import BEFORE, Place, let_go
from plait.serve.refusals import Refusal
from plait.serve.uploads import FOLDER, safe_name
from plait.settings import Settings

MOST_WAITING = 10_000
_MOST_FINISHED, _FINISHED_DAYS = 1000, 7
# Added together: every writing makes the servers look at the library anew, and locks out other writers.
_BATCH_FILES, _BATCH_BYTES = 32, 8_000_000
_LOOK_SECONDS = 0.1  # how often a caller that waits looks


class Jobs:
    """The queue of one library. Made by `Workshop.jobs`; any thread may use it.

    Args:
        folder: the library's `.plait` folder.
        settings: of the library.
        on_work: called when there is something to do.

    Raises:
        LibraryError: the folder cannot be read or written; from every method.
    """

    def __init__(self, folder: Path, settings: Settings, *, on_work: Callable[[], None]) -> None:
        self.folder = folder
        self.settings = settings
        self._on_work = on_work
        own = folder / "jobs"
        self._held = own / "held"
        _make(own, self._held)
        self._ledger = Ledger(own / "ledger.sqlite")
        self._lock = FileLock(str(own / "lock"), thread_local=False)
        self._progress: dict[str, Progress] = {}
        self.not_before = 0.0  # monotonic time until which nothing is taken, because it did not go

    def accept(self, name: str, data: IO[bytes]) -> Job:
        """Keep a file and return its job. Once this returns, the file will be added, whatever crashes.

        Args:
            name: what the client calls the file; only its last part is used.

        Raises:
            InputError: nothing usable is left of the name.
            Refusal: 429, too many files wait; 507, the disk is full.
        """
        name = safe_name(name)
        if self._ledger.counts()["waiting"] >= MOST_WAITING:
            raise Refusal(
                429, "TooManyJobs", f"{MOST_WAITING:,} files wait to be added: send more when some are done"
            )
        id = secrets.token_hex(8)
        try:
            size = self._hold(id, name, data)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                said = f"there is no space for {name}: free some on the server"
                raise Refusal(507, "NoSpace", said) from error
            raise LibraryError(f"cannot keep {name}: {error.strerror or error}; check the disk") from error
        job = self._job(id, name, size)
        self._ledger.insert(job)
        self._on_work()
        return job

    def job(self, id: str) -> Job | None:
        """Return a job as it is now; None if there is none, or it was forgotten."""
        job = self._ledger.get(id)
        return None if job is None else self._shown(job)

    def all(self, *, state: JobState | None = None, limit: int = 200) -> list[Job]:
        """Return jobs, newest first."""
        return [self._shown(job) for job in self._ledger.all(state=state, limit=limit)]

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state."""
        return self._ledger.counts()

    def cancel(self, id: str) -> bool:
        """Forget a job that waits or has ended, and its file; False if it is being added, or unknown."""
        if not self._ledger.delete(id):
            return False
        shutil.rmtree(self._held / id, ignore_errors=True)
        return True

    async def finished(self, ids: Sequence[str], *, seconds: float) -> list[Job]:
        """Wait until jobs have ended, at most so long; return them as they are then, in the order asked.

        Those that are forgotten meanwhile are left out.
        """
        until = time.monotonic() + seconds
        while True:
            jobs = [job for job in await anyio.to_thread.run_sync(self._of, ids) if job is not None]
            if all(job.is_finished for job in jobs) or time.monotonic() >= until:
                return jobs
            await anyio.sleep(min(_LOOK_SECONDS, max(0.0, until - time.monotonic())))

    def take(self) -> list[Job]:
        """Take those that have waited longest, as many as are well added together.

        None are taken while another server works on them. A file with which adding broke down is alone. The
        first time, what an earlier server left undone is put in order.
        """
        if not self._lock.is_locked:
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                return []
            self._recover()
        batch = _batch(self._ledger.waiting(_BATCH_FILES))
        started = now()
        taken = [replace(job, state="adding", started=started, note="") for job in batch]
        return self._ledger.change(taken, was="waiting")

    def place(self, job: Job) -> Place:
        """Return where a job's file goes."""
        return Place(self._held / job.id / job.name, self.folder / FOLDER, job.id)

    def tell(self, jobs: Sequence[Job], progress: Progress) -> None:
        """Remember how far jobs that are done together are: of several, that of each is not known."""
        if len(jobs) == 1:
            self._progress[jobs[0].id] = progress

    def change(self, jobs: Sequence[Job]) -> None:
        """Store what became of jobs that were taken: some wait again, others have ended."""
        ended = now()
        shown = [
            replace(self._shown(job), ended=ended) if job.is_finished else replace(job, started="")
            for job in jobs
        ]
        self._ledger.change(shown, was="adding")
        self._progress.clear()
        self._forget()

    def has_work(self) -> bool:
        """Tell whether something waits, or was left undone by an earlier server."""
        counts = self._ledger.counts()
        return counts["waiting"] + counts["adding"] > 0 or any(self._held.iterdir())

    def let_go(self) -> None:
        """Let another server work on it; taking a job again puts in order what was left undone."""
        self._lock.release()

    def close(self) -> None:
        """End; nothing can be asked afterwards."""
        self.let_go()
        self._ledger.close()

    def _of(self, ids: Sequence[str]) -> list[Job | None]:
        return [self.job(id) for id in ids]

    def _shown(self, job: Job) -> Job:
        progress = self._progress.get(job.id)
        return job if progress is None else replace(job, **_counted(progress))

    def _job(self, id: str, name: str, size: int) -> Job:
        source = (self.folder.relative_to(self.folder.parent) / FOLDER / name).as_posix()
        return Job(id, name, source, bytes=size, created=now())

    def _hold(self, id: str, name: str, data: IO[bytes]) -> int:
        """Write a file to the disk for good, and return its size."""
        folder = self._held / f"{_COMING}{id}"
        folder.mkdir(mode=0o700)
        try:
            with open(folder / name, "xb", opener=_private) as file:
                shutil.copyfileobj(data, file)
                size = file.tell()
                file.flush()
                os.fsync(file.fileno())
            synced(folder)
            os.replace(folder, self._held / id)  # the folder comes into being with the whole file in it
            synced(self._held)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return size

    def _recover(self) -> None:
        """Put in order what an earlier server left undone.

        Whole files of no job become jobs: they were just accepted, or the list of jobs is lost.
        """
        for job in self._ledger.all(state="adding", limit=-1):
            self.place(job).give_back()
            self._ledger.change([replace(job, state="waiting", started="")], was="adding")
        for folder in self._held.iterdir():
            if folder.name.startswith(_COMING):
                self._sweep(folder)
                continue
            file = next(folder.iterdir(), None)
            if file is None:
                folder.rmdir()
                continue
            self._ledger.insert(self._job(folder.name, file.name, file.stat().st_size))
            known = self._ledger.get(folder.name)
            if known is not None and known.is_finished:
                let_go(file)
        for before in (self.folder / FOLDER).glob(f"{BEFORE}*"):
            known = self._ledger.get(before.name.removeprefix(BEFORE))
            if known is None or known.is_finished:
                before.unlink(missing_ok=True)

    def _sweep(self, coming: Path) -> None:
        """Delete what is left of a file that was never accepted, unless it is just coming."""
        with contextlib.suppress(FileNotFoundError):  # it has come meanwhile
            if time.time() - coming.stat().st_mtime > _COMING_SECONDS:
                shutil.rmtree(coming, ignore_errors=True)

    def _forget(self) -> None:
        old = datetime.now(UTC) - timedelta(days=_FINISHED_DAYS)
        self._ledger.forget(before=old.isoformat(timespec="milliseconds"), most=_MOST_FINISHED)


_COMING = ".coming-"
_COMING_SECONDS = 24 * 3600  # what another server is just accepting must not be swept away


def _make(*folders: Path) -> None:
    """Make folders that are the owner's only, durably."""
    try:
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
            synced(folder.parent)
    except OSError as error:
        raise LibraryError(f"cannot write to the library {folders[0].parent}: {error.strerror}") from error


def _batch(waiting: Sequence[Job]) -> list[Job]:
    """Return how many of the first jobs are added together: few enough to be done soon, no name twice."""
    batch: list[Job] = []
    for job in waiting:
        fits = sum(one.bytes for one in batch) + job.bytes <= _BATCH_BYTES
        broke = job.breakdowns + sum(one.breakdowns for one in batch) > 0
        if batch and (broke or not fits or any(one.name == job.name for one in batch)):
            break
        batch.append(job)
    return batch


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _counted(progress: Progress) -> dict[str, Any]:
    counted = asdict(progress)
    del counted["source"]
    return counted
