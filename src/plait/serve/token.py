"""The service's token: made at the first start, kept in the library folder for its owner only."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from plait.errors import LibraryError

NAME = "token"


def load_token(folder: Path) -> str:
    """Return the token kept in a library folder, making one at the first start.

    A token file that others could have read, or that is not a plain file of ours, is replaced.

    Raises:
        LibraryError: the folder cannot be written.
    """
    file = folder / NAME
    try:
        return _kept(file) or _made(file)
    except OSError as error:
        raise LibraryError(f"cannot keep the service's token in {file}: {error.strerror or error}") from error


def _kept(file: Path) -> str | None:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as opened:
        state = os.fstat(opened.fileno())
        token = opened.read(200).strip()
    private = stat.S_ISREG(state.st_mode) and not state.st_mode & 0o077 and state.st_uid == os.geteuid()
    return token.decode("ascii", "replace") if private and len(token) >= 32 else None


def _made(file: Path) -> str:
    token = secrets.token_urlsafe(32)
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as opened:
        opened.write(token + "\n")
    return token
