"""A process that writes one checkpoint after another until it is killed (run by test_checkpoints)."""

from __future__ import annotations

import sys
from pathlib import Path

from plait.train import checkpoints

PART = bytes(range(256)) * 4096  # 1 MB


def main(folder: Path) -> None:
    last = max((one.step for one in checkpoints.whole(folder)), default=0)
    checkpoints.tidy(folder)
    print("ready", flush=True)
    for step in range(last + 1, last + 10_000):
        with checkpoints.writing(folder, step=step, facts={"half": step / 2}) as draft:
            for k in range(4):
                (draft / f"{k}.bin").write_bytes(step.to_bytes(4, "big") + PART)
        checkpoints.prune(folder, keep=2, best=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
