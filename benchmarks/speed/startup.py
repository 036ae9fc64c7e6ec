"""How long `import plait` and a first `plait search` take, each in fresh processes on a warm disk.

    python -m benchmarks.speed.startup [--library FOLDER]

The search is timed from the start of the command to its end: Python, model, store, answer. Without
--library it asks a library of the handbook in examples/, made first. Every round runs each command once,
so that all meet the same state of a shared machine; the first round warms the disk and is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measuring import described, machine
from benchmarks.speed.adding import HANDBOOK

_IMPORT = (
    "import sys, time; before = set(sys.modules); start = time.perf_counter(); import plait; "
    "print(time.perf_counter() - start, len(set(sys.modules) - before), 'torch' in sys.modules)"
)
_QUERY_IMAGE = Path(__file__).parents[2] / "examples" / "queries" / "worn-ring.jpg"
_TEXT = "how do I set this"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--library", type=Path, help="folder of a library")
    options.add_argument("--rounds", type=int, default=7)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="plait-startup-") as folder:
        library = asked.library or Path(folder)
        if asked.library is None:
            finished([*_plait("add"), "--library", str(library), str(HANDBOOK)])
        measure(library, asked.rounds)
    print(described(machine()))


def measure(library: Path, rounds: int) -> None:
    """Print the table."""
    search = [*_plait("search"), "--library", str(library), "--json"]
    took: dict[str, Callable[[], float]] = {
        "python -c pass": lambda: seconds([sys.executable, "-c", "pass"]),
        "import plait": lambda: float(imported()[0]),
        "plait --version": lambda: seconds(_plait("--version")),
        "plait search TEXT": lambda: seconds([*search, _TEXT]),
        "plait search --image": lambda: seconds([*search, "--image", str(_QUERY_IMAGE)]),
        "plait search TEXT --image": lambda: seconds([*search, _TEXT, "--image", str(_QUERY_IMAGE)]),
    }
    times: dict[str, list[float]] = {name: [] for name in took}
    for number in range(rounds + 1):
        for name, run in took.items():
            value = run()
            if number:
                times[name].append(value)
    _, modules, torch = imported()
    print(f"| | median ms | slowest of {rounds} |\n|---|---|---|")
    for name, values in times.items():
        print(f"| {name} | {1000 * statistics.median(values):.0f} | {1000 * max(values):.0f} |")
    print(f"\nimport plait loads {modules} modules that Python had not; torch among them: {torch}")


def imported() -> Sequence[str]:
    """Return seconds, modules loaded and whether torch is one of them, of `import plait` in a new process."""
    return finished([sys.executable, "-c", _IMPORT]).split()


def seconds(command: Sequence[str]) -> float:
    """Return the wall time of a command from its start to its end."""
    started = time.perf_counter()
    finished(command)
    return time.perf_counter() - started


def finished(command: Sequence[str]) -> str:
    """Return what a command printed; stop with what it complained of if it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _plait(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "plait", *arguments]


if __name__ == "__main__":
    main()
