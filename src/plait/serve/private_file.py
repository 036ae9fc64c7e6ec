"""Files of ours alone: what gives a right is read from, and written to, nothing that others may touch."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from plait.library.folder import write_durably

TOUCHED, SEEN = 0o022, 0o077  # others may write; others may do anything with it


class ExposedError(OSError):
    """It is no plain file of ours, or others may do with it what they must not."""


def read_private(file: Path, *, unless: int) -> bytes:
    """Return what is in a file; a link is not followed.

    Args:
        unless: what others must not be able to do, `TOUCHED` or `SEEN`.

    Raises:
        ExposedError: they are; or it is another's, or no plain file.
        OSError: it cannot be read.
    """
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(handle, "rb") as opened:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & unless or status.st_uid != os.geteuid():
            raise ExposedError(f"{file} is not ours alone")
        return opened.read()


def write_private(file: Path, data: bytes) -> None:
    """Put a file, whole and durable, in place of what was there; nobody else may read or write it.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    write_durably(file, data)  # the temporary file that it renames has mode 600
