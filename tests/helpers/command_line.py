"""The command line, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def plait(*arguments: str | Path, cwd: Path, columns: int = 100) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, on a terminal of so many columns, and return what became of it."""
    return subprocess.run(
        [sys.executable, "-c", "from plait.cli.main import run; run()", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "COLUMNS": str(columns)},
    )
