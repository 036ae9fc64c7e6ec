"""Accepted files are added in the background, whatever happens meanwhile."""

from __future__ import annotations

import io
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from filelock import FileLock
from tests.helpers.tiny_encoder import TinyEncoder

from plait.errors import InputError
from plait.library import Library
from plait.library.folder import LibraryFolder
from plait.serve.jobs import InProcess, Job, Jobs, OwnProcess, Workshop, queue, workshop
from plait.serve.refusals import Refusal
from plait.serve.shelves import tenant_folder
from plait.serve.uploads import FOLDER

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "_LOOK_SECONDS", 0.05)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "shelf", encoder=TinyEncoder()) as opened:
        opened.add_documents(())
        yield opened


class Servers:
    """Servers of a library, each with a queue of its own, that add in this process."""

    def __init__(self) -> None:
        self._shops: list[Workshop] = []

    def jobs(self, library: Library) -> Jobs:
        self._shops.append(Workshop(InProcess(TinyEncoder())))
        return self._shops[-1].jobs(library)

    def stop(self) -> None:
        while self._shops:
            self._shops.pop().stop()


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.stop()


def send(jobs: Jobs, name: str, text: str | bytes) -> Job:
    return jobs.accept(name, io.BytesIO(text.encode() if isinstance(text, str) else text))


