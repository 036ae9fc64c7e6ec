"""Which files of a folder are left out: `.gitignore` and `.plaitignore`, read as git reads them.

A pattern is compared with the path a part at a time, by the `fnmatch` of each part: no pattern, however
hostile, takes longer than the product of the two lengths.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

RULE_FILES = (".gitignore", ".plaitignore")  # where they disagree, the later one is right
_HIDDEN = (".*",)
_USUAL = (
    ".plait/",
    ".git/",
    ".hg/",
    ".svn/",
    "node_modules/",
    "__pycache__/",
    "site-packages/",
    "__MACOSX/",
    "~$*",
    ".~lock.*#",
    "*~",
    "*.part",
    "*.crdownload",
    "*.tmp",
)
_LARGEST_BYTES = 1 << 20
_MOST_PATTERNS = 10_000
_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": " \t\r\n\v\f",
    "blank": " \t",
    "xdigit": "0-9A-Fa-f",
}
_CLASS = re.compile(r"\[:([a-z]+):\]")

Part = Callable[[str], object] | None  # tells whether a name fits; None is "**"


class RuleFileError(Exception):
    """A file of rules that cannot be followed.

    Attributes:
        file: which one.
    """

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(reason)
        self.file = file


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of rules.

    Attributes:
        parts: what the names of a path must fit, outermost first.
        negated: it brings back what an earlier line left out.
        folders_only: it is about folders.
    """

    parts: tuple[Part, ...]
    negated: bool = False
    folders_only: bool = False

    def fits(self, path: Sequence[str], *, is_folder: bool) -> bool:
        """Tell whether it speaks of a path, given as its names below the folder of the rules."""
        if self.folders_only and not is_folder:
            return False
        if len(self.parts) == 2 and self.parts[0] is None and self.parts[1] is not None:
            return bool(self.parts[1](path[-1]))  # what nearly all patterns are: a name at any depth
        return _fit(self.parts, path)


@dataclass(frozen=True, slots=True)
class _Level:
    """The patterns of one folder, which is `depth` names deep."""

    depth: int
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is left out in one folder: of the patterns that speak of a file, the last one is right.

    Attributes:
        usual: what nobody wants to search; no line brings it back ("!*.docx" means no lock files).
        levels: of each folder, from the outermost in.
        command: of the command line, stronger than those.
    """

    usual: tuple[Pattern, ...] = ()
    levels: tuple[_Level, ...] = ()
    command: tuple[_Level, ...] = ()

    @classmethod
    def starting(cls, folder: Path, *, ignore: Sequence[str] = (), hidden: bool = False) -> Rules:
        """Return the rules that hold in a folder before any file of rules is read.

        Args:
            folder: absolute; `ignore` is relative to it.
            ignore: lines as in a file of rules.
            hidden: hidden files are taken too.
        """
        usual = parse(_USUAL if hidden else (*_HIDDEN, *_USUAL))
        return cls(usual, command=(_Level(len(folder.parts), parse(ignore)),))

    def inside(self, folder: Path) -> Rules:
        """Return the rules with those of a folder.

        Raises:
            RuleFileError: one of its files of rules cannot be followed.
        """
        rules = self
        for name in RULE_FILES:
            if patterns := parse(_lines(folder / name)):
                rules = replace(rules, levels=(*rules.levels, _Level(len(folder.parts), patterns)))
        return rules

    def leave_out(self, path: Sequence[str], *, is_folder: bool) -> bool:
        """Tell whether a path, given as all its names from the root, is left out.

        That a folder above it is left out is for the caller to know: one does not come here then.
        """
        if any(pattern.fits(path, is_folder=is_folder) for pattern in self.usual):
            return True
        for level in reversed((*self.levels, *self.command)):
            below = path[level.depth :]
            for pattern in reversed(level.patterns):
                if pattern.fits(below, is_folder=is_folder):
                    return not pattern.negated
        return False


def parse(lines: Sequence[str]) -> tuple[Pattern, ...]:
    """Return the patterns of some lines; empty ones and comments have none."""
    return tuple(pattern for line in lines if (pattern := _pattern(line)) is not None)


def _lines(file: Path) -> list[str]:
    """Return the lines of a file of rules, which must be a plain one: a link could lead anywhere."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as opened:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise RuleFileError(file, "is not a plain file")
            data = opened.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RuleFileError(file, f"cannot be read ({error.strerror or error})") from error
    lines = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf")).split("\n")
    if len(data) > _LARGEST_BYTES or len(lines) > _MOST_PATTERNS:
        raise RuleFileError(file, f"has more than {_MOST_PATTERNS:,} lines, or 1 MB")
    return [line.removesuffix("\r") for line in lines]


