"""Half of the GIMP manual adapts plait's model without a label; the other half is asked before and after.

    python -m benchmarks.real_input.fetch gimp-help-en
    python -m benchmarks.real_input.adaptation

Test data: how adapting works was chosen on other manuals, and this script only measures. The protocol:

1. The pages are divided into halves at random (seed 0); `adapt` gets one, with its default budget.
2. It divides that half again, judges for itself, and keeps or refuses what it made. Its processor time
   counts reading no page, as the library has read them, but everything else, with one torch thread.
3. Two libraries are made of the other half, one by each model, and asked the four kinds of questions of
   gimp_help.py, drawn from that half alone. If the adaptation was refused, both models are the same, and
   so are their answers.
4. The halves change places, and all is done again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measuring import described, machine
from benchmarks.real_input import gimp_help
from benchmarks.real_input.fetch import CACHE, documents_of
from benchmarks.real_input.questions import KINDS, Pool
from benchmarks.real_input.systems import DEFAULT
from plait import Library
from plait.data.segmenting import units
from plait.encode.mini import NAME, MiniEncoder
from plait.evaluation.intervals import Interval, bootstrap
from plait.train.adapting.adapt import adapt

Ranks = Mapping[str, Sequence[float]]  # kind -> reciprocal rank of each question


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cache", type=Path, default=CACHE, help="where fetch.py put the manual")
    options.add_argument("--model", default=NAME, help="what is adapted: a name or a folder")
    options.add_argument("--results", type=Path, default=gimp_help.RESULTS, help="folder of the tables")
    options.add_argument("--pages", type=int, help="only the first so many pages, to try the script")
    options.add_argument("--questions", type=int, default=300, help="of each kind, at most")
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    torch.set_num_threads(1)
    pages = sorted(documents_of("gimp-help-en", asked.cache).glob("*.html"))[: asked.pages]
    halves = halved(pages, seed=asked.seed)
    rounds = []
    for mine, other in (halves, halves[::-1]):
        with tempfile.TemporaryDirectory(prefix="plait-adaptation-") as work:
            rounds.append(
                measure(
                    mine, other, Path(work), model=asked.model, questions=asked.questions, seed=asked.seed
                )
            )
        print(json.dumps(rounds[-1]), file=sys.stderr)
    found = {"model": asked.model, "seed": asked.seed, "machine": machine(), "rounds": rounds}
    asked.results.mkdir(parents=True, exist_ok=True)
    (asked.results / "adaptation.json").write_text(json.dumps(found, indent=1) + "\n")
    (asked.results / "adaptation.md").write_text(to_markdown(found))
    print(to_markdown(found))


def halved(pages: Sequence[Path], *, seed: int) -> tuple[list[Path], list[Path]]:
    """Return two halves of the pages, each in order."""
    first = set(np.random.default_rng(seed).permutation(len(pages))[: len(pages) // 2].tolist())
    return (
        [page for place, page in enumerate(pages) if place in first],
        [page for place, page in enumerate(pages) if place not in first],
    )


def measure(
    mine: Sequence[Path], other: Sequence[Path], work: Path, *, model: str, questions: int, seed: int
) -> dict[str, Any]:
    """Return what adapting on some pages did for the questions about other pages, as JSON."""
    (work / "mine").mkdir()
    library = [unit for document in gimp_help.read(mine, work / "mine") for unit in units(document)]
    report = adapt(library, base=model, out=work / "adapted", seed=seed)
    print(report, file=sys.stderr)
    before = asked(other, work / "before", model, questions=questions, seed=seed)
    after = before
    if report.accepted:
        after = asked(other, work / "after", str(work / "adapted"), questions=questions, seed=seed)
    return {
        "pages": {"adapted on": len(mine), "asked about": len(other)},
        "report": report.to_dict(),
        "kinds": {
            kind: {
                "questions": len(before[kind]),
                "before": float(np.mean(before[kind])),
                "after": float(np.mean(after[kind])),
                "gain": gimp_help.interval(bootstrap(np.subtract(after[kind], before[kind]).tolist())),
            }
            for kind in before
        },
        "gain of the mean": gimp_help.interval(mean_gain(before, after)),
    }


def asked(pages: Sequence[Path], work: Path, model: str, *, questions: int, seed: int) -> Ranks:
    """Return how plait's default answers, with a model, in a library of some pages."""
    work.mkdir()
    encoder = MiniEncoder.load(model)
    with Library(work / "whole", encoder=encoder) as library:
        library.add(pages)
    pool = Pool(gimp_help.read(pages, work))
    ranks: dict[str, Sequence[float]] = {}
    for kind in KINDS:
        drawn = pool.draw(kind, count=questions, seed=seed)
        folder = gimp_help.library_of(kind, drawn, pool, work, encoder)
        with Library(folder, encoder=encoder, create=False) as library:
            answered = gimp_help.ask_kind(library, drawn, pool, work)
        ranks[kind] = answered[gimp_help._EACH][DEFAULT.name]
        if folder.name != "whole":
            shutil.rmtree(folder)
    return ranks


def mean_gain(before: Ranks, after: Ranks) -> Interval:
    """Return the gain of the mean over the kinds; questions are drawn again within their kinds."""
    rng = np.random.default_rng(0)
    differences = [np.subtract(after[kind], before[kind]) for kind in before]
    drawn = [d[rng.integers(0, len(d), (2000, len(d)))].mean(1) for d in differences]
    low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
    return Interval(
        float(np.mean([d.mean() for d in differences])), float(low), float(high), sum(map(len, differences))
    )


def to_markdown(found: Mapping[str, Any]) -> str:
    """Return what was found as a page."""
    lines = ["# Adapting to half of the GIMP manual", ""]
    lines.append(f"Model {found['model']}. {described(found['machine'])}. Seed {found['seed']}.")
    for number, one in enumerate(found["rounds"], 1):
        report, pages = one["report"], one["pages"]
        lines += [
            "",
            f"## Round {number}: {pages['adapted on']} pages, asked about {pages['asked about']}",
            "",
        ]
        lines.append(
            f"{report['reason']} {report['units']} sections of {report['documents']} pages were looked at, "
            f"{report['cpu_seconds']:.0f} CPU-seconds. {'Changed' if report['accepted'] else 'Tried'}: "
            + ", ".join(f"{name} {value:g}" for name, value in report["changes"].items())
            + "."
        )
        lines += ["", "| MRR x 100 on the other half | before | after | gain |", "| --- | --- | --- | --- |"]
        for kind, values in one["kinds"].items():
            lines.append(
                f"| {kind} ({values['questions']}) | {100 * values['before']:.1f} | "
                f"{100 * values['after']:.1f} | {_signed(values['gain'])} |"
            )
        lines.append(f"| mean of the kinds | | | {_signed(one['gain of the mean'])} |")
    lines += ["", "    python -m benchmarks.real_input.fetch gimp-help-en"]
    lines += ["    python -m benchmarks.real_input.adaptation"]
    return "\n".join(lines) + "\n"


def _signed(found: Mapping[str, float]) -> str:
    mean, low, high = (f"{100 * found[name]:+.1f}" for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


if __name__ == "__main__":
    main()
