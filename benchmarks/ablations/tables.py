"""Means by kind of question, over seeds and manuals, and differences question by question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plait.evaluation.intervals import Interval, bootstrap
from plait.train.mini.queries import Kind

MEAN_OF: tuple[Kind, ...] = ("text", "image", "removed", "kept", "vague")
SHOWN: tuple[Kind, ...] = (*MEAN_OF, "unrelated")

Ranks = Mapping[str, NDArray[np.float64]]  # manual -> (seeds, Q) reciprocal ranks
Kinds = Mapping[str, Sequence[Kind]]  # manual -> (Q,)


def row(ranks: Ranks, kinds: Kinds) -> list[str]:
    """Return MRR x 100 of each kind, mean over manuals and seeds, then the mean and its range over seeds."""
    by_seed = [[100 * _of_kind(ranks, kinds, kind, seed) for kind in SHOWN] for seed in range(_seeds(ranks))]
    means = [float(np.mean(one[: len(MEAN_OF)])) for one in by_seed]
    cells = [f"{value:.1f}" for value in np.mean(by_seed, axis=0)]
    mean = f"{np.mean(means):.1f}"
    return [*cells, mean if len(means) == 1 else f"{mean} ({min(means):.1f} to {max(means):.1f})"]


def difference(ranks: Ranks, base: Ranks, kinds: Kinds, *, of: Sequence[Kind] = MEAN_OF) -> Interval:
    """Return the gain over a base, mean of some kinds, with a 95 % interval over questions.

    Seeds are averaged first. Kinds count alike, and the questions of a kind alike within a manual.
    """
    manuals = sorted(ranks)
    values = []
    for name in manuals:
        gains = ranks[name].mean(0) - base[name].mean(0)
        for kind in of:
            chosen = gains[np.array(kinds[name]) == kind]
            values.append(chosen / len(chosen) / len(of) / len(manuals))
    every = np.concatenate(values)
    return bootstrap((every * len(every)).tolist())


def _of_kind(ranks: Ranks, kinds: Kinds, kind: Kind, seed: int) -> float:
    """Return the mean over manuals of the mean of a kind's questions."""
    return float(
        np.mean(
            [
                found[min(seed, len(found) - 1)][np.array(kinds[name]) == kind].mean()
                for name, found in ranks.items()
            ]
        )
    )


def _seeds(ranks: Ranks) -> int:
    return max(len(found) for found in ranks.values())


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
