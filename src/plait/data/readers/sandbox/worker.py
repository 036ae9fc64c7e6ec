"""The reading process: one file at a time, under limits, until its parent closes the pipe.

Run as `python -m plait.data.readers.sandbox.worker LIMITS`, limits as JSON; imports neither torch nor the
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
import tempfile
from dataclasses import replace
from typing import Any, BinaryIO

from PIL import Image

from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.data.readers.sandbox.confinement import (
    OCR_TICKS,
    TICKS,
    Confinement,
    has_more_memory,
    limit_resources,
)
from plait.data.readers.sandbox.wire import (
    LARGEST_DOCUMENT_BYTES,
    WireError,
    document_messages,
    receive,
    send,
)
from plait.errors import ReadError

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer requests from standard input on standard output."""
    requests, answers = _private_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    orders = json.loads(sys.argv[1])
    limits = ReadLimits(**orders["limits"])
    limit_resources(limits)
    Confinement.from_dict(orders).enter()
    _die_with_parent()
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    with contextlib.suppress(WireError, BrokenPipeError):
        while True:
            _answer(receive(requests), answers, limits)


def _answer(request: dict[str, Any], answers: BinaryIO, limits: ReadLimits) -> None:
    """Read what is asked for, and send the document in parts, or why there is none."""
    left = replace(limits, **{name: request[name] for name in ("max_attachments", "max_unpacked_mb")})
    clock = _Clock(limits, answers)
    tempfile.tempdir = request["spool"]
    try:
        document = read_in_process(
            request["path"],
            source=request["source"],
            spool=request["spool"],
            limits=left,
            root=request["root"],
            tick=clock.tick,
        )
        size = 0
        for message in document_messages(document):
            size += send(answers, message)
            if size > LARGEST_DOCUMENT_BYTES:
                reason = f"has more than {LARGEST_DOCUMENT_BYTES >> 20} MB of text"
                raise ReadError(request["source"], reason, "split it")
    except ReadError as error:
        send(answers, {"failed": {"reason": error.reason, "remedy": error.remedy}})
    except MemoryError:
        send(answers, {"out_of_memory": True})
    except BrokenPipeError:
        raise
    except Exception as error:  # a parser's own bug must not end the run
        send(answers, {"crashed": f"{type(error).__name__}: {error}"[:300]})


class _Clock:
    """The time limits of one file, which begin again after each hundred pages."""

    def __init__(self, limits: ReadLimits, answers: BinaryIO) -> None:
        self._limits = limits
        self._answers = answers
        self._ticks = 0
        self._grants = 1 + limits.max_pages // OCR_TICKS
        _grant_cpu(limits.cpu_seconds)

    def tick(self) -> None:
        """Count a page; let the time begin again where enough were counted, up to `max_pages`."""
        self._ticks += 1
        if self._ticks >= (OCR_TICKS if has_more_memory(self._limits) else TICKS) and self._grants > 0:
            self._ticks = 0
            self._grants -= 1
            _grant_cpu(self._limits.cpu_seconds)
            send(self._answers, {"heartbeat": True})


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


def _grant_cpu(seconds: int) -> None:
    """Let this process use so much more CPU time than it has; beyond, the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard < 0 else min(soft, hard), hard))


if __name__ == "__main__":
    main()
