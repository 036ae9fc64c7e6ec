"""The reading process: one file at a time, under limits, until its parent closes the pipe.

Run as `python -m plait.data.readers.worker LIMITS`, limits as JSON; imports neither torch nor the
store, to start at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any, BinaryIO

from PIL import Image

from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.data.readers.wire import WireError, receive, send
from plait.errors import ReadError

_PR_SET_PDEATHSIG = 1
_LARGEST_PICTURE_BYTES = 256 * 2**20


def main() -> None:
    """Answer requests from standard input on standard output."""
    requests, answers = _private_streams()
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    limits = ReadLimits(**json.loads(sys.argv[1]))
    _confine(limits)
    with contextlib.suppress(WireError, BrokenPipeError):
        while True:
            send(answers, _answer(receive(requests), limits))


def _answer(request: dict[str, Any], limits: ReadLimits) -> dict[str, Any]:
    """Return the document of a request, or why there is none."""
    _grant_cpu(limits.cpu_seconds)
    try:
        document = read_in_process(
            request["path"],
            source=request["source"],
            spool=request["spool"],
            limits=limits,
            root=request["root"],
        )
    except ReadError as error:
        return {"failed": {"reason": error.reason, "remedy": error.remedy}}
    except MemoryError:
        return {"out_of_memory": True}
    except Exception as error:  # a parser's own bug must not end the run
        return {"crashed": f"{type(error).__name__}: {error}"[:300]}
    return {"document": document.to_dict()}


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes, out of reach of any library that prints."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)
    return requests, answers


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, even in the middle of a file."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _confine(limits: ReadLimits) -> None:
    """Set the limits that hold for the whole process."""
    memory = limits.memory_mb * 2**20
    _lower(resource.RLIMIT_AS, memory)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, _LARGEST_PICTURE_BYTES)
    Image.MAX_IMAGE_PIXELS = limits.max_pixels


def _grant_cpu(seconds: int) -> None:
    """Let this process use so much more CPU time than it has; beyond, the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard < 0 else min(soft, hard), hard))


def _lower(what: int, value: int) -> None:
    """Lower a limit for good; one that is lower already stays."""
    _, hard = resource.getrlimit(what)
    value = value if hard < 0 else min(value, hard)
    resource.setrlimit(what, (value, value))


if __name__ == "__main__":
    main()
