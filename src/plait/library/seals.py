"""Checksums of the store's files, and second copies of the small ones that all others depend on.

LanceDB never changes a file it has written, and keeps no checksum of most. So each file is hashed once, after
the commit that brought it, and flushed to disk with its folder; `plait doctor` compares. What is small but
makes everything else unreadable when it is hurt (the list of a version's files, which rows were deleted) is
copied, and so is the list of the documents, without which nobody could say what a broken file held.

.plait/
├── seals                       "<blake2b> <size> <path>" of each file, and last a checksum of those lines
└── copies/
    ├── seals, library.json
    ├── documents.arrow         the "document" cells of the table
    └── store/units.lance/...   the small files
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lancedb
import pyarrow as pa

from plait.errors import LibraryFormatError
from plait.index.backends.lancedb import TABLE
from plait.index.scan.scan_writing import flush_folder
from plait.library.folder import LibraryFolder, write_durably

CATALOGUE = "copies/documents.arrow"
_COPIED = ("_versions", "_deletions", "_transactions")


@dataclass(frozen=True, slots=True)
class Seal:
    """What a file must be: BLAKE2b of its bytes (16 bytes, hex), and their number."""

    digest: str
    size: int


def renew(folder: LibraryFolder) -> None:
    """Seal the files that are new, forget those that went, and bring the copies in step.

    Reads each new file once. A file that has a seal keeps it, whatever has become of it since. The caller
    holds the writers' lock.
    """
    try:
        before = read(folder)
    except LibraryFormatError:
        before = {}
    files = sealed_files(folder)
    new = [path for path in files if path not in before]
    seals = {path: before[path] for path in files if path in before}
    seals |= {path: _flushed(folder.path / path) for path in new}
    _renew_copies(folder, seals)
    if new or CATALOGUE not in before or not (folder.path / CATALOGUE).is_file():
        # Without the list's: a kill must not leave the new one under the seal of the old.
        adopt(folder, seals)
        _write_catalogue(folder)
        seals[CATALOGUE] = of(folder.path / CATALOGUE)
    else:
        seals[CATALOGUE] = before[CATALOGUE]
    adopt(folder, seals)


def adopt(folder: LibraryFolder, seals: dict[str, Seal]) -> None:
    """Write these seals, which are known to be true."""
    (folder.path / "copies").mkdir(exist_ok=True)
    for place in (folder.path / "copies" / "seals", folder.path / "seals"):
        write_durably(place, _written(seals))


def forget(folder: LibraryFolder, below: str) -> None:
    """Drop seals and copies of a file, or of a folder's files, whose names may come to mean other bytes."""
    try:
        known = read(folder)
    except LibraryFormatError:
        known = {}
    gone = {path for path in known if path == below or path.startswith(f"{below}/")}
    for path in gone:
        copy_of(folder, path).unlink(missing_ok=True)
    adopt(folder, {path: seal for path, seal in known.items() if path not in gone})


def read(folder: LibraryFolder) -> dict[str, Seal]:
    """Return path in the library -> seal; empty where nothing was sealed yet.

    Raises:
        LibraryFormatError: neither the seals nor their copy are whole.
    """
    places = [folder.path / "seals", folder.path / "copies" / "seals"]
    there = [place for place in places if place.is_file()]
    for place in there:
        if (seals := parsed(place.read_bytes())) is not None:
            return seals
    if there:
        raise LibraryFormatError(f"{places[0]} and its copy are damaged: run  plait doctor --repair")
    return {}


def parsed(data: bytes) -> dict[str, Seal] | None:
    """Return the seals that a file holds; None if it is damaged."""
    lines, _, last = data.rstrip(b"\n").rpartition(b"\n")
    if last.decode("ascii", "replace") != f"end {_checksum(lines)}" or not data.endswith(b"\n"):
        return None
    seals = {}
    for line in lines.decode().splitlines():
        digest, size, path = line.split(" ", 2)
        seals[path] = Seal(digest, int(size))
    return seals


