"""Writing a scan file block by block: it appears whole, or not at all."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from plait.errors import LibraryError
from plait.index.scan.file_format import PAGE, Counts, encoded, filling
from plait.index.scan.scan_planes import planes_for
from plait.scoring.keeping import kept
from plait.scoring.vectors import VectorField, Vectors

UNFINISHED = ".new"  # the suffix of what is being written; after a crash, of what no one will finish
_AT_ONCE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Block:
    """Some units of one field.

    Attributes:
        keys: (units,).
        sizes: (units,) how many items each has.
        vectors: (items, tokens kept, width), what is left of them as they are kept.
        planes: (P, items, width).
        scales: (items,).
    """

    keys: NDArray[np.uint64]
    sizes: NDArray[np.int64]
    vectors: NDArray[np.float16]
    planes: NDArray[np.int8]
    scales: Vectors


def write_file(path: Path, field: VectorField, blocks: Iterable[Block]) -> None:
    """Write a scan file of some units. It lies under `path` on disk, flushed, once this returns.

    Memory: one block, and 20 bytes a unit of the file.

    Raises:
        LibraryError: the disk is full, or the folder cannot be written; nothing has changed.
    """
    with explained(path.parent), _appearing(path) as file, ExitStack() as spools:
        planes = [
            spools.enter_context(TemporaryFile(dir=path.parent, suffix=UNFINISHED))
            for _ in range(planes_for(field.tokens_kept))
        ]
        file.write(bytes(PAGE))
        checksums = {}
        vectors = _Section(file)
        keys, sizes, scales = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], [np.empty(0, np.float32)]
        for block in blocks:
            vectors.write(np.ascontiguousarray(kept(block.vectors, field.kept)).data)
            for spool, plane in zip(planes, block.planes, strict=True):
                spool.write(np.ascontiguousarray(plane).data)
            keys.append(block.keys)
            sizes.append(block.sizes)
            scales.append(block.scales)
        checksums["vectors"] = vectors.end()
        checksums["planes"] = _copied(planes, file)
        checksums["scales"] = _written(np.concatenate(scales), file)
        checksums["offsets"] = _written(np.cumsum(np.concatenate([[0], *sizes]), dtype=np.int64), file)
        checksums["keys"] = _written(np.concatenate(keys), file)
        units, items = sum(map(len, keys)), sum(map(len, scales))
        counts = Counts(field.name, field.tokens_kept, field.width, field.kept, len(planes), units, items)
        file.seek(0)
        file.write(encoded(counts, checksums))


def flush_folder(folder: Path) -> None:
    """Make the names in a folder lasting, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what the system raises while files are written or deleted into one line with the next step."""
    try:
        yield
    except OSError as error:
        raise LibraryError(
            f"cannot write scan files in {folder}: {error.strerror or error}; no document is lost: "
            "make room on the disk, check that the folder can be written, then run  plait compact"
        ) from error


@contextmanager
def _appearing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file that takes its name once it is whole and on disk, and goes if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(UNFINISHED)
    try:
        with open(unfinished, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        flush_folder(path.parent)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


class _Section:
    """One section as it is written, ending in zeros up to the next page."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._bytes = 0
        self._checksum = 0

    def write(self, data: memoryview | bytes) -> None:
        self._bytes += self._file.write(data)
        self._checksum = zlib.crc32(data, self._checksum)

    def end(self) -> int:
        """Fill the page; return the checksum."""
        self.write(bytes(filling(self._bytes)))
        return self._checksum


def _written(values: NDArray[np.generic], file: IO[bytes]) -> int:
    """Write a whole section; return its checksum."""
    section = _Section(file)
    section.write(values.data)
    return section.end()


def _copied(spools: Iterable[IO[bytes]], file: IO[bytes]) -> int:
    """Write a section that is several files one after the other; return its checksum."""
    section = _Section(file)
    for spool in spools:
        spool.seek(0)
        while block := spool.read(_AT_ONCE):
            section.write(block)
    return section.end()
