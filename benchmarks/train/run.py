"""Training throughput and peak memory of ReT on one core: plain steps, GradCache, and batch 512 within 16 GB.

    python -m benchmarks.train.run [--quick] [--parts steps,pair,loss,limit] [--write NAME]

steps: a plain step beside one by GradCache, in new processes: what a row takes, and the most memory held.
pair: what GradCache costs, by steps taken in turns in one process.
loss: the contrastive loss alone, with its gradients.
limit: one step of `plait train` at a large batch, in a process that the kernel gives no more than 16 GB.

All with one thread, and by the CPU time of the process, which other users of the machine disturb less than
the clock. Weights are random: it is time and memory that are measured. Without --quick this takes most of an
hour on a machine with nothing else to do; parts can be measured one by one, into the same results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import machine
from benchmarks.train.inputs import SEED, write
from benchmarks.train.tables import to_markdown

RESULTS = Path(__file__).parents[1] / "results"
LIMIT_BYTES = 16 * 10**9


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        tiny: a model of kilobytes instead of ViT-B/32's size.
        batches: of steps with frozen backbones, ascending; the first is also taken with others.
        backbones: how they train in those others.
        mini_batch_size: of GradCache.
        rounds: pairs of steps.
        loss: queries, documents, tokens, width.
        limit_batch: of the step within the limit.
    """

    tiny: bool
    batches: tuple[int, ...]
    backbones: tuple[str, ...]
    mini_batch_size: int
    rounds: int
    loss: tuple[int, int, int, int]
    limit_batch: int


WHOLE = Sizes(
    tiny=False,
    batches=(16, 32, 64),
    backbones=("lora", "full"),
    mini_batch_size=16,
    rounds=3,
    loss=(512, 1024, 32, 128),
    limit_batch=512,
)
QUICK = Sizes(
    tiny=True,
    batches=(4, 8),
    backbones=(),
    mini_batch_size=4,
    rounds=1,
    loss=(32, 64, 8, 16),
    limit_batch=16,
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a model of kilobytes, in less than a minute")
    options.add_argument("--parts", default=",".join(PARTS), help="some of them; default: %(default)s")
    options.add_argument("--write", metavar="NAME", help="keep results/train-NAME.json and .md")
    asked = options.parse_args()
    parts = asked.parts.split(",")
    if unknown := set(parts) - PARTS.keys():
        options.error(f"no such parts: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    sizes = QUICK if asked.quick else WHOLE
    file = RESULTS / f"train-{asked.write}.json" if asked.write else None
    found = json.loads(file.read_text(encoding="utf-8")) if file is not None and file.is_file() else {}
    with tempfile.TemporaryDirectory(prefix="plait-train-") as folder:
        made = write(Path(folder), rows=2 * sizes.limit_batch, tiny=sizes.tiny)
        for part in parts:
            found[part] = measured(part, sizes, made)
            if file is not None:
                keep(found, file)
    print(to_markdown(found))


def measured(part: str, sizes: Sizes, folder: Path) -> dict[str, Any]:
    """Return what a part found, and on which machine."""
    print(part, file=sys.stderr)
    rows = PARTS[part](sizes, folder)
    return {"machine": machine(), "seed": SEED, "tiny": sizes.tiny, "rows": rows}


def keep(found: dict[str, Any], file: Path) -> None:
    """Write results, and a table beside them."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    file.with_suffix(".md").write_text(to_markdown(found) + "\n", encoding="utf-8")


def steps(sizes: Sizes, folder: Path) -> list[dict[str, Any]]:
    """Return a row for each step; plain ones that would not fit the memory there is are not taken."""
    plan = [("frozen", batch) for batch in sizes.batches]
    plan += [(backbones, sizes.batches[0]) for backbones in sizes.backbones]
    rows: list[dict[str, Any]] = []
    for backbones, batch in plan:
        for mini_batch_size in (None, sizes.mini_batch_size):
            asked = {"batch": batch, "mini_batch_size": mini_batch_size, "backbones": backbones}
            expected = _expected_mb(rows, batch) if mini_batch_size is None else 0.0
            if expected > (free := _available_mb()):
                print(f"left out: {asked} may take {expected:.0f} MB of {free:.0f}", file=sys.stderr)
                continue
            rows.append(asked | fresh({"what": "step", "folder": str(folder), **asked}))
    return rows


def pair(sizes: Sizes, folder: Path) -> list[dict[str, Any]]:
    """Return the times of plain steps and of those by GradCache."""
    asked = {
        "batch": sizes.batches[0],
        "mini_batch_size": sizes.mini_batch_size,
        "backbones": "frozen",
        "rounds": sizes.rounds,
    }
    return [asked | fresh({"what": "pair", "folder": str(folder), **asked})]


def loss(sizes: Sizes, folder: Path) -> list[dict[str, Any]]:
    """Return the time of the loss alone."""
    asked = dict(zip(("queries", "documents", "tokens", "width"), sizes.loss, strict=True))
    return [asked | fresh({"what": "loss", **asked})]


def limit(sizes: Sizes, folder: Path) -> list[dict[str, Any]]:
    """Return what one step within the limit took."""
    asked = {
        "batch": sizes.limit_batch,
        "mini_batch_size": sizes.mini_batch_size,
        "backbones": "frozen",
        "limit_bytes": LIMIT_BYTES,
    }
    return [asked | fresh({"what": "run", "folder": str(folder), **asked})]


PARTS: dict[str, Callable[[Sizes, Path], list[dict[str, Any]]]] = {
    "steps": steps,
    "pair": pair,
    "loss": loss,
    "limit": limit,
}


def fresh(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what a process of its own measured; "failed" says why it ended, if without a result."""
    command = [sys.executable, "-m", "benchmarks.train.fresh", json.dumps(asked)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": next(iter(done.stderr.splitlines()[-1:]), f"exit code {done.returncode}")}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{asked}: {found}", file=sys.stderr)
    return found


def _expected_mb(rows: list[dict[str, Any]], batch: int) -> float:
    """Return what a plain step may take, by the one before it, 0 if there was none."""
    plain = [row for row in rows if row["mini_batch_size"] is None and "peak_mb" in row]
    return float(plain[-1]["peak_mb"]) * batch / plain[-1]["batch"] if plain else 0.0


def _available_mb() -> float:
    found = Path("/proc/meminfo").read_text(encoding="utf-8").partition("MemAvailable:")[2].split()[0]
    return int(found) * 1024 / 1e6


if __name__ == "__main__":
    main()
