"""The folder of scan files: what was written is found, whatever is merged, killed, full or damaged."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from tests.helpers.scan_files import FIELD, piece, read_back, vectors_of, written

from plait.errors import LibraryError, ShapeError
from plait.index.scan.scan_planes import planes_of
from plait.index.scan.segments import Segments
from plait.scoring.vectors import VectorField

KILLS = 12
WRITER = """
import sys
from pathlib import Path
from tests.index.scan.test_segments import step
from plait.index.scan.segments import Segments
from tests.helpers.scan_files import FIELD

segments = Segments(Path(sys.argv[1]), FIELD)
print("ready", flush=True)
for number in range(int(sys.argv[2]), 10_000):
    step(segments, number)
    print(number, flush=True)
"""
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.index.scan.test_segments import states
from plait.errors import LibraryError
from plait.index.scan.segments import Segments
from tests.helpers.scan_files import FIELD, piece
import numpy as np

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
segments = Segments(folder, FIELD)
before = states(folder)
for limit in (1000, 4096, 50_000, 100_000, 130_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        if sys.argv[2] == "write":
            segments.write([piece(range(1000, 2000))])
        else:
            segments.tidy(np.arange(8000, dtype=np.uint64))
        print("no error")
    except LibraryError as error:
        print(error)
    assert states(folder) == before, limit
"""
EVERY_STEP = """
import sys
from pathlib import Path
from tests.index.scan.test_segments import killed_at_every_step

print(killed_at_every_step(Path(sys.argv[1])))
"""


@pytest.fixture
def segments(tmp_path) -> Segments:
    return Segments(tmp_path / "scan" / FIELD.name, FIELD)


def test_a_folder_that_is_not_there_holds_nothing_and_stays_away(segments, tmp_path):
    keys = np.arange(3, dtype=np.uint64)
    assert segments.opened() == []
    assert np.array_equal(segments.missing(keys), keys)
    assert segments.problems() == []
    segments.tidy(keys)
    assert list(tmp_path.iterdir()) == []


def test_reading_leaves_no_trace_so_a_folder_that_cannot_be_written_serves_as_well(segments, tmp_path):
    segments.write([piece(range(5))])
    before = states(tmp_path), (tmp_path / "scan" / FIELD.name).stat().st_mtime_ns
    reader = Segments(tmp_path / "scan" / FIELD.name, FIELD)
    assert len(read_back(reader.opened())) == 5
    assert reader.problems() == []
    assert len(reader.missing(np.arange(5, dtype=np.uint64))) == 0
    assert (states(tmp_path), (tmp_path / "scan" / FIELD.name).stat().st_mtime_ns) == before


def test_a_file_in_place_of_the_folder_is_an_error_with_a_next_step(tmp_path):
    (tmp_path / "scan").write_text("not a folder")
    segments = Segments(tmp_path / "scan", FIELD)
    for call in (segments.opened, segments.problems, lambda: segments.write([piece([1])])):
        with pytest.raises(LibraryError, match="check"):
            call()


def test_units_are_found_from_the_moment_they_are_written(segments):
    segments.write([piece([4, 2]), piece([9], [0])])
    assert segments.missing(np.array([9, 5, 2, 4, 7], np.uint64)).tolist() == [5, 7]
    segments.write([piece([5])])
    assert segments.missing(np.array([9, 5, 2, 4, 7], np.uint64)).tolist() == [7]


def test_a_file_merged_between_listing_and_opening_is_looked_for_again(segments, tmp_path, monkeypatch):
    for number in range(8):
        segments.write([piece([number])])
    list_folder = os.listdir

    def list_then_merge(folder: Path) -> list[str]:
        names = list_folder(folder)
        monkeypatch.undo()
        segments.tidy(np.arange(8, dtype=np.uint64))
        return names

    monkeypatch.setattr(os, "listdir", list_then_merge)
    reader = Segments(tmp_path / "scan" / FIELD.name, FIELD)
    assert set(read_back(reader.opened())) == set(range(8))


def test_keys_and_sizes_of_another_integer_type_are_stored_as_they_are(segments):
    keys, sizes, vectors = piece([2**62 + 1, 3], [2, 1])
    segments.write([(keys.astype(np.int64), sizes.astype(np.int32), vectors)])
    [one] = segments.opened()
    assert one.keys.tolist() == [2**62 + 1, 3]
    assert one.offsets.tolist() == [0, 2, 3]


