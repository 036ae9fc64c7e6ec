"""One process at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from plait.errors import InputError, PlaitError


@contextmanager
def locked(
    folder: Path, *, doing: str, instead: str, refusal: type[PlaitError] = InputError
) -> Iterator[None]:
    """Keep other processes out of a folder meanwhile.

    Args:
        folder: there already.
        doing: what a process does there, such as "training in".
        instead: what to give in place of the folder, such as "another output.folder".
        refusal: what is raised.

    Raises:
        PlaitError: of that kind: another process is in it.
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise refusal(
            f"another process is {doing} {folder}: wait for it, stop it, or give {instead}"
        ) from error
    try:
        yield
    finally:
        lock.release()
