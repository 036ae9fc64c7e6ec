"""A server that accepts files, and the process that adds them, which can be held up: run by test_jobs.py."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.tiny_encoder import TinyEncoder

from plait.library import Library
from plait.schema import Unit
from plait.scoring.vectors import UnitVectors
from plait.serve.jobs import OwnProcess, Workshop, process

WORK = "work"


@dataclass(frozen=True)
class SlowEncoder(TinyEncoder):
    """Over a text that names a file, it waits until that file is gone."""

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        gate = Path(units[0].passages[0].text)
        if gate.exists():
            gate.with_suffix(f".{os.getpid()}").touch()
            while gate.exists():
                time.sleep(0.01)
        return super().encode_units(units)


def serve(folder: str, gate: str) -> None:
    """Accept two files, say so, and go on until killed."""
    worker = OwnProcess((sys.executable, "-m", "tests.serve.jobs_process", WORK))
    jobs = Workshop(worker).jobs(Library(folder, encoder=TinyEncoder()))
    jobs.accept("slow.txt", io.BytesIO(gate.encode()))
    jobs.accept("good.txt", io.BytesIO(b"good"))
    print("accepted", flush=True)
    signal.pause()


if __name__ == "__main__":
    if sys.argv[1] == WORK:
        process.main(SlowEncoder())
    else:
        serve(*sys.argv[1:])
