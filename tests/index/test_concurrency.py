"""Real processes write and read one store at once; the version of a document is a register they share."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.entries import FIELDS, make_entry

from plait.errors import LibraryLockedError
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, Snapshot

NAMES = ("a", "b", "c")
ONE = np.ones(1, np.float32)


@dataclass(frozen=True)
class Write:
    """One acknowledged write; times are of the clock that all processes share, in nanoseconds."""

    name: str
    tag: int
    began: int
    ended: int


@dataclass(frozen=True)
class Sight:
    """What one search showed of a document: the version, and the write that it is of."""

    name: str
    version: int
    tag: int
    began: int
    ended: int


@pytest.mark.slow
@pytest.mark.parametrize("exact_bytes", [0, 1 << 26])
def test_readers_see_whole_versions_never_older_ones_and_every_acknowledged_write(tmp_path, exact_bytes):
    LanceIndex(tmp_path, FIELDS).add([entry(name, 0) for name in NAMES])
    with processes(4) as pool:
        reading = [pool.submit(read, tmp_path, exact_bytes) for _ in range(2)]
        writing = [pool.submit(write, tmp_path, exact_bytes, writer, 30) for writer in (1, 2)]
        writes = [one for writer in writing for one in writer.result()]
        (tmp_path / "done").touch()
        sights = [reader.result() for reader in reading]
    assert len(writes) == 60
    every = [sight for reader in sights for sight in reader]
    assert len({sight.version for sight in every}) > 5
    check_registers(writes, sights)
    final = see(LanceIndex(tmp_path, FIELDS, exact_bytes=exact_bytes))
    assert {one.name: one.version for one in final} == {
        name: 1 + sum(write.name == name for write in writes) for name in NAMES
    }


@pytest.mark.slow
def test_of_two_writers_that_do_not_wait_one_is_told_and_nothing_is_lost(tmp_path):
    LanceIndex(tmp_path, FIELDS).add([entry(name, 0) for name in NAMES])
    with processes(2) as pool:
        told = [pool.submit(write_at_once, tmp_path, writer, 60) for writer in (1, 2)]
        writes, refusals = map(sum, zip(*(one.result() for one in told), strict=True))
    assert writes + refusals == 120
    assert writes > 0
    assert sum(sight.version for sight in see(LanceIndex(tmp_path, FIELDS))) == len(NAMES) + writes


def test_versions_that_go_back_and_writes_not_seen_are_found():
    """The judge of the tests above can say no."""
    writes = [Write("a", 1, 0, 10), Write("a", 2, 20, 30)]
    seen = Sight("a", 3, 2, 40, 50)
    check_registers(writes, [[Sight("a", 1, 0, -5, -1), Sight("a", 2, 1, 15, 19), seen]])
    for wrong in (
        [seen, Sight("a", 2, 1, 60, 70)],  # back
        [Sight("a", 2, 1, 40, 50)],  # without the second write, which was acknowledged
        [Sight("a", 4, 2, 40, 50)],  # more writes than there were
        [seen, Sight("a", 3, 1, 60, 70)],  # two contents of one version
    ):
        with pytest.raises(AssertionError):
            check_registers(writes, [wrong])


def check_registers(writes: Sequence[Write], readers: Sequence[Sequence[Sight]]) -> None:
    tags: dict[tuple[str, int], int] = {}
    for sights in readers:
        last: dict[str, int] = defaultdict(int)
        for sight in sights:
            of_name = [write for write in writes if write.name == sight.name]
            acknowledged = sum(write.ended < sight.began for write in of_name)
            begun = sum(write.began < sight.ended for write in of_name)
            assert 1 + acknowledged <= sight.version <= 1 + begun
            assert sight.version >= last[sight.name]
            assert tags.setdefault((sight.name, sight.version), sight.tag) == sight.tag
            last[sight.name] = sight.version


def write(folder: Path, exact_bytes: int, writer: int, count: int) -> list[Write]:
    index = LanceIndex(folder, FIELDS, exact_bytes=exact_bytes)
    chance = random.Random(writer)
    done = []
    for number in range(count):
        name, tag = chance.choice(NAMES), 1000 * writer + number
        began = time.monotonic_ns()
        index.add([entry(name, tag)])
        done.append(Write(name, tag, began, time.monotonic_ns()))
        if number % 8 == 7:
            index.optimize()
    return done


def write_at_once(folder: Path, writer: int, count: int) -> tuple[int, int]:
    """Return how many writes were done, and how many refused."""
    index = LanceIndex(folder, FIELDS, wait_seconds=0)
    done = 0
    for number in range(count):
        with contextlib.suppress(LibraryLockedError):
            index.add([entry(NAMES[number % 3], 1000 * writer + number)])
            done += 1
    return done, count - done


def read(folder: Path, exact_bytes: int) -> list[Sight]:
    index = LanceIndex(folder, FIELDS, exact_bytes=exact_bytes)
    sights: list[Sight] = []
    while not (folder / "done").exists():
        sights += see(index)
    return sights


def see(index: LanceIndex) -> Iterator[Sight]:
    """Yield what a search shows of each document, which must be of one version in every lane."""
    began = time.monotonic_ns()
    snapshot = index.snapshot()
    assert list(snapshot.documents_of()) == list(NAMES)
    for name, rows in snapshot.documents_of().items():
        found = snapshot.units(rows)
        document = found[0][1]
        tag = int(document.metadata["tag"])
        whole = entry(name, tag)
        assert [unit for unit, _ in found] == list(whole.units)
        assert {owner.version for _, owner in found} == {document.version}
        check_lanes(snapshot, rows, whole, tag)
        yield Sight(name, document.version, tag, began, time.monotonic_ns())


def check_lanes(snapshot: Snapshot, rows: Sequence[int], whole: Entry, tag: int) -> None:
    assert set(rows) <= set(np.flatnonzero(snapshot.bm25([f"tag{tag}"], [1.0]) > 0).tolist())
    for row, vectors in zip(rows, whole.vectors, strict=True):
        for field in FIELDS:
            score = snapshot.field_scores(field.name, vectors.fields[field.name], ONE)[row]
            assert score == pytest.approx(1, abs=2e-3)


def entry(name: str, tag: int) -> Entry:
    """Return a document of one to three units, all of which tell what write they are of."""
    return make_entry(name, [f"tag{tag}"] * (1 + tag % 3), metadata={"tag": tag}, seed=10 * tag)


def processes(count: int) -> ProcessPoolExecutor:
    """Return new processes, forked from one that has imported what they need and opened nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["plait.index.backends.lancedb", "torch"])
    return ProcessPoolExecutor(count, mp_context=context)
