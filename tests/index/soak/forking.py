"""A process that imports once, and forks a child for each order; the children are there to be killed."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Hook(Protocol):
    """What `hook.c` gives."""

    def soak_arm(self, call: int, how: int) -> None: ...

    def soak_calls(self) -> int: ...


def serve(run: Callable[[Mapping[str, Any]], None]) -> None:
    """Carry out orders, one a line of JSON on the standard input, each by a child in a session of its own.

    Lines on the standard output, beside those of `run`:

        pid N
        problem ...         what was raised
        at CALL PATH        the preloaded hook kills it there
        ended STATUS        said by this process
    """
    warnings.filterwarnings("ignore", "lancedb fork support")  # nothing is open when this process forks
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _in_child(run, json.loads(line))
        say(f"ended {os.waitpid(child, 0)[1]}")


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def hook() -> Hook:
    """Return the preloaded hook; one that does nothing where none is."""
    library: Any = ctypes.CDLL(None)
    return library if hasattr(library, "soak_arm") else _NoHook()


class _NoHook:
    def soak_arm(self, call: int, how: int) -> None:
        pass

    def soak_calls(self) -> int:
        return 0


def _in_child(run: Callable[[Mapping[str, Any]], None], order: Mapping[str, Any]) -> None:
    os.setsid()
    say(f"pid {os.getpid()}")
    try:
        run(order)
    except BaseException:
        say("problem " + traceback.format_exc().replace("\n", " | "))
        os._exit(1)
    os._exit(0)
