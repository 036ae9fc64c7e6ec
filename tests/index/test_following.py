"""A store that is followed: searches go on from the snapshot that is loaded, newer ones are loaded beside."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from plait.errors import LibraryError
from plait.index import following as module
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.index.following import Following
from plait.index.snapshot import TableSnapshot
from plait.schema import Filter, Passage, Unit
from plait.scoring.vectors import UnitVectors, VectorField

FIELDS = (VectorField("text", 8, 1, "passage", "text"), VectorField("image", 8, 2, "figure", "image"))


def entry(name: str, units: int = 3) -> Entry:
    rng = np.random.default_rng(sum(name.encode()))
    document = StoredDocument(name, name, f"{name}.html", {"year": len(name)}, "0" * 64)
    made = tuple(
        Unit(f"{name}:{n}", name, n, name, ("Head",), None, (Passage(f"{name} words {n}"),))
        for n in range(units)
    )
    return Entry(document, made, tuple(UnitVectors(vectors(rng, n)) for n in range(units)))


def vectors(rng: np.random.Generator, figures: int) -> dict[str, np.ndarray]:
    return {
        field.name: unit(rng.standard_normal((items, field.tokens, field.width)))
        for field, items in zip(FIELDS, (1, figures), strict=True)
    }


def unit(raw: np.ndarray) -> np.ndarray:
    found: np.ndarray = (raw / np.linalg.norm(raw, axis=2, keepdims=True)).astype(np.float32)
    return found


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def answers(snapshot: TableSnapshot) -> list[bytes]:
    asked = {field.name: np.ones((1, field.tokens, 8), np.float32) for field in FIELDS}
    lanes = [snapshot.field_scores(name, query, np.ones(1, np.float32)) for name, query in asked.items()]
    lanes.append(snapshot.bm25(["words d2 d7"], [1.0]))
    mask = snapshot.mask([Filter("year", ">=", 2)])
    assert mask is not None
    return [*(lane.tobytes() for lane in lanes), mask.tobytes()]


def test_searches_go_on_from_the_old_one_while_a_new_one_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SOON_SECONDS", -1.0)  # as if loading took long
    now, go_on = [1], Event()

    def load(before: int | None) -> int:
        assert before is None or go_on.wait(20)
        return now[0]

    following = Following(load, lambda: following._current != now[0])
    assert following.latest() == 1
    now[0] = 2
    assert [following.latest() for _ in range(50)] == [1] * 50
    go_on.set()
    until(lambda: following.latest() == 2)


def test_a_small_store_is_seen_as_it_is() -> None:
    now = [1]
    following = Following(lambda before: now[0], lambda: following._current != now[0])
    for version in range(1, 5):
        now[0] = version
        assert following.latest() == version


def test_one_who_writes_all_the_time_does_not_make_it_load_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, loads = [0.0], [0]
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module, "thread_time", lambda: clock[0])

    def load(before: int | None) -> int:
        clock[0] += 1.0
        loads[0] += 1
        return loads[0]

    following = Following(load, lambda: True)
    while clock[0] < 100:
        following.latest()
        clock[0] += 0.1
        if following._thread is not None:
            following._thread.join()
    assert loads[0] <= 25  # a fifth of the time


def test_what_was_asked_long_ago_is_not_answered_from(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, now = [0.0], [1]
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module, "_SOON_SECONDS", -1.0)
    following = Following(lambda before: now[0], lambda: following._current != now[0])
    assert following.latest() == 1
    now[0], clock[0] = 2, 60.0
    assert following.latest() == 2


def test_an_error_of_loading_is_told_to_the_next_and_then_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SOON_SECONDS", -1.0)
    now: list[int | None] = [1]

    def load(before: int | None) -> int:
        if now[0] is None:
            raise LibraryError("the disk failed")
        return now[0]

    following = Following(load, lambda: following._current != now[0])
    assert following.latest() == 1
    now[0] = None
    following.latest()
    assert following._thread is not None
    following._thread.join()
    with pytest.raises(LibraryError, match="disk failed"):
        following.latest()
    now[0] = 3
    assert following.latest() == 3


def test_a_followed_store_answers_as_one_opened_anew_after_every_write(tmp_path: Path) -> None:
    writer, reader = LanceIndex(tmp_path, FIELDS), LanceIndex(tmp_path, FIELDS)
    writer.add([entry(f"d{n}") for n in range(40)])
    reader.follow()
    steps: list[Callable[[], object]] = [
        lambda: writer.add([entry("d40"), entry("dd41")]),
        lambda: writer.remove(["d7", "d39"]),
        lambda: writer.add([entry("d2", units=5)]),
        lambda: writer.optimize(keep_seconds=0),
        lambda: writer.add([entry(f"e{n}") for n in range(60)]),
    ]
    assert answers(reader.snapshot()) == answers(LanceIndex(tmp_path, FIELDS).snapshot())
    for step in steps:
        step()
        reader.renew()
        assert answers(reader.snapshot()) == answers(LanceIndex(tmp_path, FIELDS).snapshot())


def test_what_others_write_is_seen_soon_and_ones_own_at_once(tmp_path: Path) -> None:
    writer, reader = LanceIndex(tmp_path, FIELDS), LanceIndex(tmp_path, FIELDS)
    reader.follow()
    assert len(reader.snapshot()) == 0
    writer.add([entry("d0")])
    until(lambda: len(reader.snapshot()) == 3)
    for number in range(1, 4):
        reader.add([entry(f"d{number}")])
        assert len(reader.snapshot()) == 3 * (number + 1)
    reader.remove(["d0"])
    assert len(reader.snapshot()) == 9


def test_old_snapshots_are_let_go(tmp_path: Path) -> None:
    index = LanceIndex(tmp_path, FIELDS)
    index.follow()
    gc.disable()
    try:
        seen = []
        for number in range(4):
            index.add([entry(f"d{number}")])
            answers(index.snapshot())
            seen.append(weakref.ref(index.snapshot()))
        assert [one() is None for one in seen] == [True, True, True, False]
    finally:
        gc.enable()


def test_threads_that_search_while_another_writes_see_whole_documents(tmp_path: Path) -> None:
    index = LanceIndex(tmp_path, FIELDS)
    index.add([entry("d0")])
    index.follow()
    over, problems = Event(), []

    def search() -> None:
        while not over.is_set():
            snapshot = index.snapshot()
            rows = list(range(len(snapshot)))
            if len(rows) % 3 or len(snapshot.units(rows)) != len(rows):
                problems.append(len(rows))

    threads = [Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    writer = LanceIndex(tmp_path, FIELDS)
    for number in range(1, 6):
        writer.add([entry(f"d{number}")])
    until(lambda: len(index.snapshot()) == 18)
    over.set()
    for thread in threads:
        thread.join()
    assert problems == []
