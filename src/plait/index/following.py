"""The newest snapshot that is loaded, while a newer one is loaded beside."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from time import monotonic, thread_time
from typing import Generic, TypeVar

S = TypeVar("S")

_SOON_SECONDS = 0.1  # a snapshot that the processor loads in so short a time is waited for
_OF_FIRST = 0.1  # share of what the first took that a change of a large store takes, until one is measured
_REST = 4.0  # times as long as loading took, until the next is loaded: a writer may commit ten times a second
_MOST_REST_SECONDS = 10.0
_OLD_SECONDS = 20.0  # unasked for so long, a snapshot may be too old to be read: a new one is waited for


class Following(Generic[S]):
    """Gives snapshots to searches that must not wait while a large store is read. Safe for many threads.

    A small store loads in a moment, and is seen as it is. Of a large one, what was written is seen within
    seconds; `renew` waits for it.

    Args:
        load: reads a snapshot, all that searches need of it, given the one before; returns that one if
            nothing has changed.
        has_changed: whether there may be a newer one; quick.
    """

    def __init__(self, load: Callable[[S | None], S], has_changed: Callable[[], bool]) -> None:
        self._load = load
        self._has_changed = has_changed
        self._current: S | None = None
        self._loading = Lock()
        self._starting = Lock()
        self._thread: Thread | None = None
        self._took = 0.0
        self._looked = self._rested = monotonic()

    def latest(self) -> S:
        """Return the newest snapshot that is loaded.

        Raises:
            LibraryError: the store cannot be read.
        """
        current, now = self._current, monotonic()
        if current is None or (now - self._looked > _OLD_SECONDS and self._has_changed()):
            return self.renew()
        self._looked = now
        if self._has_changed():
            if self._took < _SOON_SECONDS:
                return self.renew()
            if now >= self._rested:
                self._begin()
        return current

    def renew(self) -> S:
        """Return a snapshot no older than this call, and give it to everybody from now on.

        Raises:
            LibraryError: the store cannot be read.
        """
        with self._loading:
            self._looked, began = monotonic(), thread_time()
            before = self._current
            try:
                self._current = current = self._load(before)
            except BaseException:
                self._current = None  # the next who asks tries again, and is told why
                raise
            if current is not before:
                self._took = (thread_time() - began) * (_OF_FIRST if before is None else 1.0)
                self._rested = monotonic() + min(_REST * self._took, _MOST_REST_SECONDS)
            return current

    def _begin(self) -> None:
        """Load in a thread of its own, if none is at work."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._try, name="plait-follow", daemon=True)
                self._thread.start()

    def _try(self) -> None:
        with suppress(Exception):  # told to the next who asks
            self.renew()
