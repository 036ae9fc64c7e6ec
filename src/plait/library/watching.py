"""Following a folder: what changes in it changes in the library.

The system only tells that something has changed. What has, is found by looking through the folder and
comparing every file with what was read of it, so that nothing depends on how a change was told: renames,
folders moved in, new rules of what to leave out, and what happened while nobody watched are all the same.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from plait.errors import InputError, LibraryError, LibraryFormatError, MissingPathError
from plait.library.gather import Files, Found, Gathered, gather
from plait.library.library import Library
from plait.library.reports import AddReport, ProgressCallback
from plait.library.sources import is_below, is_gone

# Written at once; the library is free for other writers in between.
_BATCH_FILES = 1000
_BATCH_BYTES = 512 * 2**20
_RETRY_SECONDS = 5.0
_LONGEST_REST_SECONDS = 60.0
_LOOK_EVERY_SECONDS = 300.0  # also where nothing is told: network drives tell of their own changes only


class Signature(NamedTuple):
    """What changes when a file does."""

    modified_ns: int
    changed_ns: int
    bytes: int
    inode: int


@dataclass(frozen=True, slots=True)
class _Unsettled:
    """How something was when it was last looked at, None if it was gone, and since when it is so."""

    signature: Signature | None
    since: float


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of some changes.

    Attributes:
        report: of the files that were read.
        removed: sources of documents that were forgotten, because their files are gone.
        error: why something could not be written, or was not removed.
    """

    report: AddReport = field(default_factory=AddReport)
    removed: tuple[str, ...] = ()
    error: str = ""


def watch(
    library: Library,
    folder: str | Path,
    *,
    stop: threading.Event,
    on_report: Callable[[Followed], None],
    ignore: Sequence[str] = (),
    hidden: bool = False,
    settle_seconds: float = 1.0,
    progress: ProgressCallback | None = None,
) -> None:
    """Bring a library up to date with a folder, and keep it so until `stop` is set.

    A file is read when it has stayed as it is for `settle_seconds`, and forgotten when it has been gone for
    as long. A file that is left out by rules made after it was added stays in the library as it was.

    Args:
        on_report: told of each batch of changes, and of the first look in any case.
        ignore, hidden: as in `gather`.

    Raises:
        MissingPathError: the folder does not exist, or is another one now (a disk that was taken off):
            its documents stay in the library.
        InputError: it is no folder.
        LibraryFormatError: the library is damaged.
    """
    top = Path(os.path.abspath(folder))
    if not top.exists():
        raise MissingPathError(f"{folder}: no such folder; check the spelling")
    if not top.is_dir():
        raise InputError(f"{folder}: is not a folder; only folders can be watched")
    following = _Following(library, top, ignore=ignore, hidden=hidden, settle_seconds=settle_seconds)
    looked = not_before = -math.inf
    for something_changed in _signals(top, stop, settle_seconds):
        if stop.is_set():
            return
        following.check_folder()
        following.is_waiting |= something_changed or time.monotonic() - looked > _LOOK_EVERY_SECONDS
        if not following.is_waiting or time.monotonic() < not_before:
            continue
        began = time.monotonic()
        failed = False
        for followed in following.look(progress):
            on_report(followed)
            failed |= bool(followed.error)
            if stop.is_set():
                return
        looked = time.monotonic()
        # Never more than half of the time is spent looking, however large the folder.
        rest = min(looked - began, _LONGEST_REST_SECONDS)
        not_before = looked + (max(rest, _RETRY_SECONDS) if failed else rest)


