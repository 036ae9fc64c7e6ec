"""The best of a stream of scores, the same however the stream is cut: equal scores go by place."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_LAST = 2**32 - 1  # the largest place
_SCORES = 2**22  # looked at together; of each comes a key of 8 bytes, and where it stands


class Best:
    """(R, K) highest scores so far, and whose they are; of equal scores the smaller place is better.

    A score and its place are kept as one 64-bit key, whose order is that of both: the upper half is the
    score's bits, read as a number that ascends with it; the lower half counts places down.

    Args:
        rows: R.
        count: K.
    """

    def __init__(self, rows: int, count: int) -> None:
        nothing = _keys(torch.tensor([-torch.inf]), torch.tensor([0]))
        self._keys = nothing.repeat(rows, count)

    def keep(self, scores: Tensor, first: int, rows: slice = slice(None)) -> None:
        """Take in (Q, N) scores of some rows for the places from `first` on; -inf for those that may not be.

        Places come in ascending order, and no score is NaN. The best are kept on the scores' device.
        """
        self._keys = self._keys.to(scores.device)
        at_once = max(1, _SCORES // max(1, scores.shape[1]))
        parts = zip(torch.split(self._keys[rows], at_once), torch.split(scores, at_once), strict=True)
        for keys, some in parts:
            _take(keys, some, first)

    def sorted(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (R, K) places and scores, best first; place 0 and score -inf where there are fewer."""
        keys = self._keys.sort(dim=1, descending=True).values.cpu()
        return (_LAST - (keys & _LAST)).numpy(), _scores(keys).numpy()


def _take(keys: Tensor, scores: Tensor, first: int) -> None:
    """Change (R, K) keys for (R, N) scores."""
    worst = _scores(keys.amin(dim=1))
    rows, columns = (scores > worst[:, None]).nonzero(as_tuple=True)  # equal ones lose by their place
    if not len(rows):
        return
    counts = torch.bincount(rows, minlength=len(scores))
    nth = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    better = keys.new_full((len(scores), int(counts.max())), torch.iinfo(torch.int64).min)
    better[rows, nth] = _keys(scores[rows, columns], columns + first)
    keys.copy_(torch.cat([keys, better], dim=1).topk(keys.shape[1], dim=1, sorted=False).values)


def _keys(scores: Tensor, places: Tensor) -> Tensor:
    """Return int64 keys."""
    bits = (scores + 0.0).view(torch.int32)  # -0 + 0 is 0
    return (_ascending(bits).long() << 32) | (_LAST - places)


def _scores(keys: Tensor) -> Tensor:
    """Return the float32 scores that are in keys."""
    return _ascending((keys >> 32).int()).view(torch.float32)


def _ascending(bits: Tensor) -> Tensor:
    """Return the bits of float32 as integers in the same order, or the other way round."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)
