"""The scan files of one vector field: a folder that many read while one writes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from secrets import token_hex
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from plait.errors import LibraryError, ShapeError
from plait.index.scan.file_format import ScanDamagedError
from plait.index.scan.scan_lookup import absent, located
from plait.index.scan.scan_merging import blocks_of, regrouped
from plait.index.scan.scan_planes import planes_of
from plait.index.scan.scan_writing import UNFINISHED, Block, explained, flush_folder, write_file
from plait.index.scan.segment import Segment
from plait.scoring.vectors import VectorField

_SUFFIX = ".scan"


class Segments:
    """The folder of one field's scan files. Any number of threads and processes may read it.

    Only one at a time may call `write` or `tidy`: the caller holds the store's lock. A file never changes,
    so a reader sees it whole or, once it has been merged into another, not at all.

    Args:
        folder: where the files lie; made by the first write.
        field: the field whose vectors they hold.
    """

    def __init__(self, folder: Path, field: VectorField) -> None:
        self._folder = folder
        self._field = field
        self._open: dict[str, Segment] = {}
        self._opening = Lock()

    def opened(self) -> list[Segment]:
        """Return the segments that are there now; one returned before is the same object.

        A damaged file is left out: its rows are then in no segment.

        Raises:
            LibraryError: the folder or a file may not be read.
        """
        return list(self._files().values())

    def missing(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return those of some keys that no segment holds, in their order."""
        return absent(keys, self.opened())

    def write(
        self, pieces: Iterable[tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.float16]]]
    ) -> None:
        """Write one new file, or none for no units. Memory: that of one piece.

        Args:
            pieces: keys (units,), sizes (units,) how many items each has, and vectors
                (items, tokens kept, width).

        Raises:
            ShapeError: a piece does not fit the field.
            LibraryError: the disk is full or the folder cannot be written. Then nothing has changed.
        """
        self._write(self._block(*piece) for piece in pieces)

    def tidy(self, live: NDArray[np.uint64], *, purge: bool = False) -> None:
        """Merge small files, and drop units that are no more, damaged files and what crashes left.

        Whenever this ends, even by a kill, each live unit that was in an undamaged file still is in one.

        Args:
            live: the keys of all rows.
            purge: leave no byte of any other unit. Otherwise a file keeps up to a fifth of dead units.

        Raises:
            LibraryError: the disk is full or the folder cannot be written. What was not tidied is as it was.
        """
        self._drop(self._names(UNFINISHED))
        files = self._files()
        self._drop(self._names() - files.keys())
        # Of several files with one unit the first counts: the merged one, where a crash left its parts too.
        names = sorted(files, key=lambda name: len(files[name].keys), reverse=True)
        segments = [files[name] for name in names]
        shares = located(live, segments).shares
        units, alive = [len(one.keys) for one in segments], [len(share.units) for share in shares]
        self._drop(name for name, wanted in zip(names, alive, strict=True) if not wanted)
        for group in regrouped(units, alive, purge=purge):
            whole = [place for place in group if not segments[place].problems()]
            self._write(chain.from_iterable(blocks_of(segments[i], shares[i].units) for i in whole))
            self._drop(names[place] for place in group)
        self._files()  # an open file keeps its bytes on disk

    def problems(self) -> list[str]:
        """Read every byte of every file; return one line for each part that is not as it was written."""
        found = []
        for name in self._names():
            try:
                found += Segment.open(self._folder / name, self._field).problems()
            except FileNotFoundError:
                continue
            except LibraryError as error:
                found.append(str(error))
        return found

    def _files(self) -> dict[str, Segment]:
        """Return name -> open segment of what is there now."""
        with self._opening:
            self._open = self._opened_now()
            return dict(self._open)

    def _opened_now(self) -> dict[str, Segment]:
        """Return name -> open segment, listing again whenever a file has gone since it was listed."""
        known = dict(self._open)
        gone: set[str] = set()
        while True:
            names = sorted(self._names() - gone)
            for name in names:
                try:
                    known[name] = known.get(name) or Segment.open(self._folder / name, self._field)
                except FileNotFoundError:
                    gone.add(name)
                except ScanDamagedError:
                    continue
            if gone.isdisjoint(names):
                return {name: known[name] for name in names if name in known}

    def _names(self, suffix: str = _SUFFIX) -> set[str]:
        try:
            return {name for name in os.listdir(self._folder) if name.endswith(suffix)}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise LibraryError(
                f"cannot read the folder {self._folder}: {error.strerror}; check who may read it"
            ) from error

    def _write(self, blocks: Iterator[Block]) -> None:
        first = next((block for block in blocks if len(block.keys)), None)
        if first is not None:
            write_file(self._folder / f"{token_hex(8)}{_SUFFIX}", self._field, chain([first], blocks))

    def _drop(self, names: Iterable[str]) -> None:
        """Delete files, lastingly."""
        with explained(self._folder):
            paths = [self._folder / name for name in names]
            for path in paths:
                path.unlink(missing_ok=True)
            if paths:
                flush_folder(self._folder)

    def _block(
        self, keys: NDArray[np.uint64], sizes: NDArray[np.int64], vectors: NDArray[np.float16]
    ) -> Block:
        expected = (int(sizes.sum()), self._field.tokens_kept, self._field.width)
        if len(keys) != len(sizes) or vectors.shape != expected or vectors.dtype != np.float16:
            raise ShapeError(
                f"{len(keys)} keys, {len(sizes)} sizes and {vectors.dtype} vectors {vectors.shape}; "
                f"expected as many sizes as keys, and float16 vectors {expected}"
            )
        planes, scales = planes_of(vectors)
        return Block(keys.astype(np.uint64), sizes.astype(np.int64), vectors, planes, scales)
