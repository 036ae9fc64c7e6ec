"""Which files an `add` means: named files, and what lies in named folders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from plait.data.readers.base import IMAGE_SUFFIXES, SUFFIXES
from plait.errors import MissingPathError


@dataclass(frozen=True, slots=True)
class Found:
    """One file to read.

    Attributes:
        path: absolute.
        source: its name in the library: relative to the library's root when inside it.
        root: the folder its pictures may come from.
        is_picture: a picture file met while walking a folder: left out where a document shows it.
    """

    path: Path
    source: str
    root: Path
    is_picture: bool = False


def gather(paths: Sequence[str | Path], *, library_root: Path) -> list[Found]:
    """Return the files that some paths mean, each once, documents before loose pictures.

    A named file is always taken. A folder gives every file in it and below it with a known suffix,
    except in hidden folders; the order is that of the names.

    Raises:
        MissingPathError: a path does not exist; nothing is done then.
    """
    found: dict[Path, Found] = {}
    for path in paths:
        absolute = Path(os.path.abspath(path))
        if not absolute.exists():
            raise MissingPathError(f"{path}: no such file or folder; check the spelling")
        if absolute.is_dir():
            for file in _walk(absolute):
                picture = file.suffix.lower() in IMAGE_SUFFIXES
                found.setdefault(file, Found(file, source_of(file, library_root), absolute, picture))
        else:
            found[absolute] = Found(absolute, source_of(absolute, library_root), absolute.parent)
    return sorted(found.values(), key=lambda f: f.is_picture)


def source_of(path: Path, library_root: Path) -> str:
    """Return a file's name in the library; bytes of it that are not UTF-8 become U+FFFD."""
    named = path.relative_to(library_root) if path.is_relative_to(library_root) else path
    return named.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def sha256_of(path: Path) -> str:
    """Return the hex digest of a file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield from _readable(Path(here), files)


def _readable(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    for name in sorted(names):
        if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
            yield folder / name