def _pattern(line: str) -> Pattern | None:
    line = _without_trailing_spaces(line)
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    line = line.removeprefix("!") if negated else line
    folders_only = line.endswith("/")
    line = line.removesuffix("/")
    names = line.removeprefix("/").split("/")
    if not line or not all(names):
        return None
    # A pattern of one name holds at every depth, unless a slash ties it to the folder of the rules.
    parts = [_part(name) for name in (names if "/" in line else ["**", *names])]
    if "/" in line and names[-1] == "**":
        parts.append(_part("*"))  # what is inside, not the folder itself
    return Pattern(tuple(parts), negated, folders_only)


def _without_trailing_spaces(line: str) -> str:
    kept = line.rstrip(" ")
    escaped = (len(kept) - len(kept.rstrip("\\"))) % 2
    return kept + " " if escaped and len(kept) < len(line) else kept


def _part(name: str) -> Part:
    """Return what tells whether a name fits one part of a pattern."""
    if name == "**":
        return None
    if not any(mark in name for mark in "*?[\\"):
        return name.__eq__
    return re.compile(fnmatch.translate(_shell_pattern(name)), re.DOTALL).match


def _shell_pattern(name: str) -> str:
    """Return a part of a pattern as `fnmatch` writes it: no backslashes, "!" for "not"."""
    written, place = [], 0
    while place < len(name):
        mark = name[place]
        end = _end_of_set(name, place) if mark == "[" else -1
        if end > 0:
            written.append(_shell_set(name[place + 1 : end]))
            place = end + 1
        elif mark == "\\" and place + 1 < len(name):
            written.append(_literal(name[place + 1]))
            place += 2
        else:
            written.append("[[]" if mark == "[" else mark)
            place += 1
    return "".join(written)


def _end_of_set(name: str, begin: int) -> int:
    """Return where the set that opens at `begin` closes; -1 if it never does."""
    place = begin + 1
    place += name[place : place + 1] in ("!", "^")
    first = place
    while place < len(name):
        known = _CLASS.match(name, place)
        if known is not None:
            place = known.end()
        elif name[place] == "]" and place > first:
            return place
        else:
            place += 2 if name[place] == "\\" else 1
    return -1


def _shell_set(inner: str) -> str:
    """Return a set of characters as `fnmatch` writes it; a "]" that belongs to it comes first there."""
    negated = inner[0] in "!^"
    inner = _CLASS.sub(lambda known: _CLASSES.get(known[1], ""), inner[1:] if negated else inner)
    inner = re.sub(r"\\(.)", r"\1", inner)
    bracket = "]" if "]" in inner else ""
    inner = bracket + inner.replace("]", "")
    # A leading "^" or "!" would be read as "not".
    inner = inner[1:] + inner[0] if inner[:1] in ("^", "!") and len(inner) > 1 else inner
    return f"[!{inner}]" if negated else f"[{inner}]" if inner not in ("!", "^") else inner


def _literal(character: str) -> str:
    return f"[{character}]" if character in "*?[" else character


def _fit(parts: Sequence[Part], names: Sequence[str]) -> bool:
    """Match names against parts; "**" fits any number of names, fewest first, without recursion."""
    part = name = 0
    star = at = -1  # the last "**" met, and the first name after those it has taken
    while name < len(names):
        wanted = parts[part] if part < len(parts) else _nothing
        if wanted is None:
            star, at = part, name
            part += 1
        elif wanted(names[name]):
            part, name = part + 1, name + 1
        elif star >= 0:
            at += 1
            part, name = star + 1, at
        else:
            return False
    return all(left is None for left in parts[part:])


def _nothing(_name: str) -> bool:
    return False