def test_a_segment_once_open_is_the_same_object_until_its_file_goes(segments):
    segments.write([piece([1])])
    [first] = segments.opened()
    segments.write([piece([2])])
    assert len(segments.opened()) == 2
    assert any(one is first for one in segments.opened())


@pytest.mark.parametrize("pieces", [[], [piece([])], [piece([]), piece([])]])
def test_nothing_to_write_makes_no_file(segments, tmp_path, pieces):
    segments.write(pieces)
    assert list(tmp_path.iterdir()) == []


def test_units_all_without_items_are_stored_too(segments):
    segments.write([piece([3, 4], [0, 0])])
    [one] = segments.opened()
    assert one.offsets.tolist() == [0, 0, 0]
    assert one.read(np.empty(0, np.int64)).shape == (0, FIELD.tokens, FIELD.width)
    assert segments.problems() == []


@pytest.mark.parametrize(
    "wrong",
    [
        (*piece([1, 2])[:2], piece([1])[2]),
        (piece([1])[0], *piece([1, 2])[1:]),
        piece([1], field=VectorField(FIELD.name, FIELD.width + 1, FIELD.tokens, "unit", "joint")),
        (*piece([1])[:2], piece([1])[2].astype(np.float32)),
    ],
)
def test_a_piece_that_does_not_fit_leaves_no_file(segments, tmp_path, wrong):
    with pytest.raises(ShapeError, match="expected"):
        segments.write([piece([7]), wrong])
    assert _files(tmp_path) == []


def test_an_error_of_whoever_gives_the_pieces_leaves_no_file(segments, tmp_path):
    def pieces():
        yield piece([7])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segments.write(pieces())
    assert _files(tmp_path) == []


def test_writing_takes_the_memory_of_a_piece_not_of_the_file(tmp_path):
    field = VectorField("ret", width=64, tokens=32, items="unit", asks="joint")
    keys, sizes, vectors = piece(range(256), field=field)

    def peak_of(pieces: int) -> int:
        tracemalloc.start()
        Segments(tmp_path, field).write((keys, sizes, vectors) for _ in range(pieces))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_of(1)  # loads what the first use of NumPy's functions loads
    assert peak_of(36) - peak_of(4) < vectors.nbytes / 2  # 32 pieces' planes take four times that


