"""What a lane's scores are like over a whole pool, taken in one pass: mean and deviation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_SCORES = 2**22  # in double precision at a time; 32 MB


class Moments(NamedTuple):
    """What a lane's scores are for Q queries, over the candidates that have the lane.

    The sums are of double precision, the scores in them of single: the last digits depend on how the
    pool was cut.

    Attributes:
        mean, deviation: (Q,); 0 where no candidate has the lane.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


class Running:
    """The moments of R rows so far.

    Source: Chan, Golub & LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances
    (1979).
    """

    def __init__(self, rows: int) -> None:
        self._count = 0
        self._mean, self._squares = (torch.zeros(rows, dtype=torch.float64) for _ in range(2))

    def add(self, scores: Tensor) -> None:
        """Take in (R, n) scores of more candidates; none is NaN."""
        count = scores.shape[1]
        if not count:
            return
        parts = torch.split(scores, max(1, _SCORES // count))
        of_parts = [torch.var_mean(part.double(), dim=1, correction=0) for part in parts]
        variance, mean = (torch.cat(some).cpu() for some in zip(*of_parts, strict=True))
        together, apart = self._count + count, mean - self._mean
        self._mean += apart * (count / together)
        self._squares += variance * count + apart**2 * (self._count * count / together)
        self._count = together

    def moments(self) -> Moments:
        """Return what they are."""
        return Moments(self._mean.numpy(), (self._squares / max(1, self._count)).sqrt().numpy())
