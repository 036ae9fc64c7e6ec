"""An MCP server over a library with a noisy encoder: run as a process by test_mcp.py."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.tiny_encoder import TinyEncoder

from plait.library import Library
from plait.schema import Query
from plait.scoring.vectors import QueryVectors
from plait.serve.jobs import OwnProcess
from plait.serve.mcp import run_stdio


@dataclass(frozen=True)
class NoisyEncoder(TinyEncoder):
    """Writes to standard output as careless libraries do, from Python and past it; breaks over "defect"."""

    def encode_query(self, query: Query) -> QueryVectors:
        print("loading weights ... 100%")
        os.write(1, b"a C library says hello\n")
        if query.texts == ("defect",):
            raise RuntimeError("a secret of the machine")
        return super().encode_query(query)


if __name__ == "__main__":
    worker = OwnProcess((sys.executable, "-m", "tests.serve.jobs_process", "work"))
    with Library(sys.argv[1], encoder=NoisyEncoder()) as library:
        run_stdio(library, add_from=[Path(folder) for folder in sys.argv[2:]], worker=worker)
