"""Does the recurrent cell earn its place? Rivals of one size, taught on all manuals but one.

    python -m benchmarks.ablations.cell --packages DIR --work DIR [--quick]

The folder of packages holds, unpacked, the Debian packages named in `entries.UNITS`, and openclipart-png.
Everything is kept in the working folder: features, scores and results.json, from which the tables are made.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.ablations.contest import Bench, Results, Rival
from benchmarks.ablations.entries import ASKED_LAST, HELD, LANES, MAIN, UNITS, VALIDATION, VARIANTS
from benchmarks.ablations.report import report


def main() -> None:
    """Run everything that has not been run yet, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="one held-out manual, one seed, 20 steps")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    bench = Bench.open(options.packages, options.work, UNITS)
    results = Results.read(options.work / ("quick.json" if options.quick else "results.json"))
    if options.quick:
        run_all(bench, results, [_short(rival) for rival in MAIN], HELD[:1], seeds=1)
    else:
        run_all(bench, results, MAIN, HELD, seeds=3)
        run_all(bench, results, [*MAIN, *VARIANTS], (VALIDATION,), seeds=1)
        run_all(bench, results, [rival for rival in MAIN if rival.name in LANES], (ASKED_LAST,), seeds=3)
    for title, table in report(bench, results).items():
        print(f"\n## {title}\n\n{table}")


def run_all(
    bench: Bench, results: Results, rivals: Sequence[Rival], held: Sequence[str], *, seeds: int
) -> None:
    """Run every rival on every manual; seed by seed, so that what is done first is a whole table."""
    for seed in range(seeds):
        for rival in rivals:
            for name in held:
                bench.run(rival, name, seed, results)


def _short(rival: Rival) -> Rival:
    return replace(rival, recipe=replace(rival.recipe, steps=min(20, rival.recipe.steps)))


if __name__ == "__main__":
    main()
