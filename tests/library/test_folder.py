"""Ctrl-C, at whatever moment it comes, is Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from plait.cli.console import of_interrupt
from plait.errors import LibraryError
from plait.library.folder import LibraryFolder, delete_folder


@pytest.fixture
def interrupted_close(monkeypatch):
    """Ctrl-C at the worst moment: a folder that is being deleted was just closed."""
    close, before = os.close, signal.signal(signal.SIGINT, signal.default_int_handler)

    def closing(handle):
        close(handle)
        monkeypatch.setattr(os, "close", close)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    monkeypatch.setattr(os, "close", closing)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_is_one_also_while_a_folder_is_deleted(tmp_path, interrupted_close):
    with pytest.raises(KeyboardInterrupt):
        delete_folder(tmp_path)


def test_an_interrupted_writer_leaves_no_spool(tmp_path, interrupted_close):
    folder = LibraryFolder.at(tmp_path)
    folder.create()
    with pytest.raises(KeyboardInterrupt), folder.spool() as spool:
        delete_folder(spool)
    assert not (folder.path / "spool").exists()


def test_what_fails_for_an_interrupt_is_told_from_what_fails_before():
    failed = LibraryError("cannot optimize")
    failed.__context__ = OSError("closed")
    assert not of_interrupt(failed)
    failed.__context__.__context__ = KeyboardInterrupt()
    assert of_interrupt(failed)
    assert of_interrupt(KeyboardInterrupt())
