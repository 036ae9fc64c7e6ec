"""Any sequence of writing, deleting, merging, damage and reopening, beside a plain set of live keys."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from numpy.typing import NDArray
from tests.helpers.scan_files import FIELD, piece, read_back, vectors_of

from plait.index.scan.segments import Segments


class Folder(RuleBasedStateMachine):
    """A folder of scan files kept in step with a set of live keys, as the store keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.segments = Segments(self.folder, FIELD)
        self.live: set[int] = set()
        self.next = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(count=st.integers(1, 12), files=st.integers(1, 4))
    def write(self, count: int, files: int) -> None:
        for _ in range(files):
            self.live |= set(range(self.next, self.next + count))
            self.next += count
            self._write_missing()

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        keys = st.lists(st.sampled_from(sorted(self.live)), unique=True) if self.live else st.just([])
        self.live -= set(data.draw(keys))

    @rule(purge=st.booleans())
    def tidy(self, purge: bool) -> None:
        self.segments.tidy(self._keys(), purge=purge)
        found = read_back(self.segments.opened())
        if purge:
            assert set(found) <= self.live
            assert all(len(copies) == 1 for copies in found.values())
        tidied = self.segments.opened()
        self.segments.tidy(self._keys(), purge=purge)
        assert self.segments.opened() == tidied

    @rule(which=st.integers(0, 2**32), place=st.integers(0, 2**32))
    def damage_and_repair(self, which: int, place: int) -> None:
        """Names of files are random, so what is drawn must not depend on which files there are."""
        files = sorted(self.folder.glob("*.scan"), key=lambda file: file.stat().st_size)
        if files:
            file = files[which % len(files)]
            whole = bytearray(file.read_bytes())
            whole[place % len(whole)] ^= 255
            file.unlink()
            file.write_bytes(whole)
            self.reopen()
            [problem] = self.segments.problems()
            assert str(file) in problem
            file.unlink()
            self._write_missing()

    @rule()
    def reopen(self) -> None:
        self.segments = Segments(self.folder, FIELD)

    @rule()
    def die_while_writing(self) -> None:
        (self.folder / "0123456789abcdef.new").write_bytes(b"half")

    @invariant()
    def every_live_unit_is_there_and_as_it_was_written(self) -> None:
        found = read_back(self.segments.opened())
        for key in self.live:
            assert all(np.array_equal(copy, vectors_of(key, key % 3)) for copy in found[key])
        assert self.segments.missing(self._keys()).tolist() == []

    def _keys(self) -> NDArray[np.uint64]:
        return np.array(sorted(self.live), np.uint64)

    def _write_missing(self) -> None:
        keys = self.segments.missing(self._keys()).tolist()
        self.segments.write([piece(keys, [key % 3 for key in keys])])


Folder.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestFolder = Folder.TestCase
