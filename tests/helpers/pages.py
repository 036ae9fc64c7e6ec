"""Running the Python of a page of the documents."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path


def run_python(text: str, folder: Path) -> tuple[list[str], list[str]]:
    """Return the lines that a page's Python prints, and those that its comments promise.

    All of it runs as one script in a folder, offline; a warning is an error.
    """
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines(), re.findall(r"print\(.*\)  # (.*)", code)