def test_tidying_merges_small_files_and_keeps_every_live_unit(segments, tmp_path):
    for number in range(9):
        segments.write([piece([2 * number, 2 * number + 1], [number % 3, 1])])
    live = np.arange(1, 18, dtype=np.uint64)
    segments.tidy(live)
    assert len(_files(tmp_path)) == 2
    found = read_back(segments.opened())
    for key in live.tolist():
        [vectors] = found[key]
        assert np.array_equal(vectors, vectors_of(key, (key // 2) % 3 if key % 2 == 0 else 1))
    assert 0 not in found, "dropped because its file was merged"
    assert segments.problems() == []


def test_tidying_twice_changes_nothing_more(segments, tmp_path):
    for number in range(20):
        segments.write([piece([number])])
    segments.tidy(np.arange(20, dtype=np.uint64))
    before = states(tmp_path)
    segments.tidy(np.arange(20, dtype=np.uint64))
    assert states(tmp_path) == before


def test_dead_units_stay_until_they_are_a_fifth_of_their_file(segments):
    segments.write([piece(range(10))])
    segments.tidy(np.arange(2, 10, dtype=np.uint64))
    assert set(read_back(segments.opened())) == set(range(10))
    segments.tidy(np.arange(3, 10, dtype=np.uint64))
    assert set(read_back(segments.opened())) == set(range(3, 10))


def test_a_file_without_live_units_is_deleted(segments, tmp_path):
    segments.write([piece([1, 2])])
    segments.write([piece([3])])
    segments.tidy(np.array([3], np.uint64))
    assert set(read_back(segments.opened())) == {3}
    assert len(_files(tmp_path)) == 1


def test_purging_leaves_no_byte_of_a_dead_unit_in_any_file(segments, tmp_path):
    keys = [10**15 + 997 * number for number in range(40)]
    for first in range(0, 40, 10):
        segments.write([piece(keys[first : first + 10])])
    dead = {keys[7], keys[25], keys[39]}
    (tmp_path / "scan" / FIELD.name / "half.new").write_bytes(b"".join(stored_bytes(keys[7])))
    assert all(pattern in _all_bytes(tmp_path) for key in keys for pattern in stored_bytes(key))
    segments.tidy(np.array([key for key in keys if key not in dead], np.uint64), purge=True)
    left = _all_bytes(tmp_path)
    for key in keys:
        assert [pattern in left for pattern in stored_bytes(key)] == 11 * [key not in dead]
    assert set(read_back(segments.opened())) == set(keys) - dead


def stored_bytes(key: int) -> list[bytes]:
    """Return what a file holds of a unit: its key, its vectors and their four planes."""
    planes, _ = planes_of(vectors_of(key))
    parts = [np.uint64(key), *vectors_of(key)[0], *planes[:, 0]]
    return [part.tobytes() for part in parts]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not list open files")
def test_purged_files_are_not_kept_open(segments, tmp_path):
    segments.write([piece(range(10))])
    assert len(segments.opened()) == 1
    segments.tidy(np.arange(9, dtype=np.uint64), purge=True)
    held = [os.readlink(f"/proc/self/fd/{number}") for number in _descriptors()]
    assert not [name for name in held if str(tmp_path) in name and name.endswith("(deleted)")]


def test_a_unit_in_two_files_is_usable_and_goes_from_one(segments, tmp_path):
    segments.write([piece(range(3))])
    segments.write([piece(range(4))])
    assert [len(vectors) for vectors in read_back(segments.opened()).values()] == [2, 2, 2, 1]
    segments.tidy(np.arange(4, dtype=np.uint64))
    assert [len(vectors) for vectors in read_back(segments.opened()).values()] == [1, 1, 1, 1]
    assert len(_files(tmp_path)) == 1


def test_what_a_crash_left_is_removed_and_no_reader_sees_it(segments, tmp_path):
    segments.write([piece([1])])
    [path] = _files(tmp_path)
    path.with_suffix(".new").write_bytes(path.read_bytes()[:5000])
    assert len(segments.opened()) == 1
    segments.tidy(np.array([1], np.uint64))
    assert _files(tmp_path) == [path]


def test_a_damaged_file_is_left_out_reported_and_removed(segments, tmp_path):
    folder = tmp_path / "scan" / FIELD.name
    damaged = written(folder, piece([1, 2]))
    segments.write([piece([3])])
    os.truncate(damaged, 4096)
    keys = np.arange(1, 4, dtype=np.uint64)
    assert segments.missing(keys).tolist() == [1, 2]
    assert [str(damaged) in line for line in segments.problems()] == [True]
    segments.tidy(keys)
    assert segments.problems() == []
    segments.write([piece(segments.missing(keys).tolist())])
    assert set(read_back(segments.opened())) == {1, 2, 3}


def test_a_file_of_another_field_is_left_out(segments, tmp_path):
    other = VectorField("other", FIELD.width, FIELD.tokens, "unit", "joint")
    foreign = written(tmp_path / "other", piece([1]), field=other)
    segments.write([piece([2])])
    foreign.rename(tmp_path / "scan" / FIELD.name / foreign.name)
    assert segments.missing(np.array([1, 2], np.uint64)).tolist() == [1]
    assert len(segments.problems()) == 1


@pytest.mark.parametrize("part", ["vectors", "planes"])
def test_merging_never_gives_a_changed_byte_a_fresh_checksum(segments, tmp_path, part):
    for number in range(8):
        segments.write([piece([number])])
    keys = np.arange(8, dtype=np.uint64)
    [changed] = [path for path in _files(tmp_path) if _key_of(path) == 5]
    with open(changed, "r+b") as file:
        file.seek({"vectors": 4096, "planes": 8192}[part])
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 64]))
    [problem] = segments.problems()
    assert part in problem
    segments.tidy(keys)
    assert segments.missing(keys).tolist() == [5]
    assert segments.problems() == []
    for key, [vectors] in read_back(segments.opened()).items():
        assert np.array_equal(vectors, vectors_of(key))


@pytest.mark.parametrize("job", ["write", "tidy"])
def test_a_full_disk_changes_nothing_and_is_explained(segments, tmp_path, job):
    for number in range(8):
        segments.write([piece(range(1000 * number, 1000 * number + 150))])
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "scan" / FIELD.name), job]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert said.stderr == ""
    assert len(said.stdout.splitlines()) == 5
    for line in said.stdout.splitlines():
        assert "make room on the disk" in line
        assert str(tmp_path) in line
    assert segments.problems() == []


