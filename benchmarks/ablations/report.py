"""The tables of docs/ablations.md, from what has been run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.ablations.contest import Bench, Ranks, Results
from benchmarks.ablations.entries import ASKED_LAST, HELD, LANES, VALIDATION
from benchmarks.ablations.presence import VARIANTS, gated_ranks
from benchmarks.ablations.tables import MEAN_OF, SHOWN, difference, markdown, row
from plait.evaluation.intervals import Interval
from plait.train.mini.queries import Kind

_WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)  # of a rival as one more lane, nats


def report(bench: Bench, results: Results) -> dict[str, str]:
    """Return title -> table, of all that has been run."""
    held = [name for name in HELD if name in results.ranks]
    found = {"Held-out manuals": _rivals_table(bench, results, held)}
    found["Each manual's mean"] = _manuals_table(bench, results, held)
    found["As one more lane of the mixture"] = _lane_table(bench, results, held)
    found["Lanes of one weight"] = _confirmation_table(bench, results)
    found["Gates for the picture"] = _presence_table(bench)
    if VALIDATION in results.ranks:
        found["Variants, on the validation manual"] = _rivals_table(bench, results, [VALIDATION])
    found["Size"] = _size_table(bench)
    return found


def _rivals_table(bench: Bench, results: Results, held: Sequence[str]) -> str:
    kinds = bench.kinds(held)
    base = bench.baselines(held)
    shipped = base["mixture, as shipped"]
    every = {**base, **_complete(results, held)}
    rows = []
    for name, ranks in every.items():
        gain = "" if ranks is shipped else _signed(difference(ranks, shipped, kinds))
        rows.append([name, str(max(len(r) for r in ranks.values())), *row(ranks, kinds), gain])
    return markdown(["MRR x 100", "seeds", *SHOWN, "mean of five", "to the mixture"], rows)


def _manuals_table(bench: Bench, results: Results, held: Sequence[str]) -> str:
    every = {**bench.baselines(held), **_complete(results, held)}
    rows = [
        [name, *(row({one: ranks[one]}, bench.kinds([one]))[-1] for one in held)]
        for name, ranks in every.items()
    ]
    return markdown(["mean of five kinds", *held], rows)


def _complete(results: Results, held: Sequence[str]) -> dict[str, dict[str, Ranks]]:
    """Return rival -> manual -> (seeds, Q), of the rivals and seeds that were run on all of these manuals."""
    found = {}
    for name in results.ranks[held[0]] if held else ():
        seeds = set.intersection(*(set(results.ranks[one].get(name, {})) for one in held))
        if seeds:
            found[name] = {
                one: np.array([results.ranks[one][name][seed] for seed in sorted(seeds)]) for one in held
            }
    return found


def _lane_table(bench: Bench, results: Results, held: Sequence[str]) -> str:
    """Return what each rival adds to the mixture, its weight chosen on the other held-out manuals."""
    kinds, shipped = bench.kinds(held), bench.baselines(held)["mixture, as shipped"]
    rows = []
    for name, ranks in _complete(results, held).items():
        seeds = len(ranks[held[0]])
        by_weight = {
            weight: {
                one: np.array(
                    [bench.with_lane(one, results.scores(one, name, seed), weight) for seed in range(seeds)]
                )
                for one in held
            }
            for weight in _WEIGHTS
        }
        chosen = {
            one: _best_weight(by_weight, kinds, [other for other in held if other != one]) for one in held
        }
        joined = {one: by_weight[chosen[one]][one] for one in held}
        fixed = [_signed(difference(by_weight[weight], shipped, kinds)) for weight in _WEIGHTS]
        weights = ", ".join(f"{chosen[one]:g}" for one in held)
        rows.append([name, str(seeds), weights, _signed(difference(joined, shipped, kinds)), *fixed])
    header = ["", "seeds", "chosen weights", "gain with these", *(f"weight {w:g}" for w in _WEIGHTS)]
    return markdown(header, rows)


def _best_weight(
    by_weight: Mapping[float, Mapping[str, Ranks]],
    kinds: Mapping[str, Sequence[Kind]],
    manuals: Sequence[str],
) -> float:
    """Return the weight with the best mean on some manuals; 0 where none gains, or there are none."""
    if not manuals:
        return 0.0
    zero = by_weight[0.0]
    gains = {
        weight: difference(
            {one: ranks[one] for one in manuals}, {one: zero[one] for one in manuals}, kinds
        ).mean
        for weight, ranks in by_weight.items()
    }
    return max(gains, key=lambda weight: (gains[weight], -weight))


def _confirmation_table(bench: Bench, results: Results) -> str:
    """Return what lanes of one weight add, where it was chosen and where it was not."""
    chosen: list[Sequence[Kind]] = [MEAN_OF, ("text",), ("text", "unrelated")]
    rows = []
    for lane, weight in LANES.items():
        for held in (HELD, (VALIDATION,), (ASKED_LAST,)):
            if not all(lane in results.ranks.get(one, {}) for one in held):
                continue
            shipped = bench.baselines(held)["mixture, as shipped"]
            joined = {one: _joined(bench, results, one, lane, weight) for one in held}
            gains = [_signed(difference(joined, shipped, bench.kinds(held), of=of)) for of in chosen]
            rows.append([f"{lane}, weight {weight:g}", ", ".join(held), *gains])
    return markdown(["lane", "manuals", "mean of five", "text", "text and unrelated"], rows)


def _joined(bench: Bench, results: Results, held: str, lane: str, weight: float) -> Ranks:
    """Return (seeds, Q), of every seed that was run."""
    seeds = sorted(results.ranks[held][lane])
    found = [bench.with_lane(held, results.scores(held, lane, int(seed)), weight) for seed in seeds]
    return np.array(found)


def _presence_table(bench: Bench) -> str:
    names = sorted(bench.asked)
    kinds, shipped = bench.kinds(names), bench.baselines(names)["mixture, as shipped"]
    rows = [["as shipped", *row(shipped, kinds), ""]]
    for title, signs in VARIANTS.items():
        ranks = {one: np.array([gated_ranks(bench.asked, one, bench.mixture, signs)]) for one in names}
        rows.append([title, *row(ranks, kinds), _signed(difference(ranks, shipped, kinds))])
    return markdown(["MRR x 100", *SHOWN, "mean of five", "gain"], rows)


def _size_table(bench: Bench) -> str:
    """Return numbers a unit, each of 4 bytes in the index."""
    units = sum(len(one.unit_words) for one in bench.materials.values())
    passages = sum(one.passages for one in bench.materials.values())
    figures = sum(len(f) for one in bench.materials.values() for f in one.unit_figures)
    readings = sum(max(1, len(f)) for one in bench.materials.values() for f in one.unit_figures)
    mixture_numbers = (384 * passages + (256 + 16 * 64 + 768) * figures) / units
    rows = [["mixture", f"{mixture_numbers:.0f}", f"{4 * mixture_numbers / 1e3:.1f} kB"]]
    for tokens in (4, 8, 16, 32):
        numbers = 64 * tokens * readings / units
        rows.append([f"{tokens} tokens of 64", f"{numbers:.0f}", f"{4 * numbers / 1e3:.1f} kB"])
    return markdown(["", "numbers a unit", "bytes a unit, float32"], rows)


def _signed(interval: Interval) -> str:
    return f"{100 * interval.mean:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"