def of(path: Path) -> Seal:
    """Return the seal of a file as it is now.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return Seal(_digest_of(file), os.fstat(file.fileno()).st_size)


def damaged(folder: LibraryFolder) -> list[str]:
    """Return the sealed files that are missing or no longer what was written; reads all of them.

    Raises:
        LibraryFormatError: the seals themselves are damaged.
    """
    wrong = []
    for path, seal in read(folder).items():
        try:
            if of(folder.path / path) != seal:
                wrong.append(path)
        except FileNotFoundError:
            if is_in_use(folder, path):
                wrong.append(path)
    return wrong


def refuse_damaged(folder: LibraryFolder) -> None:
    """Read every sealed file, before LanceDB does, which may end the process when it meets damage.

    Raises:
        LibraryFormatError: one is damaged.
    """
    if wrong := damaged(folder):
        raise LibraryFormatError(f"{folder.path / wrong[0]} is damaged: run  plait doctor --repair  first")


def sealed_files(folder: LibraryFolder) -> list[str]:
    """Return the files of the table: all but the hint, which is overwritten and only saves a look."""
    table = folder.store / f"{TABLE}.lance"
    found = (path for path in table.rglob("*") if path.is_file() and path.suffix != ".json")
    return sorted(path.relative_to(folder.path).as_posix() for path in found)


def newest_manifest(folder: LibraryFolder) -> Path | None:
    """Return the file that lists what the table's newest version consists of."""
    versions = folder.store / f"{TABLE}.lance" / "_versions"
    return min(versions.glob("*.manifest"), default=None)  # LanceDB names them by 2^64 - 1 - version


def is_in_use(folder: LibraryFolder, path: str) -> bool:
    """Tell whether a file of the store belongs to the newest version.

    A manifest names its data files in plain bytes, and lists of deleted rows by a random number of 64 bits.
    Nobody but a writer at work reads a transaction.
    """
    newest = newest_manifest(folder)
    name = Path(path).name
    if newest is None or not newest.is_file():
        return True
    if "/data/" in path:
        return name.encode() in newest.read_bytes()
    if "/_deletions/" in path:
        return _varint(int(Path(path).stem.rpartition("-")[2])) in newest.read_bytes()
    return name == newest.name


def _varint(number: int) -> bytes:
    """Return a number as protocol buffers write it: seven bits a byte, the lowest first."""
    sevens = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(seven | 0x80 for seven in sevens[:-1]), sevens[-1]])


def copy_of(folder: LibraryFolder, path: str) -> Path:
    """Return where the second copy of a file lies."""
    return folder.path / "copies" / path


def catalogue(folder: LibraryFolder) -> Iterator[str]:
    """Yield the "document" cells as of the last seal."""
    file = folder.path / CATALOGUE
    if file.is_file():
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                yield from batch["document"].to_pylist()


def _renew_copies(folder: LibraryFolder, seals: dict[str, Seal]) -> None:
    copied = {path for path in seals if Path(path).parent.name in _COPIED}
    for path in copied:
        target = copy_of(folder, path)
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_durably(target, (folder.path / path).read_bytes())
    copies = folder.path / "copies"
    for old in [path for path in (copies / "store").rglob("*") if path.is_file()]:
        if old.relative_to(copies).as_posix() not in copied:
            old.unlink(missing_ok=True)


def _write_catalogue(folder: LibraryFolder) -> None:
    target = folder.path / CATALOGUE
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(".new-documents")
    schema = pa.schema([pa.field("document", pa.string())])
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    rows = lancedb.connect(folder.store).open_table(TABLE).search().where("document IS NOT NULL")
    with partial.open("wb") as file, pa.ipc.new_stream(file, schema, options=options) as stream:
        for batch in rows.select(["document"]).to_batches(batch_size=4096):
            stream.write_batch(pa.RecordBatch.from_arrays([batch["document"]], schema=schema))
        stream.close()
        file.flush()
        os.fsync(file.fileno())
    shutil.move(partial, target)


def _flushed(path: Path) -> Seal:
    """Return the seal of a file, having flushed it and its name to disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    flush_folder(path.parent)
    return of(path)


def _digest_of(file: object) -> str:
    return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()  # type: ignore[arg-type]


def _written(seals: dict[str, Seal]) -> bytes:
    lines = "\n".join(f"{seal.digest} {seal.size} {path}" for path, seal in sorted(seals.items())).encode()
    return lines + f"\nend {_checksum(lines)}\n".encode()


def _checksum(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
