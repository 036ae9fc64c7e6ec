"""A virtual environment for each engine, in the cache: none of them is ever installed beside plait."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = {
    "qdrant": ("qdrant-edge-py==0.9.0", "numpy"),
    "lancedb": ("lancedb==0.40.0", "numpy"),
    "plaid": ("fast-plaid==1.7.0.290", "torch==2.9.0", "numpy"),  # crashes with torch 2.13
}
HERE = "plait"  # this environment


class CannotInstallError(RuntimeError):
    """An engine's packages cannot be installed; says what pip said."""


def python_of(name: str, cache: Path) -> Path:
    """Return the Python of an environment, made and filled first if the cache does not hold it.

    Raises:
        CannotInstallError: pip refused.
    """
    if name == HERE:
        return Path(sys.executable)
    folder = cache / "engines" / name
    python = folder / "bin" / "python"
    installed = folder / "installed.txt"
    if not installed.is_file():
        print(f"installing {' '.join(REQUIREMENTS[name])} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        _run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS[name]])
        installed.write_text(_run([str(python), "-m", "pip", "freeze"]), encoding="utf-8")
    return python


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise CannotInstallError(" / ".join(said[-3:]) or f"exit code {done.returncode}")
    return done.stdout
