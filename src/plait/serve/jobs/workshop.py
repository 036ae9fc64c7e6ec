"""Takes the jobs of all libraries in turn."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from plait.errors import LibraryError
from plait.library import Library
from plait.serve.jobs.adding import UnfitError, WorkerError
from plait.serve.jobs.job import Job
from plait.serve.jobs.queue import Jobs
from plait.serve.jobs.workers import OwnProcess, Task, Worker
from plait.serve.shelves import tenant_folder, tenants
from plait.settings import Settings

_BREAKDOWNS = 2  # of one file, then it is given up
_IDLE_SECONDS = 30.0  # then the worker lets go of its memory
_LOOK_SECONDS = 5.0  # how often it looks whether a library that was not fit is so again
_TURN_SECONDS = 30.0  # that a library keeps the worker while others wait: another needs a new process


class Workshop:
    """Adds what was accepted for any number of libraries, which take turns of half a minute.

    Its thread begins when there is work. A server has one; several servers on one library take turns by
    the library's lock.

    Args:
        worker: who adds; None starts a process of its own.
    """

    def __init__(self, worker: Worker | None = None) -> None:
        self._worker: Worker = worker or OwnProcess()
        self._jobs: dict[Path, Jobs] = {}
        self._libraries: dict[Path, weakref.ref[Library]] = {}
        self._turns: deque[Jobs] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._turn_began = 0.0
        self._has_news = False
        self._stopped = False

    def jobs(self, library: Library) -> Jobs:
        """Return the queue of a library; what was left undone in it goes on.

        Raises:
            LibraryError: its folder cannot be written.
        """
        self._libraries[library.folder] = weakref.ref(library)
        return self._opened(library.folder, library.settings)

    def resume(self, library: Library) -> None:
        """Go on with what was left undone in a library, and in those of its tenants."""
        for folder in (library.folder, *(tenant_folder(library.folder, t) for t in tenants(library.folder))):
            if not (folder / "jobs").is_dir():
                continue
            try:
                self._opened(folder, library.settings)
            except LibraryError as error:  # one that is damaged is its own tenant's trouble
                print(f"plait: {error}", file=sys.stderr)

    def stop(self) -> None:
        """End the worker; the file that it is adding is added again by the next start."""
        with self._changed:
            if self._stopped:
                return
            self._stopped = True
            self._changed.notify_all()
        self._worker.stop()
        if self._thread is not None:
            self._thread.join()
        for jobs in self._jobs.values():
            jobs.close()

    def _opened(self, folder: Path, settings: Settings) -> Jobs:
        with self._changed:
            if folder in self._jobs:
                return self._jobs[folder]
            jobs = self._jobs[folder] = Jobs(folder, settings, on_work=self._wake)
            self._turns.append(jobs)
        if jobs.has_work():
            self._wake()
        return jobs

    def _wake(self) -> None:
        with self._changed:
            self._has_news = True
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="plait-jobs", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        idle_since = time.monotonic()
        while not self._stopped:
            if self._do_next():
                idle_since = time.monotonic()
                continue
            if time.monotonic() - idle_since > _IDLE_SECONDS:
                self._worker.rest()
            with self._changed:
                if not self._has_news and not self._stopped:
                    self._changed.wait(_LOOK_SECONDS)
                self._has_news = False
        self._worker.rest()

    def _do_next(self) -> bool:
        """Do what is next in the turn of a library; False if none has anything to do."""
        for _ in range(len(self._turns)):
            jobs = self._turns[0]
            if self._do_some(jobs):
                if time.monotonic() > self._turn_began + _TURN_SECONDS:
                    self._pass_on()
                return True
            self._pass_on()
        return False

    def _pass_on(self) -> None:
        self._turns.rotate(-1)
        self._turn_began = time.monotonic()

    def _do_some(self, jobs: Jobs) -> bool:
        """Do the next jobs of a library; False if there are none."""
        if time.monotonic() < jobs.not_before:
            return False
        try:
            taken = jobs.take()
            self._do(jobs, taken)
        except Exception as error:  # its folder is gone, its disk is full: the others' turns go on
            print(f"plait: cannot add to {jobs.folder}: {error}", file=sys.stderr)
            jobs.let_go()
            self._pause(jobs)
            return False
        return bool(taken)

    def _do(self, jobs: Jobs, taken: Sequence[Job]) -> None:
        """Add the files of jobs, and store what became of them."""
        there = [job for job in taken if self._placed(jobs, job)]
        if not there:
            return
        paths = tuple(jobs.place(job).target for job in there)
        try:
            reports = self._worker.add(
                Task(jobs.folder, jobs.settings, paths), lambda progress: jobs.tell(there, progress)
            )
        except UnfitError as error:
            self._end(jobs, [_waiting(job, f"{error}; it is tried again") for job in there])
            self._pause(jobs)
        except WorkerError as error:
            again = _waiting if self._stopped else _broken
            self._end(jobs, [again(job, str(error)) for job in there])
        else:
            self._end(jobs, [_outcome(job, report) for job, report in zip(there, reports, strict=True)])

    def _placed(self, jobs: Jobs, job: Job) -> bool:
        """Put a file in its place; False if it is gone."""
        try:
            jobs.place(job).take()
        except FileNotFoundError:
            gone = "its file is gone from the library's folder"
            jobs.change([replace(job, state="failed", reason=gone, remedy="send it again")])
            return False
        return True

    def _end(self, jobs: Jobs, outcomes: Sequence[Job]) -> None:
        for job in outcomes:
            if job.state != "added":
                jobs.place(job).give_back()
        if any(job.state == "added" for job in outcomes):
            self._renew(jobs.folder)
        jobs.change(outcomes)
        for job in outcomes:
            if job.is_finished:
                jobs.place(job).settle()

    def _renew(self, folder: Path) -> None:
        """Let searches see what was added, before anybody is told that it was."""
        reference = self._libraries.get(folder)
        library = None if reference is None else reference()
        if library is None:
            return
        try:
            library.renew()
        except LibraryError as error:  # whoever searches is told of it
            print(f"plait: {error}", file=sys.stderr)

    def _pause(self, jobs: Jobs) -> None:
        jobs.not_before = time.monotonic() + _LOOK_SECONDS


def _waiting(job: Job, note: str) -> Job:
    return replace(job, state="waiting", note=note)


def _broken(job: Job, why: str) -> Job:
    """Return a job that is tried again, alone, or given up."""
    if job.breakdowns + 1 < _BREAKDOWNS:
        return replace(job, state="waiting", breakdowns=job.breakdowns + 1)
    remedy = "report it with the file, or leave it out"
    return replace(job, state="failed", breakdowns=job.breakdowns + 1, reason=why, remedy=remedy)


def _outcome(job: Job, report: Mapping[str, Any]) -> Job:
    """Return what became of a job whose file was read; a failure inside an archive does not fail it."""
    job = replace(job, state="added", report=report)
    failed = [failure for failure in report["failed"] if failure["source"] == job.source]
    if failed:
        return replace(job, state="failed", reason=failed[0]["reason"], remedy=failed[0]["remedy"])
    return job
