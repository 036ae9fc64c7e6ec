"""A store on a disk that is full, or limited, or may not be written (run by test_disk_full).

full FOLDER EXACT_BYTES     a small file system of its own, in a mount namespace that `unshare` made
large FOLDER                no file may grow beyond a limit
mounted FOLDER              a store that lies on a file system mounted for reading only
owned FOLDER                a store that belongs to another user
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.helpers.entries import make_entry, random_vectors
from tests.index.soak.checking import problems
from tests.index.soak.steps import FIELDS, entry, word_of

from plait.errors import LibraryError
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry
from plait.scoring.vectors import UnitVectors


def full(folder: Path, exact_bytes: int) -> dict[str, object]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=True)
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    index = LanceIndex(folder / "store", FIELDS, exact_bytes=exact_bytes)
    stored: dict[str, int] = {}
    told: dict[str, object] = {}
    for number in range(400):
        name = f"e{number:03}"
        error = error_of(lambda name=name: index.add([entry(name, 3), heavy(f"{name}-heavy")]))
        if error:
            told["full"] = error
            break
        index.remove([f"{name}-heavy"])  # what it took stays taken: versions of a minute are kept
        stored[name] = 3
    told["stored"] = len(stored)
    found = list(problems(index, stored))
    told["refused again"] = error_of(lambda: index.add([heavy("more")]))
    told["optimize"] = error_of(index.optimize)
    found += problems(LanceIndex(folder / "store", FIELDS, exact_bytes=exact_bytes), stored)
    ballast.unlink()
    index.add([entry("d02", 4)])
    stored["d02"] = 4
    index.optimize(keep_seconds=0)
    found += problems(index, stored)
    index.add([heavy("more")])
    index.remove(["more"])
    found += problems(LanceIndex(folder / "store", FIELDS, exact_bytes=exact_bytes), stored)
    told["found"] = found
    return told


def large(folder: Path) -> dict[str, object]:
    index = LanceIndex(folder, FIELDS, exact_bytes=0)
    stored = {f"d{number:02}": 3 for number in range(12)}
    for name, version in stored.items():
        index.add([entry(name, version)])
    with files_of_at_most(40_000):
        told: dict[str, object] = {
            "add": error_of(lambda: index.add([heavy("more")])),
            "replace": error_of(lambda: index.add([heavy("d01")])),
        }
        found = list(problems(index, stored))
    with files_of_at_most(4_000):
        told["compact"] = error_of(lambda: index.optimize(keep_seconds=0))
        found += problems(index, stored)
    index.optimize(keep_seconds=0)
    told["found"] = [*found, *problems(LanceIndex(folder, FIELDS, exact_bytes=0), stored)]
    return told


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def mounted(folder: Path) -> dict[str, object]:
    LanceIndex(folder, FIELDS).add([entry("d01", 2), entry("d02", 3)])
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
    return without_writing(folder)


def owned(folder: Path) -> dict[str, object]:
    LanceIndex(folder, FIELDS).add([entry("d01", 2), entry("d02", 3)])
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    if os.getuid() == 0:
        os.setuid(65534)  # the superuser may write anything
    return without_writing(folder)


def without_writing(folder: Path) -> dict[str, object]:
    """Read a store, and try every kind of change."""
    stored = {"d01": 2, "d02": 3}
    index = LanceIndex(folder, FIELDS)
    told: dict[str, object] = {
        "add": error_of(lambda: index.add([entry("d03", 1)])),
        "remove": error_of(lambda: index.remove(["d01"])),
        "optimize": error_of(index.optimize),
        "new": error_of(lambda: LanceIndex(folder / "new", FIELDS)),
    }
    told["found"] = [*problems(index, stored), *problems(LanceIndex(folder, FIELDS, exact_bytes=0), stored)]
    return told


def error_of(run: Callable[[], object]) -> str:
    """Return what a LibraryError said; "" if none was raised. Any other error goes on."""
    try:
        run()
    except LibraryError as error:
        return str(error)
    return ""


def heavy(name: str) -> Entry:
    """Return a document that takes about 60 kB."""
    made = make_entry(name, [word_of(name, 0)] * 20, metadata={"version": 0})
    vectors = (UnitVectors({"ret": random_vectors(6, FIELDS[1], place)}) for place in range(20))
    return replace(made, vectors=tuple(vectors))


def main() -> None:
    what, folder, *rest = sys.argv[1:]
    print(json.dumps(globals()[what](Path(folder), *map(int, rest))))


if __name__ == "__main__":
    main()
