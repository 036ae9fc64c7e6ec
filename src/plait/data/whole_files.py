"""Files that are there wholly or not at all, whenever a process or a machine ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def synced(place: Path) -> None:
    """Make a file, or the names in a folder, durable.

    Raises:
        OSError: they cannot be written.
    """
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Give a path to write to; afterwards what was written has the name of the file.

    Raises:
        OSError: it cannot be renamed, or is not on the disk.
    """
    part = file.with_name(f"{file.name}.partial")
    yield part
    with part.open("rb+") as opened:
        os.fsync(opened.fileno())
    part.replace(file)
