"""What an adaptation came to: the gain on held-back documents, and whether it was enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plait.evaluation.intervals import Interval, bootstrap
from plait.train.mini.queries import Kind

MEAN_OF: tuple[Kind, ...] = ("text", "image", "removed", "kept")
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class KindGain:
    """The held-back questions of one kind.

    Attributes:
        questions: how many.
        before, after: their mean reciprocal rank, in [0, 1].
        gain: after minus before, question by question, with its 95 % interval.
    """

    questions: int
    before: float
    after: float
    gain: Interval


@dataclass(frozen=True, slots=True)
class AdaptReport:
    """The outcome.

    Attributes:
        accepted: whether the adapted model was written; if not, the old one stays in use.
        reason: why, one sentence.
        folder: where it was written; None if it was not.
        kinds: kind of question -> what the held-back documents say.
        gain: of the mean over the kinds text, image, removed and kept, those there are.
        documents, units: how many were looked at.
        changes: what the adapted model does otherwise, name -> value.
        cpu_seconds: processor time spent, over all threads.
    """

    accepted: bool
    reason: str
    folder: Path | None
    kinds: Mapping[str, KindGain]
    gain: Interval
    documents: int
    units: int
    changes: Mapping[str, float]
    cpu_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), "folder": None if self.folder is None else str(self.folder)}

    def __str__(self) -> str:
        """Return the outcome in a few lines, MRR x 100."""
        lines = [self.reason]
        for name, kind in self.kinds.items():
            lines.append(
                f"  {name} ({kind.questions} questions): {100 * kind.before:.1f} -> {100 * kind.after:.1f}, "
                f"gain {kind.gain}"
            )
        lines.append(f"  mean of the kinds: gain {self.gain}; {self.cpu_seconds:.0f} CPU-seconds")
        return "\n".join(lines)


def gains(before: Mapping[str, Sequence[float]], after: Mapping[str, Sequence[float]]) -> dict[str, KindGain]:
    """Return what each kind gained.

    Args:
        before, after: kind -> reciprocal rank of each question, in one order.
    """
    return {
        kind: KindGain(
            len(values),
            float(np.mean(values)),
            float(np.mean(after[kind])),
            bootstrap(np.subtract(after[kind], values).tolist(), resamples=_RESAMPLES),
        )
        for kind, values in before.items()
    }


def mean_gain(before: Mapping[str, Sequence[float]], after: Mapping[str, Sequence[float]]) -> Interval:
    """Return the gain of the mean over the kinds, all counting the same; questions are drawn within kinds."""
    rng = np.random.default_rng(0)
    differences = [np.subtract(after[kind], before[kind]) for kind in MEAN_OF if before.get(kind)]
    drawn = [d[rng.integers(0, len(d), (_RESAMPLES, len(d)))].mean(1) for d in differences]
    low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
    mean = float(np.mean([d.mean() for d in differences]))
    return Interval(mean, float(low), float(high), sum(map(len, differences)))


def verdict(kinds: Mapping[str, KindGain], gain: Interval) -> tuple[bool, str]:
    """Tell whether to accept, and why: the mean surely gains, and no kind surely loses."""
    losers = [name for name, kind in kinds.items() if kind.gain.high < 0]
    if gain.low <= 0:
        return False, f"Kept the old model: on held-back documents the gain is {gain}, not surely above 0."
    if losers:
        return False, f"Kept the old model: on held-back documents {', '.join(losers)} would surely lose."
    return True, f"Adapted: on held-back documents the mean reciprocal rank gains {gain}."