def test_killed_at_every_file_operation_each_live_unit_is_in_a_whole_file(tmp_path):
    command = [sys.executable, "-c", EVERY_STEP, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert said.stderr == ""
    assert int(said.stdout) >= 20


def killed_at_every_step(folder: Path) -> int:
    """Kill a process at its first file operation, another at its second, and so on; return how many died.

    Each begins with eight small files, one unit dead, and writes a ninth, then tidies.
    """
    begun = Segments(folder / "begun", FIELD)
    for number in range(8):
        begun.write([piece([10 * number, 10 * number + 1])])
    for step in range(1000):
        shutil.copytree(folder / "begun", folder / str(step))
        segments = Segments(folder / str(step), FIELD)
        if _ended_before(step, folder / str(step)):
            return step
        found = read_back(segments.opened())
        for key in _LIVE.tolist():
            assert all(np.array_equal(vectors, vectors_of(key)) for vectors in found[key]), (step, key)
        assert segments.problems() == []
        segments.tidy(_LIVE, purge=True)
        assert len(_files(folder / str(step))) <= 2
    raise AssertionError("the work never ended")


_LIVE = np.array([key for number in range(8) for key in (10 * number, 10 * number + 1)][1:], np.uint64)


def _ended_before(step: int, folder: Path) -> bool:
    """Write and tidy in another process, which dies at a file operation; return whether it ended before."""
    child = os.fork()
    if not child:
        left = iter(range(step))

        def die_in_time(event: str, details: tuple) -> None:
            changing = event == "open" and details[2] & (os.O_WRONLY | os.O_RDWR)
            if (changing or event in ("os.rename", "os.remove")) and next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(die_in_time)
        segments = Segments(folder, FIELD)
        segments.write([piece([500])])
        segments.tidy(_LIVE, purge=True)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.slow
def test_killed_at_random_moments_no_acknowledged_unit_is_lost_and_no_file_is_half(segments, tmp_path):
    moments = random.Random(11)
    folder = tmp_path / "scan" / FIELD.name
    acknowledged = -1
    unfinished = 0
    for kill in range(5 * KILLS):
        if kill >= KILLS and unfinished:
            break
        command = [sys.executable, "-c", WRITER, str(folder), str(acknowledged + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0, 0.3))
            writer.send_signal(signal.SIGKILL)
            lines = writer.stdout.readlines()
        assert writer.returncode == -signal.SIGKILL
        acknowledged = max([acknowledged, *(int(line) for line in lines if line.endswith("\n"))])
        unfinished += len(list(folder.glob("*.new")))
        assert segments.problems() == []
        found = read_back(segments.opened())
        for key in live_after(acknowledged) & live_after(acknowledged + 1):
            assert all(np.array_equal(vectors, vectors_of(key)) for vectors in found[key])
    assert acknowledged > KILLS
    assert unfinished, "no kill fell into a write: the moments are badly chosen"


def step(segments: Segments, number: int) -> None:
    """Write some units, delete the oldest now and then, and tidy."""
    segments.tidy(np.array(sorted(live_after(number - 1)), np.uint64), purge=number % 7 == 0)
    missing = segments.missing(np.array(sorted(live_after(number)), np.uint64))
    segments.write([piece(missing.tolist())])
    segments.tidy(np.array(sorted(live_after(number)), np.uint64))


def live_after(number: int) -> set[int]:
    """Return the keys that are live once step `number` is done: a window that moves on."""
    return set(range(max(0, 10 * number - 400), 10 * number + 10))


def test_readers_find_every_live_unit_while_files_are_written_merged_and_deleted(segments, tmp_path):
    always = np.arange(20, dtype=np.uint64)
    segments.write([piece(always.tolist())])
    done = Event()

    def read() -> int:
        reader = Segments(tmp_path / "scan" / FIELD.name, FIELD)
        rounds = 0
        while not done.is_set() or not rounds:
            found = read_back(reader.opened())
            for key in always.tolist():
                assert np.array_equal(found[key][0], vectors_of(key))
            rounds += 1
        return rounds

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for number in range(60):
            segments.write([piece([1000 + number])])
            live = np.append(always, np.arange(1000 + number - 3, 1001 + number, dtype=np.uint64))
            segments.tidy(live, purge=True)
        done.set()
        assert all(reader.result() > 1 for reader in readers)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def states(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return when each file last changed, and its size."""
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in _files(folder)}


def _all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in _files(folder))


def _key_of(path: Path) -> int:
    """Return the key of a file's only unit."""
    return int(np.frombuffer(path.read_bytes()[-4096:], np.uint64)[0])


def _descriptors() -> list[str]:
    return [name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")]
