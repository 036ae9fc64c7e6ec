"""The files of a source: found by name or pattern, and told apart from changed ones."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from plait.data.training.examples import TrainingSource
from plait.errors import InputError, MissingPathError

Paths = str | Path | Sequence[str | Path]


@runtime_checkable
class Fingerprinted(Protocol):
    """A source that can tell whether it would be read as it was before."""

    def fingerprint(self) -> str | None:
        """Return a hash of its settings and the state of its files; None where nobody can tell."""
        ...


def files_of(paths: Paths, *, what: str) -> tuple[Path, ...]:
    """Return files in the order given, those of a pattern ("part-*.jsonl", "**/*.parquet") sorted by name.

    Args:
        what: what the files hold, for messages.

    Raises:
        MissingPathError: nothing is there, or nothing matches.
        InputError: a folder, or no path at all.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise InputError(f"no files of {what} given: name at least one, or a pattern such as '*.jsonl'")
    return tuple(file for path in given for file in _matching(Path(path), what))


def check_names(sources: Sequence[TrainingSource]) -> None:
    """Check that each source has a name of its own: reports and hold-outs tell them apart by it.

    Raises:
        InputError: two have the same.
    """
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise InputError(f"sources named {', '.join(names)}: expected a name of its own for each")


def fingerprint(*settings: object, files: Iterable[Path] = ()) -> str:
    """Return a hash of settings, by their `repr`, and of each file's path, size and time of change."""
    told = hashlib.sha256(repr(settings).encode())
    for file in files:
        state = file.stat()
        told.update(repr((str(file.resolve()), state.st_size, state.st_mtime_ns)).encode())
    return told.hexdigest()


def _matching(path: Path, what: str) -> list[Path]:
    if path.is_file():  # first of all: its name may look like a pattern
        return [path]
    if path.is_dir():
        raise InputError(f"{path}: a folder; expected a file of {what}, or a pattern such as {path / '*'}")
    found = [file for name in sorted(glob.glob(str(path), recursive=True)) if (file := Path(name)).is_file()]
    if not found:
        raise MissingPathError(f"{path}: no such file of {what}, and nothing matches it as a pattern")
    return found
