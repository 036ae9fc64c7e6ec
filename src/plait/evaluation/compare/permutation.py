"""Whether two systems differ: the paired randomisation test, and Holm's correction for many tests at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.errors import InputError

_ENUMERATED = 16  # differences: 65,536 ways to sign them, about as many as are drawn otherwise
_BITS_AT_ONCE = 8_000_000  # of signs; 64 MB once they are float64


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """The outcome of a paired randomisation test.

    Attributes:
        p: how often chance alone gives a mean difference at least as far from 0, in (0, 1].
        exact: whether every way to sign the differences was counted; else so many were `draws`.
    """

    p: float
    exact: bool
    draws: int


def permutation_test(differences: Sequence[float], *, draws: int = 20_000, seed: int = 0) -> PermutationTest:
    """Return how likely differences of this size are if both systems are equally good.

    If they are, each query might as well have given its two values the other way round. The test is
    two-sided, on the mean; queries without a difference say nothing and change nothing. Up to 16 others,
    all ways to sign them are counted; above, `draws` of them, the observed one counted too, so that p is
    never 0 and the test keeps its level. The same seed gives the same p for the same values in the same
    order, and for all of them negated.

    Args:
        differences: one for each query, value of one system minus that of the other.
        draws: of signs, where they are not all counted.

    Raises:
        InputError: no differences, or less than one draw.

    Source: Fisher, The Design of Experiments (1935), section 21; Smucker, Allan & Carterette, A Comparison
    of Statistical Significance Tests for Information Retrieval Evaluation (CIKM 2007); of counting the
    observed one, Phipson & Smyth, Permutation P-values Should Never Be Zero (2010).
    """
    if not len(differences) or draws < 1:
        raise InputError(
            f"expected a difference for each query and draws >= 1, got {len(differences)} and {draws}"
        )
    values = np.asarray(differences, np.float64)
    values = values[values != 0]
    # Sums of the same numbers in another order differ in their last digits: those still count as equal.
    least = abs(values.sum()) - 1e-9 * np.abs(values).sum()
    if len(values) <= _ENUMERATED:
        return PermutationTest(float((np.abs(_all_sums(values)) >= least).mean()), True, 2 ** len(values))
    beyond = _drawn_beyond(values, least, draws, np.random.default_rng(seed))
    return PermutationTest((beyond + 1) / (draws + 1), False, draws)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values raised so that all of them may be looked at together, in the same order.

    Calling significant what stays below alpha then errs anywhere among them with a chance of at most
    alpha, however the tests depend on each other.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure (1979).
    """
    raised = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        raised[index] = highest
    return raised


def _all_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (2^n,) sums of n values, under every choice of their signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums + value, sums - value))
    return sums


def _drawn_beyond(values: NDArray[np.float64], least: float, draws: int, rng: np.random.Generator) -> int:
    """Return how many draws of signs give a sum of at least that size."""
    width = 4 * -(
        -len(values) // 32
    )  # bytes that hold a sign for each value, in whole words of the generator
    block = max(1, _BITS_AT_ONCE // (8 * width))
    beyond = 0
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        drawn = np.frombuffer(rng.bytes(rows * width), np.uint8).reshape(rows, width)
        kept = np.unpackbits(drawn, axis=1, count=len(values)).astype(np.float64)
        beyond += int((np.abs(2 * (kept @ values) - values.sum()) >= least).sum())
    return beyond
