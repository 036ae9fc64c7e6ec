"""How likely hits are good: fitted on the queries of some manuals, measured on those of others.

    for package in ...: python -m benchmarks.real_input.fetch PACKAGE
    python -m benchmarks.search.honest fit --pictures WORK   writes into plait-mini's config.json
    python -m benchmarks.search.honest measure               writes results/honest.json and honest.md

Which manuals, and what is asked of them, is told in honest_material.py; what counts as good or bad, in
honest_libraries.py. Everyday questions of every other topic are fitted on, those of the others are measured.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measuring import described, machine
from benchmarks.real_input.fetch import CACHE
from benchmarks.search.honest_everyday import everyday
from benchmarks.search.honest_libraries import Case, cases, cases_of
from benchmarks.search.honest_material import FITTED, HELD_OUT, Asked, manual, noise
from benchmarks.search.honest_pictures import shown
from plait import Query
from plait.encode.mini import MiniEncoder
from plait.model.mini.configuration_mini import MiniConfig
from plait.scoring.calibration import SIDES, Calibration
from plait.train.mini.calibrating import balanced, fit_calibration

RESULTS = Path(__file__).parents[1] / "results"
TEST = "gimp-help-en"
_NOISE = 40


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("task", choices=("fit", "measure"))
    options.add_argument("--cache", type=Path, default=CACHE, help="where fetch.py put the manuals")
    options.add_argument("--pictures", type=Path, help="fit: features of clip art, as training keeps them")
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    torch.set_num_threads(1)
    encoder = MiniEncoder.load(threads=1)
    if asked.task == "fit":
        config = encoder.folder / "config.json"
        fitted = fit(encoder, asked.cache, asked.pictures, seed=asked.seed)
        replace(MiniConfig.read(config), calibration=fitted).write(config)
        print(json.dumps(fitted.to_dict(), indent=1))
    else:
        found = measure(encoder, asked.cache, seed=asked.seed)
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "honest.json").write_text(json.dumps(found, indent=1) + "\n")
        (RESULTS / "honest.md").write_text(to_markdown(found))
        print(to_markdown(found))


def fit(encoder: MiniEncoder, cache: Path, pictures: Path, *, seed: int) -> Calibration:
    """Return the calibration of the manuals that are fitted on.

    Args:
        pictures: a folder with a model that never saw clip art, and the features of clip art.
    """
    every = list(asked_of(FITTED, encoder, cache, half=0, seed=seed))
    examples = [
        case.example for case in every if case.answered or (case.origin != "own" and not case.covered)
    ]
    print(f"fitting on {len(examples)} queries", file=sys.stderr)
    return fit_calibration(examples, shown(pictures, seed=seed))


def measure(encoder: MiniEncoder, cache: Path, *, seed: int) -> dict[str, Any]:
    """Return what the calibration of an encoder is worth on the other manuals, as JSON."""
    assert encoder.calibration is not None, "fit it first"
    every = list(asked_of(HELD_OUT, encoder, cache, half=1, seed=seed))
    test = list(asked_of_test(encoder, cache, seed=seed))
    return {
        "model": {"name": encoder.name, "fingerprint": encoder.fingerprint},
        "seed": seed,
        "fitted on": list(FITTED),
        "measured on": list(HELD_OUT),
        "machine": machine(),
        "nothing": nothing(every, encoder.calibration),
        TEST: nothing(test, encoder.calibration),
        "calibrated": calibrated(every, encoder.calibration),
        "kept": kept(every, encoder.calibration),
    }


def asked_of(
    packages: Sequence[str], encoder: MiniEncoder, cache: Path, *, half: int, seed: int
) -> Sequence[Case]:
    """Return what libraries of some manuals answer; from the disk where it was asked before."""
    work = cache / "honest"

    def made() -> list[Case]:
        manuals = [manual(name, encoder, packages=cache, work=work) for name in packages]
        return list(cases(manuals, _elsewhere(encoder, half), encoder, seed=seed))

    return kept_on_disk(work / f"cases-{half}-{seed}.pickle", made)


def asked_of_test(encoder: MiniEncoder, cache: Path, *, seed: int) -> Sequence[Case]:
    """Return what a library of the GIMP manual answers, which nothing was fitted, tuned or chosen on."""
    work = cache / "honest"

    def made() -> list[Case]:
        test, *others = (manual(one, encoder, packages=cache, work=work) for one in (TEST, *HELD_OUT))
        return list(cases_of(test, others, _elsewhere(encoder, 1), encoder, seed=seed))

    return kept_on_disk(work / f"cases-{TEST}-{seed}.pickle", made)


def _elsewhere(encoder: MiniEncoder, half: int) -> list[Asked]:
    questions = [Query.of(question) for question in everyday(half)]
    asked = [Asked("everyday", query, encoder.encode_query(query), frozenset()) for query in questions]
    return asked + noise(encoder, _NOISE, seed=half)


def kept_on_disk(path: Path, made: Callable[[], list[Case]]) -> list[Case]:
    """Return cases from the disk, made where they are not there."""
    if not path.is_file():
        path.write_bytes(pickle.dumps(made()))
    found: list[Case] = pickle.loads(path.read_bytes())
    return found


def nothing(every: Sequence[Case], calibration: Calibration) -> dict[str, Any]:
    """Return how many good and bad queries are answered "nothing good", by side, origin and size."""
    answers = [(case, _is_nothing(case, calibration)) for case in every]
    bad = [(case, none) for case, none in answers if case.origin != "own"]
    own = [(case, none) for case, none in answers if case.origin == "own"]
    open_bad = [(case, none) for case, none in bad if not case.covered]
    groups: dict[str, Callable[[Case], bool]] = {"all": lambda case: True}
    groups |= {side: lambda case, side=side: case.example.side == side for side in SIDES}  # type: ignore[misc]
    sizes = ("a few pages", "one manual", "all manuals")
    groups |= {size: lambda case, size=size: case.size == size for size in sizes}  # type: ignore[misc]
    origins = ("other manual", "everyday", "noise")
    kinds = sorted({case.kind for case, _ in own})
    return {
        "groups": {
            name: {
                "good, wrongly nothing": _share(none for case, none in own if among(case) and case.answered),
                "with those whose answer is not among 20 hits": _share(
                    none for case, none in own if among(case)
                ),
                "bad, nothing": _share(none for case, none in open_bad if among(case)),
                "bad, nothing, with those whose words stand together": _share(
                    none for case, none in bad if among(case)
                ),
            }
            for name, among in groups.items()
        },
        "origins": {
            side: {
                origin: _share(n for c, n in open_bad if c.origin == origin and c.example.side == side)
                for origin in origins
            }
            for side in SIDES
        },
        "origins by size": {
            size: {o: _share(n for c, n in open_bad if c.origin == o and c.size == size) for o in origins}
            for size in sizes
        },
        "kinds": {
            kind: _share(none for case, none in own if case.kind == kind and case.answered) for kind in kinds
        },
    }


def calibrated(every: Sequence[Case], calibration: Calibration) -> dict[str, Any]:
    """Return, by side, how far confidences of first hits are from the share of them that is good.

    Queries that are answerable and ones that are not count the same in all.
    """
    found: dict[str, Any] = {}
    for side in (*SIDES, "all"):
        of_side = [
            case
            for case in every
            if case.example.places
            and side in ("all", case.example.side)
            and (case.origin == "own" or not case.covered)
        ]
        sure = np.array([_confidences(case, calibration)[0] for case in of_side])
        good = np.array([case.example.right[0] for case in of_side])
        counts = balanced([case.origin == "own" for case in of_side])
        bins = np.minimum((sure * 10).astype(int), 9)
        rows = [(counts[bins == b], sure[bins == b], good[bins == b]) for b in range(10) if (bins == b).any()]
        found[side] = {
            "hits": len(of_side),
            "error": float(sum(abs(((s - g) * n).sum()) for n, s, g in rows) / counts.sum()),
            "bins": [[float(np.average(s, weights=n)), float(np.average(g, weights=n))] for n, s, g in rows],
        }
    return found


def kept(every: Sequence[Case], calibration: Calibration) -> dict[str, Any]:
    """Return, for good queries, how many of the first 20 hits are kept, and how many answers with them."""
    found = {}
    for side in SIDES:
        of_side = [case for case in every if case.answered and case.example.side == side]
        cuts = [_kept(case, calibration) for case in of_side]
        found[side] = {
            "hits, median": float(np.median(cuts)),
            "answers among them": _share(any(c.answers[:cut]) for c, cut in zip(of_side, cuts, strict=True)),
        }
    return found


def _is_nothing(case: Case, calibration: Calibration) -> bool:
    side = calibration.of(case.example.side)
    return bool(side.answerable.chance(case.example.values) < side.least)


def _confidences(case: Case, calibration: Calibration) -> list[float]:
    side = calibration.of(case.example.side)
    return [float(side.confidence(case.example.values, place)) for place in case.example.places]


def _kept(case: Case, calibration: Calibration) -> int:
    sure = _confidences(case, calibration)
    bound = calibration.of(case.example.side).distant * max(sure)
    return max(place for place, one in enumerate(sure, 1) if one >= bound)


def _share(values: Any) -> list[float]:
    """Return a share and of how many."""
    found = list(values)
    return [float(np.mean(found)) if found else float("nan"), len(found)]


def to_markdown(found: dict[str, Any]) -> str:
    """Return what was measured as a page."""
    none = found["nothing"]
    lines = [
        '# Confidences, and "nothing good found"',
        "",
        f"plait-mini ({found['model']['fingerprint'][:12]}), seed {found['seed']}, "
        f"{described(found['machine'])}. Fitted on {', '.join(found['fitted on'])}; measured on "
        f"{', '.join(found['measured on'])}. Shares in per cent, in brackets of how many queries.",
        "",
        *_nothing_tables(none),
        "",
        f"{TEST}, which nothing was fitted, tuned or chosen on:",
        "",
        *_nothing_tables(found[TEST]),
    ]
    lines += ["", "Confidence of the first hit against the share that is good:", ""]
    lines += ["| | queries | mean difference | bins: confidence -> good |", "|---|---|---|---|"]
    for side, values in found["calibrated"].items():
        bins = ", ".join(f"{100 * s:.0f} -> {100 * g:.0f}" for s, g in values["bins"])
        lines.append(f"| {side} | {values['hits']} | {100 * values['error']:.1f} | {bins} |")
    lines += ["", "| answerable | hits kept of 20, median | answers kept |", "|---|---|---|"]
    for side, values in found["kept"].items():
        lines.append(f"| {side} | {values['hits, median']:.0f} | {_cell(values['answers among them'])} |")
    lines += ["", "    python -m benchmarks.search.honest measure", ""]
    return "\n".join(lines)


def _nothing_tables(none: dict[str, Any]) -> list[str]:
    lines = [
        "| | answerable, wrongly nothing | with those whose answer is not among 20 hits | not answerable, "
        "nothing | with those whose words all stand in one unit |",
        "|---|---|---|---|---|",
    ]
    lines += _rows(none["groups"])
    lines += ["", "Not answerable, nothing, by where the query is from:", ""]
    lines += ["| | other manual | everyday | noise |", "|---|---|---|---|"]
    lines += _rows({**none["origins"], **none["origins by size"]})
    lines += ["", "Answerable, wrongly nothing, by kind:", "", "| kind | |", "|---|---|"]
    return lines + [f"| {kind} | {_cell(value)} |" for kind, value in none["kinds"].items()]


def _rows(groups: Mapping[str, Mapping[str, Sequence[float]]]) -> list[str]:
    """Return a row of a table for each group that has queries."""
    return [
        f"| {name} | " + " | ".join(map(_cell, values.values())) + " |"
        for name, values in groups.items()
        if any(count for _, count in values.values())
    ]


def _cell(value: Sequence[float]) -> str:
    share, count = value
    return f"{100 * share:.1f} [{count}]" if count else "-"


if __name__ == "__main__":
    main()