def packed(files: dict[str, str]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return archive.getvalue()


def ended(jobs: Jobs, *sent: Job, seconds: float = 60) -> list[Job]:
    async def wait() -> list[Job]:
        return await jobs.finished([job.id for job in sent], seconds=seconds)

    found = anyio.run(wait)
    assert all(job.is_finished for job in found), found
    return found


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def is_tidy(library: Library) -> bool:
    """Tell whether nothing but what was added is left, a moment after the last job has ended."""
    for _ in range(200):
        held = names(library.folder / "jobs" / "held")
        if not held | {name for name in names(library.folder / FOLDER) if name.startswith(".")}:
            return True
        time.sleep(0.01)
    return False


def test_files_are_accepted_at_once_and_added_each_with_its_own_outcome(
    library: Library, servers: Servers
) -> None:
    archive = packed({"good.txt": "The fan belt is worn.", "bad.pdf": "%PDF-1.4 nothing"})
    jobs = servers.jobs(library)
    sent = [
        send(jobs, "../../a.txt", "Close the safety valve."),
        send(jobs, "parts.zip", archive),
        send(jobs, "torn.pdf", "%PDF-1.4 nothing"),
    ]
    assert {job.state for job in sent} == {"waiting"}
    text, parts, torn = ended(jobs, *sent)
    assert [text.name, text.source, text.state] == ["a.txt", ".plait/uploads/a.txt", "added"]
    stored = {document.source: document.id for document in library.documents()}
    assert text.report is not None
    assert text.report["documents"] == [stored[text.source]]
    assert [text.report["added"], text.report["units"]] == [1, 1]
    assert parts.report is not None
    assert [parts.state, parts.report["added"]] == ["added", 2]  # the archive itself, and what could be read
    assert [failure["source"] for failure in parts.report["failed"]] == [".plait/uploads/parts.zip!/bad.pdf"]
    assert torn.state == "failed"
    assert "cannot be opened as a PDF" in torn.reason
    assert torn.remedy
    assert jobs.counts() == {"waiting": 0, "adding": 0, "added": 2, "failed": 1}
    assert [job.id for job in jobs.all()] == [job.id for job in reversed(sent)]
    assert names(library.folder / FOLDER) == {"a.txt", "parts.zip"}  # what cannot be read is not kept
    assert is_tidy(library)


def test_only_the_owner_may_look_at_what_waits(library: Library, servers: Servers) -> None:
    jobs = servers.jobs(library)
    job = send(jobs, "a.txt", "a")
    own = library.folder / "jobs"
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert stat.S_IMODE((own / "ledger.sqlite").stat().st_mode) == 0o600
    ended(jobs, job)
    assert stat.S_IMODE((library.folder / FOLDER / "a.txt").stat().st_mode) == 0o600


def test_a_bad_file_of_the_name_of_a_good_one_leaves_that_in_its_place(
    library: Library, servers: Servers
) -> None:
    jobs = servers.jobs(library)
    good, bad = send(jobs, "a.zip", packed({"a.txt": "a"})), send(jobs, "a.zip", b"PK\x03\x04 nothing")
    assert [job.state for job in ended(jobs, good, bad)] == ["added", "failed"]
    assert zipfile.is_zipfile(library.folder / FOLDER / "a.zip")
    assert len(library.documents()) == 2
    assert is_tidy(library)


def test_what_waits_can_be_cancelled_and_what_ended_forgotten(library: Library, servers: Servers) -> None:
    jobs = servers.jobs(library)
    with FileLock(library.folder / "jobs" / "lock"):  # as if another server worked on it
        first, second = send(jobs, "a.txt", "a"), send(jobs, "b.txt", "b")
        assert jobs.cancel(first.id)
        assert jobs.job(first.id) is None
        assert not jobs.cancel(first.id)
        assert anyio.run(waited, jobs, second.id) == "waiting"
    ended(jobs, second)
    assert [document.source for document in library.documents()] == [second.source]
    assert jobs.cancel(second.id)
    assert jobs.all() == []
    assert is_tidy(library)


async def waited(jobs: Jobs, id: str) -> str:
    return (await jobs.finished([id], seconds=0.05))[0].state


def test_it_says_what_it_waits_for_while_another_writes(
    library: Library, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = LibraryFolder.writing
    monkeypatch.setattr(LibraryFolder, "writing", lambda folder: writing(folder, timeout_seconds=0.05))
    jobs = servers.jobs(library)
    with FileLock(library.folder / "lock"):
        job = send(jobs, "a.txt", "a")
        while not (seen := jobs.job(job.id)) or not seen.note:
            time.sleep(0.01)
        assert seen.state == "waiting"
        assert "another process is writing" in seen.note
    (done,) = ended(jobs, job)
    assert (done.state, done.note) == ("added", "")


def test_no_name_no_space_and_no_end_of_files_are_refused(
    library: Library, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = servers.jobs(library)
    with pytest.raises(InputError, match=r"manual\.pdf"):
        send(jobs, "..", "a")
    with pytest.raises(Refusal) as full:
        jobs.accept("a.txt", FullDisk())
    assert full.value.status == 507
    monkeypatch.setattr(queue, "MOST_WAITING", 0)
    with pytest.raises(Refusal) as many:
        send(jobs, "a.txt", "a")
    assert many.value.status == 429
    assert jobs.all() == []
    assert not any((library.folder / "jobs" / "held").iterdir())


class FullDisk(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("moment", ["taken", "placed", "stored", "told"])
def test_a_crash_between_any_two_steps_loses_nothing_and_adds_nothing_twice(
    library: Library, servers: Servers, moment: str
) -> None:
    before = servers.jobs(library)
    ended(before, send(before, "a.txt", "The old words."))
    servers.stop()

    crashed = Jobs(library.folder, library.settings, on_work=lambda: None)
    job = send(crashed, "a.txt", "The new words.")
    (taken,) = crashed.take()
    place = crashed.place(taken)
    if moment != "taken":
        place.take()
    if moment in ("stored", "told"):
        library.add([place.target])
    if moment == "told":
        crashed.change([Job(**{**taken.to_dict(), "state": "added"})])
    crashed.close()

    again = servers.jobs(library)
    (done,) = ended(again, job)
    assert done.state == "added"
    servers.stop()
    third = Jobs(library.folder, library.settings, on_work=lambda: None)
    assert third.take() == []
    third.close()
    assert (library.folder / FOLDER / "a.txt").read_text() == "The new words."
    assert [unit.passages[0].text for unit in library.units()] == ["The new words."]
    assert is_tidy(library)


def test_a_lost_list_of_jobs_loses_no_accepted_file(library: Library, servers: Servers) -> None:
    crashed = Jobs(library.folder, library.settings, on_work=lambda: None)
    send(crashed, "a.txt", "The fan belt is worn.")
    crashed.close()
    ledger = library.folder / "jobs" / "ledger.sqlite"
    ledger.write_bytes(b"not a database" * 1000)
    jobs = servers.jobs(library)
    while not jobs.all(state="added"):
        time.sleep(0.01)
    assert [document.source for document in library.documents()] == [".plait/uploads/a.txt"]
    assert ledger.with_suffix(".damaged").is_file()


def test_libraries_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "_TURN_SECONDS", 0.0)
    monkeypatch.setattr(queue, "_BATCH_FILES", 1)
    libraries = [Library(tmp_path / name, encoder=TinyEncoder()) for name in ("one", "two")]
    shop = Workshop(InProcess(TinyEncoder()))
    one, two = (shop.jobs(library) for library in libraries)
    with FileLock(one.folder / "jobs" / "lock"), FileLock(two.folder / "jobs" / "lock"):
        many = [send(one, f"{number}.txt", f"text {number}") for number in range(4)]
        single = send(two, "a.txt", "a")
    (lone,), several = ended(two, single), ended(one, *many)
    assert lone.ended < several[-1].ended
    shop.stop()
    for library in libraries:
        library.close()


def test_a_start_goes_on_with_the_jobs_of_tenants_past_one_that_is_damaged(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    for tenant in ("a", "b"):
        with Library(tenant_folder(library.folder, tenant), encoder=TinyEncoder()) as own:
            own.add_documents(())
            crashed = Jobs(own.folder, own.settings, on_work=lambda: None)
            send(crashed, "a.txt", "a")
            crashed.close()
    held = tenant_folder(library.folder, "a") / "jobs" / "held"
    shutil.rmtree(held)
    held.touch()
    shop = Workshop(InProcess(TinyEncoder()))
    shop.resume(library)
    with Library(tenant_folder(library.folder, "b"), encoder=TinyEncoder()) as own:
        (job,) = shop.jobs(own).all()
        assert ended(shop.jobs(own), job)[0].state == "added"
    shop.stop()
    assert "cannot write to the library" in capsys.readouterr().err
    assert library.documents() == []


def test_finished_jobs_are_forgotten_after_some_time(
    library: Library, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_MOST_FINISHED", 2)
    jobs = servers.jobs(library)
    sent = [send(jobs, f"{number}.txt", f"text {number}") for number in range(3)]
    while jobs.counts()["added"] != 2 or jobs.counts()["waiting"] + jobs.counts()["adding"]:
        time.sleep(0.01)
    assert [job.id for job in jobs.all()] == [sent[2].id, sent[1].id]
    monkeypatch.setattr(queue, "_FINISHED_DAYS", 0)
    jobs.change([])
    assert jobs.all() == []


def test_a_killed_server_takes_its_gentle_worker_along_and_the_next_goes_on(
    tmp_path: Path, servers: Servers
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.serve.jobs_process", tmp_path / "shelf", gate],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SECRET": "not for the worker"},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"accepted\n"
    while not (started := list(tmp_path.glob("gate.*"))):
        time.sleep(0.01)
    worker = int(started[0].suffix[1:])
    assert os.getpriority(os.PRIO_PROCESS, worker) >= 5
    environment = Path(f"/proc/{worker}/environ").read_bytes()
    assert b"SECRET" not in environment
    assert b"OMP_NUM_THREADS=1" in environment
    server.send_signal(signal.SIGKILL)
    server.communicate()
    while is_alive(worker):
        time.sleep(0.01)

    with Library(tmp_path / "shelf", encoder=TinyEncoder()) as library:
        jobs = servers.jobs(library)
        assert [job.state for job in ended(jobs, *jobs.all())] == ["added", "added"]
        assert len(library.documents()) == 2
        assert is_tidy(library)


# Speaks as the process that adds does, and dies of a file named poison.
DYING = """
import json, os, signal, sys
for line in sys.stdin:
    paths = json.loads(line)["paths"]
    if any("poison" in path for path in paths):
        os.kill(os.getpid(), signal.SIGKILL)
    print(json.dumps({"reports": [{"failed": []} for path in paths]}), flush=True)
"""


def test_a_file_that_ends_the_process_twice_is_given_up_and_the_others_go_on(library: Library) -> None:
    shop = Workshop(OwnProcess((sys.executable, "-I", "-S", "-c", DYING)))
    jobs = shop.jobs(library)
    with FileLock(library.folder / "jobs" / "lock"):
        sent = [send(jobs, f"{name}.txt", name) for name in ("one", "poison", "two")]
    one, poison, two = ended(jobs, *sent)
    shop.stop()
    assert [one.state, poison.state, two.state] == ["added", "failed", "added"]
    assert "ended by signal 9" in poison.reason
    assert names(library.folder / FOLDER) == {"one.txt", "two.txt"}


def test_a_process_that_ended_between_two_files_is_nobodys_fault(library: Library) -> None:
    shop = Workshop(OwnProcess((sys.executable, "-I", "-S", "-c", f"{DYING}    break")))
    jobs = shop.jobs(library)
    (one,) = ended(jobs, send(jobs, "one.txt", "one"))
    (two,) = ended(jobs, send(jobs, "two.txt", "two"))
    shop.stop()
    assert [one.state, two.state] == ["added", "added"]


def test_a_process_that_falls_silent_is_ended(library: Library) -> None:
    asleep = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)")
    shop = Workshop(OwnProcess(asleep, silent_seconds=0.05))
    jobs = shop.jobs(library)
    (job,) = ended(jobs, send(jobs, "a.txt", "a"))
    shop.stop()
    assert "no sign of life for 0.05 s" in job.reason


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
