"""The files of a folder and of those below it, in the order of their names, and why some are not taken."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wcmatch import glob

from plait.data.readers.base import SUFFIXES
from plait.library.ignoring import RuleFileError, Rules

Skip = Callable[[Path, str, str], None]  # a path, the reason why it is not taken, the remedy

_MARKS = frozenset("*?[")
_NAME_IT = "name it to add it all the same, or leave it out"
_KINDS = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))


class Met(NamedTuple):
    """One file: its folder, what tells that folder from others, its own name, and its size."""

    folder: Path
    identity: tuple[int, int]
    name: str
    bytes: int

    @property
    def path(self) -> Path:
        return self.folder / self.name


class Glob:
    """A shell pattern of paths, as "docs/**/*.pdf".

    Args:
        pattern: absolute.
    """

    def __init__(self, pattern: str) -> None:
        parts = Path(pattern).parts
        plain = next(place for place, part in enumerate(parts) if is_glob(part))
        self.base = Path(*parts[:plain])
        self._depth = None if "**" in pattern else len(parts)
        self._matcher = glob.compile(pattern, flags=glob.GLOBSTAR | glob.DOTGLOB)

    def fits(self, path: str) -> bool:
        """Tell whether a path fits the whole pattern."""
        return self._matcher.match(path)

    def leads_into(self, folder: Path) -> bool:
        """Tell whether something below a folder may fit."""
        return self._depth is None or len(folder.parts) < self._depth


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to look into; `whole`: all that it holds is wanted."""

    path: Path
    rules: Rules
    whole: bool


def is_glob(path: str) -> bool:
    """Tell whether a path is written as a pattern."""
    return not _MARKS.isdisjoint(path)


def is_readable(name: str) -> bool:
    """Tell whether files of such a name are read."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def kind_of_file(mode: int) -> str:
    """Return what something that is no file, folder or link is."""
    return next((kind for is_it, kind in _KINDS if is_it(mode)), "a device")


def rules_at(folder: Path, *, library_root: Path, ignore: Sequence[str], hidden: bool, skip: Skip) -> Rules:
    """Return the rules that the folders above a folder give it.

    Above means up to the top of the repository it lies in, or else of the library; where it lies in
    neither, nothing above it counts.
    """
    rules = Rules.starting(folder, ignore=ignore, hidden=hidden)
    if (folder / ".git").exists():
        return rules
    above = list(folder.parents)
    tops = [each for each in above if (each / ".git").exists()] or [e for e in above if e == library_root]
    for each in reversed(above[: above.index(tops[0]) + 1] if tops else []):
        rules = _with_rules_of(each, rules, skip)
    return rules


def walk(folder: Path, rules: Rules, *, skip: Skip, glob: Glob | None = None) -> Iterator[Met]:
    """Yield the files to read in a folder and below it: files of a folder first, then its folders.

    Links to files are followed inside the folder only, links to folders never.

    Args:
        folder: absolute.
        rules: what its surroundings leave out.
        skip: told of what is not taken and could not be expected to be left out.
        glob: only what fits it, and what lies in folders that fit it.
    """
    inside = os.path.realpath(folder)
    waiting = [_Folder(folder, rules, whole=glob is None or glob.fits(str(folder)))]
    while waiting:
        here = waiting.pop()
        below: list[_Folder] = []
        yield from _look(here, below, inside=inside, skip=skip, glob=glob)
        waiting += reversed(below)


def _look(
    here: _Folder, below: list[_Folder], *, inside: str, skip: Skip, glob: Glob | None
) -> Iterator[Met]:
    """Yield the files of one folder, and put its folders into `below`."""
    try:
        status = os.stat(here.path)
        names = sorted(os.listdir(here.path))
    except OSError as error:
        skip(here.path, f"cannot be listed ({error.strerror or error})", "check its permissions")
        return
    rules, parts = _with_rules_of(here.path, here.rules, skip), here.path.parts
    for name in names:
        path = os.path.join(here.path, name)
        try:
            mode, size = _mode_and_size(path)
        except OSError as error:
            skip(Path(path), f"cannot be looked at ({error.strerror or error})", "check its permissions")
            continue
        is_folder = stat.S_ISDIR(mode)
        if stat.S_ISREG(mode) and not is_readable(name):
            continue
        if rules.leave_out((*parts, name), is_folder=is_folder):
            continue
        whole = here.whole or (glob is not None and glob.fits(path))
        if is_folder:
            if whole or glob is None or glob.leads_into(Path(path)):
                below.append(_Folder(Path(path), rules, whole))
        elif whole and (stat.S_ISREG(mode) or (size := _size_if_taken(Path(path), mode, inside, skip)) >= 0):
            yield Met(here.path, (status.st_dev, status.st_ino), name, size)


def _mode_and_size(path: str) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_mode, status.st_size


def _size_if_taken(path: Path, mode: int, inside: str, skip: Skip) -> int:
    """Return the size of the file a link leads to; -1 if it must not be followed, or is no link."""
    if not stat.S_ISLNK(mode):
        skip(path, f"is {kind_of_file(mode)}, not a file", "leave it out")
        return -1
    target = os.path.realpath(path)
    is_inside = os.path.commonpath((target, inside)) == inside
    try:
        status = os.stat(target)
    except OSError as error:
        if is_readable(path.name):
            skip(
                path, f"is a link that leads nowhere ({error.strerror or error})", "mend it, or leave it out"
            )
        return -1
    if stat.S_ISDIR(status.st_mode):
        if not is_inside:
            skip(path, "is a link to a folder elsewhere, which is not followed", _NAME_IT)
        return -1
    if not is_readable(path.name):
        return -1
    if not is_inside:
        skip(path, "is a link to a file outside the folder, which is not followed", _NAME_IT)
        return -1
    return status.st_size if stat.S_ISREG(status.st_mode) else -1


def _with_rules_of(folder: Path, rules: Rules, skip: Skip) -> Rules:
    try:
        return rules.inside(folder)
    except RuleFileError as error:
        skip(error.file, f"{error}: what it leaves out is not left out", "mend it, then add again")
        return rules
