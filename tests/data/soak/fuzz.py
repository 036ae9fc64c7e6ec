"""`python -m tests.data.soak.fuzz --seconds 60`: coverage-guided input to our own code, each target so long.

A target turns bytes into what a reader gives or takes and checks what must hold of every result: each
word of the input once, boxes inside the page, no exception, and time in proportion. The first input that
breaks one is printed and kept in `--keep`.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.data.soak.fuzz_targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--target", choices=list(TARGETS), action="append", help="several times for several; none for all"
    )
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "plait-fuzz")
    asked = parser.parse_args()
    asked.keep.mkdir(parents=True, exist_ok=True)
    broken = []
    for target in asked.target or TARGETS:
        print(f"{target}: {asked.seconds} s", flush=True)
        if not fuzz(target, asked.seconds, asked.seed, asked.keep):
            broken.append(target)
    print(f"broken: {', '.join(broken)}; inputs are in {asked.keep}" if broken else "nothing was broken")
    return bool(broken)


def fuzz(target: str, seconds: int, seed: int, keep: Path) -> bool:
    """Run one target in a process of its own, as its library ends the process; tell whether all held."""
    with tempfile.TemporaryDirectory() as corpus:
        rng = random.Random(seed)
        for i in range(32):  # long ones too, from the start
            (Path(corpus) / str(i)).write_bytes(rng.randbytes(2 ** (2 + i // 4)))
        options = (
            *(f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=4096", "-timeout=20"),
            *("-rss_limit_mb=2048", f"-artifact_prefix={keep}/{target}-", "-print_final_stats=1"),
        )
        # Words are counted by set and dict: their order must not differ from run to run.
        done = subprocess.run(
            [sys.executable, "-m", "tests.data.soak.fuzz_process", target, *options, corpus],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    lines = done.stdout.splitlines()
    shown = [line for line in lines if "stat::number_of_executed_units" in line or "DONE" in line]
    print("\n".join(shown if done.returncode == 0 else lines[-60:]), flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
