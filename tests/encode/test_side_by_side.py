"""Batches side by side: in order, each on one torch thread, and nothing left changed."""

from __future__ import annotations

import os
import threading

import pytest
import torch

from plait.encode.threads import SideBySide, torch_threads


@pytest.fixture(autouse=True)
def two_torch_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
def test_results_come_in_order_each_made_on_one_torch_thread(threads):
    found = SideBySide(threads).each(lambda batch: (batch * 2, torch.get_num_threads()), range(40))
    assert found == [(2 * k, 1) for k in range(40)]
    assert SideBySide(threads).each(str, []) == []


def test_as_many_batches_run_at_a_time_as_asked():
    """Each waits for the other: one after another, they would wait for ever."""
    both = threading.Barrier(2, timeout=60)
    assert sorted(SideBySide(2).each(lambda _: both.wait(), "ab")) == [0, 1]


def test_the_same_threads_serve_every_call():
    pool = SideBySide(2)
    first, second = (set(pool.each(lambda _: threading.get_ident(), range(50))) for _ in range(2))
    assert len(first | second) <= 2


def test_one_thread_is_the_callers_own():
    assert set(SideBySide(1).each(lambda _: threading.get_ident(), range(3))) == {threading.get_ident()}


def test_none_named_means_one_a_core():
    cores = len(os.sched_getaffinity(0))
    found = SideBySide().each(lambda _: threading.get_ident(), range(20 * cores))
    assert 1 <= len(set(found)) <= cores


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_reaches_the_caller(threads):
    def fails(batch):
        raise ValueError(f"batch {batch}")

    with pytest.raises(ValueError, match="batch 0"):
        SideBySide(threads).each(fails, range(4))


def test_torch_threads_are_put_back_after_an_error():
    def fails():
        with torch_threads(3):
            assert torch.get_num_threads() == 3
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert torch.get_num_threads() == 2