class _Following:
    """What is known of a folder, and how that differs from what is there.

    Attributes:
        is_waiting: something has changed that is not settled or written yet.
    """

    def __init__(
        self, library: Library, folder: Path, *, ignore: Sequence[str], hidden: bool, settle_seconds: float
    ) -> None:
        self._library = library
        self._root = library.folder.parent
        self._folder = folder
        self._ignore = ignore
        self._hidden = hidden
        self._settle_seconds = settle_seconds
        self._identity = _identity(folder)
        self._read: dict[int, int] = {}  # of path and signature the hashes: a million files are many
        self._unsettled: dict[str, _Unsettled] = {}
        self._told: set[str] = set()  # of what was skipped
        self._is_first = True
        self.is_waiting = True

    def check_folder(self) -> None:
        """Make sure that the folder is still the one it was.

        Raises:
            MissingPathError: it is not; that its files are gone means nothing then.
        """
        if _identity(self._folder) != self._identity:
            raise MissingPathError(
                f"{self._folder}: is not there any more, or is another folder now; the library keeps its "
                "documents: mount it and watch it again, or run  plait remove --missing"
            )

    def look(self, progress: ProgressCallback | None) -> Iterator[Followed]:
        """Look through the folder, write what has settled, and say what became of it."""
        found = gather([self._folder], library_root=self._root, ignore=self._ignore, hidden=self._hidden)
        new = [failure for failure in found.skipped if str(failure) not in self._told]
        unsettled, self._unsettled = self._unsettled, {}
        seen: dict[int, int] = {}
        nothing_yet = self._is_first
        for batch, signatures in _batches(self._changed(found, seen, unsettled), self._root):
            batch.skipped.extend(new)
            followed = self._added(batch, progress)
            yield followed
            if followed.error:
                self._read |= seen
                self.is_waiting = True
                return
            seen |= signatures
            self._told.update(map(str, new))
            new, nothing_yet = [], False
        self._read = seen
        self._told.update(map(str, new))
        if new or nothing_yet:
            yield Followed(AddReport(failed=tuple(new)))
        yield from self._forgotten(found, unsettled)
        self.is_waiting |= bool(self._unsettled)
        self._is_first = False

    def _changed(
        self, found: Gathered, seen: dict[int, int], unsettled: dict[str, _Unsettled]
    ) -> Iterator[tuple[Found, Signature]]:
        """Give the files that are not as they were read and have settled; note those that have not."""
        for file in found:
            path = str(file.path)
            signature = _signature(path)
            if signature is None:
                continue
            if self._read.get(hash(path)) == hash(signature):
                seen[hash(path)] = hash(signature)
            elif self._is_old(signature) or self._has_settled(path, signature, unsettled):
                yield file, signature

    def _forgotten(self, found: Gathered, unsettled: dict[str, _Unsettled]) -> Iterator[Followed]:
        """Remove the documents whose files are gone for good."""
        gone = {
            document.id: document.source
            for document in self._library.documents()
            if is_below(document.source, self._folder, self._root)
            and is_gone(document.source, self._root)
            and (self._is_first or self._has_settled(document.id, None, unsettled))
        }
        self.check_folder()  # after the files: what is said of them is of this folder
        self.is_waiting = False
        if self._is_first and gone and not found:
            yield Followed(
                error=f"{self._folder} is empty, its {len(gone)} documents stay: is a disk missing?"
            )
        elif gone:
            yield (followed := self._removed(gone))
            self.is_waiting = bool(followed.error)

    def _is_old(self, signature: Signature) -> bool:
        """Tell whether a file was last changed some time ago, by a clock that may be wrong about it."""
        return time.time() - max(signature.modified_ns, signature.changed_ns) / 1e9 > self._settle_seconds

    def _has_settled(self, name: str, signature: Signature | None, unsettled: dict[str, _Unsettled]) -> bool:
        """Tell whether something has stayed as it is for long enough; if not, note since when."""
        now = time.monotonic()
        known = unsettled.get(name)
        since = known.since if known is not None and known.signature == signature else now
        if now - since >= self._settle_seconds:
            return True
        self._unsettled[name] = _Unsettled(signature, since)
        return False

    def _added(self, batch: Gathered, progress: ProgressCallback | None) -> Followed:
        try:
            return Followed(self._library.add_found(batch, progress=progress))
        except LibraryFormatError:
            raise
        except LibraryError as error:
            return Followed(error=f"{error}; trying again")

    def _removed(self, gone: dict[str, str]) -> Followed:
        try:
            self._library.remove(list(gone))
        except LibraryFormatError:
            raise
        except LibraryError as error:
            return Followed(error=f"{error}; trying again")
        return Followed(removed=tuple(gone.values()))


def _signals(folder: Path, stop: threading.Event, settle_seconds: float) -> Iterator[bool]:
    """Yield True when something in a folder has changed, at first and a while after; False in between."""
    from watchfiles import Change
    from watchfiles import watch as changes

    def matters(_change: Change, path: str) -> bool:
        return not {".plait", ".git"} & set(path[len(str(folder)) :].split("/"))

    # The first answer comes when the system already takes notes, so that the first look misses nothing.
    milliseconds = max(1, int(settle_seconds * 1000))
    try:
        for changed in changes(
            folder,
            watch_filter=matters,
            stop_event=stop,
            debounce=max(50, milliseconds),
            rust_timeout=milliseconds,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        ):
            yield bool(changed)
    except (
        OSError,
        RuntimeError,
    ):  # too many folders for the system to watch, or of a kind it cannot: look now and then
        while not stop.wait(_RETRY_SECONDS):
            yield True


def _batches(
    changed: Iterator[tuple[Found, Signature]], library_root: Path
) -> Iterator[tuple[Gathered, dict[int, int]]]:
    """Group changed files into what is written at once, with the hashes of their paths and signatures."""
    changed = iter(changed)
    while True:
        batch = Gathered(Files(library_root), Files(library_root, are_pictures=True))
        hashes: dict[int, int] = {}
        size = 0
        for file, signature in changed:
            kept = batch.pictures if file.is_picture else batch.documents
            kept.take(file.path.parent, file.root, file.path.name, file.bytes)
            hashes[hash(str(file.path))] = hash(signature)
            size += file.bytes
            if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
                break
        if not batch:
            return
        yield batch, hashes


def _signature(path: str) -> Signature | None:
    """Return what changes when a file does; None if it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Signature(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino
