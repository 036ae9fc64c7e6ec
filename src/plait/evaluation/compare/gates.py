"""Thresholds that a result must meet, for continuous integration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plait.errors import InputError
from plait.evaluation.compare.comparing import Comparison, Row
from plait.evaluation.compare.standing import Standing

Means = Mapping[tuple[str, str], float]  # (kind, measure) -> mean in [0, 1]; all queries are the last kind
_FORM = re.compile(r"(?:(?P<kind>.+):)?(?P<measure>[^:=]+)=(?P<number>[^=]+)")
_ROUNDING = 1e-9  # 0.5 - 0.49 is a little more than 0.01


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a measure is held to.

    Attributes:
        kind: of the queries; "" stands for all.
        number: in [0, 1].
    """

    measure: str
    number: float
    kind: str = ""

    @classmethod
    def parse(cls, text: str) -> Threshold:
        """Return the threshold of "ndcg@10=0.40", or for one kind of queries "text:mrr=0.5".

        Raises:
            InputError: another form, or a number that is not from 0 to 1.
        """
        match = _FORM.fullmatch(text)
        number = _number(match["number"]) if match else None
        if match is None or number is None:
            raise InputError(
                f"the threshold {text!r} cannot be used: expected MEASURE=NUMBER or KIND:MEASURE=NUMBER with "
                "a number from 0 to 1, such as ndcg@10=0.40"
            )
        return cls(match["measure"], number, match["kind"] or "")

    def __str__(self) -> str:
        return f"{self.kind}:{self.measure}" if self.kind else self.measure


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a result meets one threshold, and what was seen."""

    met: bool
    message: str


@dataclass(frozen=True, slots=True)
class Gates:
    """Everything that a result is held to.

    Attributes:
        least: what means must reach.
        max_drop: by how much means may be worse than those of the result before, at most.
        no_significant_loss: whether nothing may be worse beyond chance.
        alpha: how often chance may pass for a loss, in (0, 1).

    Raises:
        InputError: alpha is out of range.
    """

    least: tuple[Threshold, ...] = ()
    max_drop: tuple[Threshold, ...] = ()
    no_significant_loss: bool = False
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise InputError(f"expected 0 < alpha < 1, got {self.alpha:g}")

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that thresholds are about."""
        return tuple(dict.fromkeys(one.measure for one in (*self.least, *self.max_drop)))

    def judge_comparison(self, comparison: Comparison) -> list[Verdict]:
        """Return a verdict for each threshold that B is held to, A being the result before.

        Raises:
            InputError: a threshold is of a kind of queries that is not there.
        """
        before = {(row.kind, row.measure): row.a for row in comparison.rows}
        after = {(row.kind, row.measure): row.b for row in comparison.rows}
        verdicts = [_least(threshold, after) for threshold in self.least]
        verdicts += [_drop(threshold, before, after) for threshold in self.max_drop]
        return verdicts + (_losses(comparison.rows, self.alpha) if self.no_significant_loss else [])

    def judge_one(self, standings: Sequence[Standing]) -> list[Verdict]:
        """Return a verdict for each threshold that one result is held to by itself.

        Raises:
            InputError: a threshold is of a kind of queries that is not there, or needs a result before.
        """
        if self.max_drop or self.no_significant_loss:
            raise InputError(
                "--max-drop and --no-significant-loss need a result before: name RUN_A and RUN_B"
            )
        means = {(one.kind, one.measure): one.value.mean for one in standings}
        return [_least(threshold, means) for threshold in self.least]


def _least(threshold: Threshold, means: Means) -> Verdict:
    mean = _mean(threshold, means)
    met = mean >= threshold.number - _ROUNDING
    return Verdict(met, f"{threshold} is {mean:.4f}, and must be {threshold.number:g} or more")


def _drop(threshold: Threshold, before: Means, after: Means) -> Verdict:
    a, b = _mean(threshold, before), _mean(threshold, after)
    return Verdict(
        a - b <= threshold.number + _ROUNDING,
        f"{threshold} went from {a:.4f} to {b:.4f} ({b - a:+.4f}), and may lose {threshold.number:g} at most",
    )


def _losses(rows: Sequence[Row], alpha: float) -> list[Verdict]:
    """Return a verdict for each row that is worse beyond chance, or one that there is none.

    It goes by the corrected p values: where nothing has changed, anything at all is called a loss at most
    `alpha` of the time.
    """
    lost = [row for row in rows if row.difference.mean < 0 and row.corrected <= alpha]
    if not lost:
        return [Verdict(True, f"nothing is significantly worse (alpha {alpha:g}, {len(rows)} tests)")]
    return [
        Verdict(
            False,
            f"{row.kind}:{row.measure} is significantly worse: {row.a:.4f} to {row.b:.4f}, "
            f"p {row.corrected:.2g} after Holm's correction (alpha {alpha:g})",
        )
        for row in lost
    ]


def _mean(threshold: Threshold, means: Means) -> float:
    kinds = list(dict.fromkeys(kind for kind, _ in means))
    kind = threshold.kind or kinds[-1]
    if kind not in kinds:
        raise InputError(f"{threshold}: there are no queries of the kind {kind!r}, but {', '.join(kinds)}")
    return means[kind, threshold.measure]


def _number(text: str) -> float | None:
    """Return a number from 0 to 1, None where the text is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None
