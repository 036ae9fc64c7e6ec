"""What a document is called in a library, and whether what it came from is still there."""

from __future__ import annotations

import os
import re
from pathlib import Path

STANDARD_INPUT = "-"
_PIPED = "stdin:"  # so that the name given to it is never taken for that of a file
_ADDRESS = re.compile(r"https?://", re.I)
INSIDE = "!/"  # between a file that holds others and the name of one of them
_UNKNOWN = "\ufffd"


def source_of(path: Path, library_root: Path) -> str:
    """Return a file's name in the library; bytes of it that are not UTF-8 become U+FFFD."""
    named = path.relative_to(library_root) if path.is_relative_to(library_root) else path
    return named.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def piped_source(name: str) -> str:
    """Return the source of what came through standard input under a name."""
    return _PIPED + name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def is_address(source: str) -> bool:
    """Tell whether a source, or what a user named, is the address of a page."""
    return _ADDRESS.match(source) is not None


def is_gone(source: str, library_root: Path) -> bool:
    """Tell whether a source is a file that does not exist any more, or a member of one.

    What no file is behind is never gone: an address, standard input. Nor is a name with U+FFFD, which
    cannot be looked up, or a file that cannot be looked at.
    """
    if is_address(source) or source.startswith(_PIPED) or _UNKNOWN in source:
        return False
    return _is_missing(library_root / source) and (
        INSIDE not in source or _is_missing(library_root / source.partition(INSIDE)[0])
    )


def holders(source: str) -> list[str]:
    """Return a source, and the archives and messages that hold it: "a.zip!/b.eml" is held by "a.zip"."""
    parts = source.split(INSIDE)
    return [INSIDE.join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def is_below(source: str, folder: Path, library_root: Path) -> bool:
    """Tell whether a source is a file in a folder, given by its absolute path, or in one below it."""
    if is_address(source) or source.startswith(_PIPED):
        return False
    return str(library_root / source).startswith(f"{str(folder).rstrip('/')}/")


def _is_missing(path: Path) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False
