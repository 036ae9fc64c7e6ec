"""The service's token: made at the first start, kept in the library folder for its owner only."""

from __future__ import annotations

import secrets
from pathlib import Path

from plait.errors import LibraryError
from plait.serve.private_file import SEEN, read_private, write_private

NAME = "token"
_SHORTEST = 32  # characters of a token; what is shorter is replaced


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
        token = read_private(file, unless=SEEN).strip()
    except OSError:
        return None
    return token.decode("ascii", "replace") if len(token) >= _SHORTEST else None


def _made(file: Path) -> str:
    token = secrets.token_urlsafe(32)
    write_private(file, f"{token}\n".encode())
    return token
