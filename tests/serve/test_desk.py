"""The desk: calls beside each other, a bounded queue of searches, and answers that threads do not change."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier, Event

import anyio
import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait.library import Library
from plait.schema import Hits, Query, SearchRequest
from plait.serve.desk import Desk
from plait.serve.refusals import Refusal

WORDS = ("safety valve", "filter basket", "boiler", "warm water once a week", "open the valve under water")


def asked(words: str) -> SearchRequest:
    return SearchRequest(Query.of(words), k=2)


def test_searches_beside_each_other_find_what_each_finds_alone(library: Library) -> None:
    desk = Desk(library, searches=4)
    alone = {words: library.search(asked(words)).to_dict() for words in WORDS}
    found: list[tuple[str, Hits]] = []

    async def search(words: str) -> None:
        found.append((words, await desk.search(asked(words))))

    async def together() -> None:
        async with anyio.create_task_group() as tasks:
            for words in WORDS * 6:
                tasks.start_soon(search, words)

    anyio.run(together)
    assert len(found) == 30
    assert all(hits.to_dict() == alone[words] for words, hits in found)


def test_calls_are_at_work_at_the_same_time(library: Library) -> None:
    desk, both = Desk(library), Barrier(2)

    async def twice() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(desk.ask, lambda _library: both.wait(20))

    anyio.run(twice)


class Slow(Library):
    """A library that answers when it is let."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, encoder=TinyEncoder())
        self.go_on = Event()
        self.searched = 0

    def search(self, *request: object, **options: object) -> Hits:
        self.searched += 1
        assert self.go_on.wait(20)
        return super().search(*request, **options)  # type: ignore[arg-type]


def test_when_too_many_wait_the_next_is_told_to_come_back(shelf: Path) -> None:
    slow = Slow(shelf)
    desk = Desk(slow, searches=1, waiting=2)
    found: list[Hits] = []

    async def search() -> None:
        found.append(await desk.search(asked("valve")))

    async def crowd() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(search)
                await anyio.wait_all_tasks_blocked()
            with pytest.raises(Refusal) as refused:
                await desk.search(asked("valve"))
            assert refused.value.status == 503
            assert int(refused.value.headers["Retry-After"]) >= 1
            slow.go_on.set()

    anyio.run(crowd)
    assert len(found) == 3


def test_who_is_cancelled_leaves_the_queue(shelf: Path) -> None:
    slow = Slow(shelf)
    desk = Desk(slow, searches=1, waiting=1)

    async def leave() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.search, asked("valve"))
            await anyio.wait_all_tasks_blocked()
            for _ in range(3):  # the one place in the queue is free again each time
                with anyio.move_on_after(0.01):
                    await desk.search(asked("filter"))
            slow.go_on.set()

    anyio.run(leave)
    assert slow.searched == 1


def test_a_desk_is_ready_once_it_is_warm(library: Library) -> None:
    desk = Desk(library)
    assert not desk.ready
    anyio.run(desk.warm)
    assert desk.ready
