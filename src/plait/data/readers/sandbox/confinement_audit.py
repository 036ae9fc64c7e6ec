"""A hook into Python itself, which refuses what Python code must not do; native code passes it by."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_REFUSED = frozenset(
    {
        *("os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.posix_spawn", "os.spawn"),
        *("os.system", "os.startfile", "pty.spawn", "subprocess.Popen", "sqlite3.connect", "webbrowser.open"),
        *("os.chmod", "os.chown", "os.lchown", "os.chflags", "os.link", "os.symlink", "os.utime"),
        *("os.setxattr", "os.removexattr"),
    }
)
# event -> how many paths it begins with, and where the open folders stand that they may be relative to
_CHANGES = {
    "os.mkdir": (1, (2,)),
    "os.remove": (1, (1,)),
    "os.rmdir": (1, (1,)),
    "os.rename": (2, (2, 3)),
    "os.truncate": (1, ()),
}
_LISTS = frozenset({"os.listdir", "os.scandir"})


def watch(readable: Sequence[str] | None, writable: Sequence[str], libraries: Sequence[str]) -> None:
    """Refuse this process what lies outside, for good, with a `PermissionError`.

    Args:
        readable: existing folders and files, without links; None means all.
        writable: those that may also be written.
        libraries: where native libraries may be loaded from.
    """
    may_read = None if readable is None else _starts([*readable, *writable])
    may_write, may_load = _starts(writable), _starts(libraries)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            _check(path, may_write if flags & _WRITING else may_read)
        elif event in _CHANGES:
            paths, folders = _CHANGES[event]
            if all(arguments[i] == -1 for i in folders):  # else the kernel must see to it
                for path in arguments[:paths]:
                    _check(path, may_write)
        elif event in _LISTS:
            _check(arguments[0], may_read)
        elif event == "ctypes.dlopen":
            if os.sep in str(arguments[0] or ""):
                _check(arguments[0], may_load)
        elif event in _REFUSED or event.startswith("socket."):
            raise PermissionError(errno.EPERM, f"{event} is refused to a reading process")

    sys.addaudithook(hook)


def _starts(paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(path.rstrip("/") + "/" for path in paths)


def _check(path: Any, allowed: tuple[str, ...] | None) -> None:
    """Raise unless a path, links followed, lies below one of the allowed."""
    if allowed is None or path is None or isinstance(path, int):
        return
    if not f"{_real(os.fsdecode(path))}/".startswith(allowed):
        raise PermissionError(errno.EPERM, "lies outside what a reading process may use", os.fsdecode(path))


def _real(path: str) -> str:
    """Return a path without links; files of a folder that was seen cost one look each."""
    folder, _, name = path.rpartition("/")
    if not folder.startswith("/") or ".." in path or os.path.islink(path):
        return os.path.realpath(path)
    return f"{_real_folder(folder)}/{name}"


@lru_cache(maxsize=1000)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)
