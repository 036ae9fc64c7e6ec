"""Processes that the service starts: what they see of its environment, how they talk, and how they end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO

# What a process may need of the environment; keys and tokens are none of its business.
_KEPT = (
    *("HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "TMPDIR", "TZ"),
    *("VIRTUAL_ENV", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "XDG_CACHE_HOME"),
)
_ONE_THREAD = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "RAYON")


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a process that computes on one thread."""
    kept = {name: value for name, value in variables.items() if name in _KEPT or name[:3] == "LC_"}
    few = {f"{library}_NUM_THREADS": "1" for library in _ONE_THREAD}
    return {
        **kept,
        **few,
        "LANCE_CPU_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "MALLOC_ARENA_MAX": "2",
    }


def private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return this process's pipes, out of reach of any library that prints; that goes to standard error."""
    tasks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return tasks, answers


def ended(process: subprocess.Popen[bytes], *, patience_seconds: float = 0) -> str:
    """End a process, unless it ends by itself so soon, and return how it ended, in words."""
    try:
        code = process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        code = None
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not written yet goes nowhere
                pipe.close()
    process.wait()
    if code is None:
        return "had to be ended"
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
