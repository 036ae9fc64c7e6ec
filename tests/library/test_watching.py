"""A watched folder and its library say the same, whatever happens to the folder."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock
from tests.helpers.libraries import write_page
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library
from plait.errors import InputError, MissingPathError
from plait.library.folder import LibraryFolder
from plait.library.watching import Followed, watch

_SECONDS = 30.0  # for what happens in tenths of one


class Watching:
    """A folder being watched by another thread, and what is told of it."""

    def __init__(self, folder: Path, library: Path | None = None, **options: object) -> None:
        self.folder = folder
        self.stop = threading.Event()
        self.errors: list[BaseException] = []
        self._told: queue.SimpleQueue[Followed] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(library or folder, options), daemon=True)
        self._thread.start()

    def next(self) -> Followed:
        return self._told.get(timeout=_SECONDS)

    def expect(
        self, *, added: int = 0, updated: int = 0, removed: Sequence[str] = (), failed: Sequence[str] = ()
    ) -> None:
        """Wait until so much has been told, in however many batches; nothing else may be."""
        total: list[object] = []
        want = (
            ["added"] * added + ["updated"] * updated + [f"-{s}" for s in removed] + [f"!{s}" for s in failed]
        )
        while len(total) < max(1, len(want)):
            told = self.next()
            assert told.error == ""
            report = told.report
            total += ["added"] * report.added + ["updated"] * report.updated + [f"-{s}" for s in told.removed]
            total += [f"!{failure.source}" for failure in report.failed]
            if not want:
                break
        assert sorted(map(str, total)) == sorted(want)

    def end(self) -> None:
        self.stop.set()
        self._thread.join(_SECONDS)
        assert not self._thread.is_alive()
        assert self._told.empty()

    def _run(self, library: Path, options: dict[str, object]) -> None:
        with Library(library, encoder=TinyEncoder()) as opened:
            try:
                watch(
                    opened,
                    self.folder,
                    stop=self.stop,
                    on_report=self._told.put,
                    **{"settle_seconds": 0.1, **options},  # type: ignore[arg-type]
                )
            except Exception as error:
                self.errors.append(error)


@contextmanager
def watching(folder: Path, library: Path | None = None, **options: object) -> Iterator[Watching]:
    watched = Watching(folder, library, **options)
    try:
        yield watched
        watched.end()
        assert not watched.errors
    finally:
        watched.stop.set()


def stored(folder: Path) -> list[str]:
    with Library(folder, encoder=TinyEncoder()) as library:
        return [document.source for document in library.documents()]


def test_files_that_come_change_move_and_go_are_followed(tmp_path: Path) -> None:
    page = write_page(tmp_path, "boiler", "Descale the boiler.", "red")
    with watching(tmp_path) as watched:
        watched.expect(added=1)
        page.write_text("<h1>boiler</h1><p>Another text.</p>")
        watched.expect(updated=1)
        page.rename(tmp_path / "kettle.html")
        watched.expect(added=1, removed=["boiler.html"])
        (tmp_path / "new").mkdir()
        write_page(tmp_path / "new", "a", "One.")
        write_page(tmp_path / "new", "b", "Two.")
        watched.expect(added=2)
        (tmp_path / "new").rename(tmp_path.parent / f"{tmp_path.name}-away")
        watched.expect(removed=["new/a.html", "new/b.html"])
    assert stored(tmp_path) == ["kettle.html"]


def test_what_happened_while_nobody_watched_is_caught_up_with(tmp_path: Path) -> None:
    for name in ("boiler", "grinder", "filter"):
        write_page(tmp_path, name, f"The {name}.")
    with watching(tmp_path) as watched:
        watched.expect(added=3)
    (tmp_path / "boiler.html").unlink()
    (tmp_path / "grinder.html").write_text("<p>Changed.</p>")
    write_page(tmp_path, "pump", "The pump.")
    os.utime(tmp_path / "pump.html", (0, 0))
    with watching(tmp_path) as watched:
        watched.expect(added=1, updated=1, removed=["boiler.html"])
    assert stored(tmp_path) == ["filter.html", "grinder.html", "pump.html"]


def test_rules_hold_and_what_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("drafts/\n")
    (tmp_path / "drafts").mkdir()
    write_page(tmp_path / "drafts", "a", "A draft.")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    with watching(tmp_path, ignore=["secret*"]) as watched:
        watched.expect(failed=["pipe", "broken.pdf"])
        write_page(tmp_path, "secret", "Not this.")
        write_page(tmp_path, "boiler", "This.")
        watched.expect(added=1)
        (tmp_path / ".gitignore").write_text("")  # the draft may come now
        watched.expect(added=1)
    assert stored(tmp_path) == ["boiler.html", "drafts/a.html"]


def test_a_file_is_read_once_it_is_written(tmp_path: Path) -> None:
    with watching(tmp_path, settle_seconds=1.0) as watched:
        watched.expect()
        with (tmp_path / "long.html").open("w") as file:
            for number in range(12):
                file.write(f"<p>Paragraph {number}.</p>")
                file.flush()
                threading.Event().wait(0.1)
        watched.expect(added=1)
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        assert "Paragraph 11" in next(library.units()).text


def test_another_writer_is_waited_for_and_finds_the_library_free_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plait.library.watching._RETRY_SECONDS", 0.1)
    options = LibraryFolder.writing.__wrapped__.__kwdefaults__  # type: ignore[attr-defined]
    monkeypatch.setitem(options, "timeout_seconds", 0.05)
    write_page(tmp_path, "boiler", "The boiler.")
    with watching(tmp_path) as watched:
        watched.expect(added=1)
        with FileLock(str(tmp_path / ".plait" / "lock"), timeout=_SECONDS):
            write_page(tmp_path, "grinder", "The grinder.")
            assert "another process is writing" in watched.next().error
        told = watched.next()
        while told.error:
            told = watched.next()
        assert told.report.added == 1


def test_a_folder_that_is_taken_away_keeps_its_documents(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    write_page(folder, "boiler", "The boiler.")
    watched = Watching(folder, tmp_path)
    watched.expect(added=1)
    folder.rename(tmp_path / "away")
    folder.mkdir()
    watched._thread.join(_SECONDS)
    (error,) = watched.errors
    assert isinstance(error, MissingPathError)
    with watching(folder, tmp_path) as again:
        again.next()
        assert "is empty, its 1 documents stay" in again.next().error
    assert stored(tmp_path) == ["disk/boiler.html"]


def test_only_a_folder_can_be_watched(tmp_path: Path) -> None:
    write_page(tmp_path, "boiler", "The boiler.")
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        for name, error in (("boiler.html", InputError), ("nowhere", MissingPathError)):
            with pytest.raises(error):
                watch(library, tmp_path / name, stop=threading.Event(), on_report=print)


def refusing() -> Iterator[set[object]]:
    raise OSError(28, "No space left on device")  # what the kernel says when it watches too much


def silent() -> Iterator[set[object]]:
    while True:
        threading.Event().wait(0.02)
        yield set()


@pytest.mark.parametrize("tells", [refusing, silent])
def test_where_the_system_tells_nothing_the_folder_is_looked_at_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tells: Callable[[], Iterator[set[object]]]
) -> None:
    monkeypatch.setattr("watchfiles.watch", lambda *_, **__: tells())
    monkeypatch.setattr("plait.library.watching._RETRY_SECONDS", 0.05)
    monkeypatch.setattr("plait.library.watching._LOOK_EVERY_SECONDS", 0.05)
    with watching(tmp_path) as watched:
        watched.expect()
        write_page(tmp_path, "boiler", "The boiler.")
        watched.expect(added=1)
