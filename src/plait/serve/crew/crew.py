"""Searching processes, each with the library open, and whoever is least busy takes the next request."""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from plait.errors import InputError, LibraryError, PlaitError
from plait.index.threads import processors
from plait.library import Library
from plait.schema import SearchRequest
from plait.serve.crew.frames import Asked, Opening, Said, frame, frames
from plait.serve.processes import ended, environment
from plait.settings import Settings

# -P: modules are never imported from the folder the user happens to stand in.
_PROGRAM = (sys.executable, "-P", "-m", "plait.serve.crew.searching")
_TRIES = 2  # a request that ends two processes is not given to a third
_SHORT_SECONDS = 30.0  # a process that ends sooner than so after its start says that something is wrong
_SHORT_LIVES = 4  # so many in a row, and no further one is started
_LARGE = 30_000  # units; processes of smaller libraries are not worth their memory
_MOST_CHOSEN, _MOST_PROCESSES = 4, 64
_RENEW_SECONDS = 120.0  # that `renew` waits at most

_log = logging.getLogger("plait.serve")


class Crew:
    """Processes that search one library. They begin at `start`, and end with this process, whatever ends it.

    Each has the model and the library in memory of its own, but for what it maps. One that ends unasked is
    started again, and what it was at is given to another.

    Args:
        folder: the library's `.plait` folder.
        settings: of the library.
        processes: how many, 1 or more.
        program: the command; it runs `searching.main`.
    """

    def __init__(
        self, folder: Path, settings: Settings, processes: int, *, program: Sequence[str] = _PROGRAM
    ) -> None:
        self._opening = frame(Opening(folder, settings))
        self._processes = processes
        self._program = program
        self._members: list[_Member] = []
        self._turn = threading.RLock()
        self._short_lives = 0
        self._failure: Exception | None = None

    def __len__(self) -> int:
        return self._processes

    @property
    def asked(self) -> int:
        """How many requests wait or are at work."""
        return sum(len(member) for member in self._members)

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [member.process.pid for member in self._members]

    def start(self) -> None:
        """Start the processes; each is ready some seconds later, and takes requests until then."""
        with self._turn:
            self._members = [self._started() for _ in range(self._processes)]

    def wait(self) -> None:
        """Wait until every process has opened the library.

        Raises:
            PlaitError: it cannot be opened.
        """
        for member in list(self._members):
            member.ready.result()

    def stop(self) -> None:
        """End the processes, and what they are at."""
        with self._turn:
            members, self._members = self._members, []
        for member in members:
            member.end()

    def ask(self, request: SearchRequest, *, explain: str = "") -> Future[Any]:
        """Return what will be the hits of a request, or the explanation of one of them.

        The future raises what the search raises; LibraryError where no process is left to search.
        """
        answer: Future[Any] = Future()
        self._give(_Errand(request, explain, answer))
        return answer

    def renew(self) -> None:
        """Wait until every process sees what was written before this call."""
        answers = [member.renew() for member in list(self._members)]
        until = time.monotonic() + _RENEW_SECONDS
        for answer in answers:
            with suppress(PlaitError, TimeoutError):  # a later search says what is wrong
                answer.result(max(0.0, until - time.monotonic()))

    def _give(self, errand: _Errand) -> None:
        with self._turn:
            if not self._members:
                errand.fail(self._failure or LibraryError("the service is ending: no search begins any more"))
                return
            min(self._members, key=len).take(errand)

    def _started(self) -> _Member:
        return _Member(self._program, self._opening, self._gone)

    def _gone(self, member: _Member, how: str, left: Sequence[_Errand]) -> None:
        """Start another process in place of one that ended, and go on with what it left."""
        with self._turn:
            if member not in self._members:
                for errand in left:
                    errand.fail(LibraryError("the service is ending: the search was given up"))
                return
            _log.error("a searching process %s", member.failure or how)
            is_short = time.monotonic() - member.began < _SHORT_SECONDS
            self._short_lives = self._short_lives + 1 if is_short else 0
            self._members.remove(member)
            if self._short_lives < _SHORT_LIVES and member.failure is None:
                self._members.append(self._started())
            elif not self._members:
                self._failure = member.failure or LibraryError(
                    f"the processes that search keep ending, the last {how}: see the service's log, "
                    "or set search_processes to 1"
                )
            for errand in left:
                errand.tries += 1
                if errand.tries < _TRIES:
                    self._give(errand)
                else:
                    errand.fail(LibraryError(f"the process that searched {how}: ask in another way"))


def crew_for(library: Library) -> Crew | None:
    """Return the processes that a library's settings and size ask for; None to search in this one.

    Raises:
        InputError: the setting is below 0 or above 64.
    """
    wanted = library.settings.search_processes
    if not 0 <= wanted <= _MOST_PROCESSES:
        raise InputError(f"search_processes must be from 0 to {_MOST_PROCESSES}, got {wanted}: 0 chooses")
    if not wanted:
        is_large = library.count()[0] >= _LARGE
        wanted = min(_MOST_CHOSEN, processors()) if is_large else 1
    return Crew(library.folder, library.settings, wanted) if wanted > 1 else None


class _Errand:
    """A request on its way.

    Attributes:
        tries: processes that ended while they were at it.
    """

    def __init__(self, request: SearchRequest | None, explain: str, answer: Future[Any]) -> None:
        self.request = request
        self.explain = explain
        self.answer = answer
        self.tries = 0

    def answered(self, said: Said) -> None:
        if self.answer.done():  # whoever asked has gone
            return
        if said.error is not None:
            self.answer.set_exception(said.error)
        else:
            self.answer.set_result(said.result)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Member:
    """One process, with a thread that writes to it and one that reads.

    Attributes:
        process: as it was started.
        ready: done once it has opened the library, or failed to.
        began: when it was started, as of `time.monotonic`.
        failure: why it could not open the library, which then no other can; None if it could.
    """

    def __init__(self, program: Sequence[str], opening: bytes, gone: _Gone) -> None:
        self.process = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(os.environ),
            start_new_session=True,  # Ctrl-C is for the server, which ends it
        )
        self.ready: Future[None] = Future()
        self.began = time.monotonic()
        self.failure: Exception | None = None
        self._gone = gone
        self._turn = threading.Lock()
        self._errands: dict[int, _Errand] = {}
        self._number = 0
        self._writing: queue.SimpleQueue[bytes | Asked | None] = queue.SimpleQueue()
        self._writing.put(opening)
        threading.Thread(target=self._write, name="plait-to-searching", daemon=True).start()
        threading.Thread(target=self._read, name="plait-from-searching", daemon=True).start()

    def __len__(self) -> int:
        return len(self._errands)

    def take(self, errand: _Errand) -> None:
        """Send a request; the answer goes to its errand."""
        with self._turn:
            self._number += 1
            number = self._number
            self._errands[number] = errand
        self._writing.put(Asked(number, errand.request, errand.explain))

    def renew(self) -> Future[Any]:
        """Ask it to see what was written until now."""
        answer: Future[Any] = Future()
        self.take(_Errand(None, "", answer))
        return answer

    def end(self) -> None:
        """End the process."""
        self.process.kill()  # it only reads; its pipes are closed by the threads that use them

    def _write(self) -> None:
        assert self.process.stdin is not None
        with suppress(OSError, ValueError):  # it has ended, and its pipe may be closed already
            while (what := self._writing.get()) is not None:
                self.process.stdin.write(what if isinstance(what, bytes) else frame(what))
                self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with suppress(OSError, EOFError):
            for said in frames(cast("BinaryIO", self.process.stdout)):
                self._hear(said)
        self._writing.put(None)
        how = ended(self.process, patience_seconds=1.0)
        with self._turn:
            left, self._errands = list(self._errands.values()), {}
        if not self.ready.done():
            self.ready.set_exception(self.failure or LibraryError(f"the process that searches {how}"))
        self._gone(self, how, [errand for errand in left if errand.request is not None])
        for errand in left:
            if errand.request is None:  # whoever comes in its place reads the library as it is
                errand.answered(Said(0))

    def _hear(self, said: Said) -> None:
        if said.number:
            with self._turn:
                errand = self._errands.pop(said.number, None)
            if errand is not None:
                errand.answered(said)
        elif said.error is None:
            self.ready.set_result(None)
        else:
            self.failure = said.error
            self.ready.set_exception(said.error)


_Gone = Callable[[_Member, str, Sequence[_Errand]], None]
