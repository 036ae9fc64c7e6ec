"""Calls of several threads made as one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from plait.scoring.together import Together


def test_one_caller_is_served_alone_and_at_once() -> None:
    seen: list[list[int]] = []
    together = Together[int, int]()

    def work(items: list[int]) -> list[int]:
        seen.append(items)
        return [2 * item for item in items]

    assert [together(work, 3), together(work, 4)] == [6, 8]
    assert seen == [[3], [4]]


def test_those_who_come_while_one_is_at_work_go_together() -> None:
    began, go_on = Event(), Event()
    seen: list[list[int]] = []

    def work(items: list[int]) -> list[int]:
        seen.append(items)
        began.set()
        assert go_on.wait(10)
        return [10 * item for item in items]

    together = Together[int, int](most=3)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(together, work, 0)
        assert began.wait(10)
        others = [pool.submit(together, work, item) for item in range(1, 6)]
        while len(together._waiting) < 5:
            pass
        go_on.set()
        assert [first.result(10), *(other.result(10) for other in others)] == [0, 10, 20, 30, 40, 50]
    assert seen[0] == [0]
    assert [len(items) for items in seen[1:]] == [3, 2]
    assert sorted(item for items in seen for item in items) == list(range(6))


def test_several_items_of_one_caller_are_one_call_and_an_error_is_the_first_ones() -> None:
    seen: list[list[int]] = []
    together = Together[int, float](most=3)

    def inverse(items: list[int]) -> list[float]:
        seen.append(items)
        return [1 / item for item in items]

    assert together.each(inverse, [1, 2, 4, 5]) == [1, 0.5, 0.25, 0.2]
    assert seen == [[1, 2, 4], [5]]
    assert together.each(inverse, []) == []
    with pytest.raises(ZeroDivisionError):
        together.each(inverse, [1, 0, 2])


def test_many_threads_each_get_their_own() -> None:
    told: list[int] = []
    together = Together[int, int](most=4, told=told.append)

    def ask(item: int) -> int:
        return together(lambda items: [one + 1 for one in items], item)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(2000))) == list(range(1, 2001))
    assert sum(told) == 2000
    assert max(told) <= 4


def test_an_error_is_told_to_whom_it_concerns_and_to_nobody_else() -> None:
    began, go_on = Event(), Event()

    def work(items: list[int]) -> list[float]:
        began.set()
        assert go_on.wait(10)
        return [1 / item for item in items]

    together = Together[int, float]()
    outcomes: dict[int, object] = {}

    def ask(item: int) -> None:
        try:
            outcomes[item] = together(work, item)
        except ZeroDivisionError as error:
            outcomes[item] = type(error)

    threads = [Thread(target=ask, args=(item,)) for item in (4, 2, 0, 5)]
    threads[0].start()
    assert began.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(together._waiting) < 3:
        pass
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert outcomes == {4: 0.25, 2: 0.5, 0: ZeroDivisionError, 5: 0.2}
    with pytest.raises(ZeroDivisionError):
        together(work, 0)
    assert together(work, 8) == 0.125
