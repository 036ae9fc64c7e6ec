"""The ways to rank that an evaluation puts side by side, all from the same lanes' scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.scoring.mixture import MixtureParameters
from plait.search.comparing import evident
from plait.search.fusion import Method, fuse

BM25, TEXT, IMAGE = "bm25", "text", "image"
BASELINE_MODEL = "plait-mini"  # whose lanes these are, whatever model is evaluated
_THREE = (BM25, TEXT, IMAGE)


@dataclass(frozen=True, slots=True)
class System:
    """One way to rank.

    Attributes:
        name: for reports and file names.
        lanes: which lanes may speak.
        method: how they are combined; None where one lane speaks alone.
    """

    name: str
    lanes: tuple[str, ...]
    method: Method | None = None

    def scores(
        self, lanes: Mapping[str, NDArray[np.float32]], mixture: MixtureParameters | None = None
    ) -> NDArray[np.float32] | None:
        """Return (N,) scores, NaN where no lane speaks; None if the query asks none of the lanes.

        Args:
            lanes: lane name -> (N,) raw scores of one query, as of `search.fusion.fuse`.
        """
        heard = {name: lanes[name] for name in self.lanes if name in lanes}
        if not heard:
            return None
        if self.method is None:
            (fused,) = (scores.copy() for scores in heard.values())
        else:
            fused = fuse(heard, method=self.method, parameters=mixture)
        fused[~evident(heard)] = np.nan
        return fused


def baselines(lanes: Collection[str]) -> tuple[System, ...]:
    """Return what every evaluation prints beside a model, as far as there are lanes for it.

    BM25; the text backbone alone; image features alone; the sum of their z-scores; their rank fusion.
    """
    alone = [
        System(name, (lane,))
        for name, lane in (("BM25", BM25), ("text backbone", TEXT), ("image features", IMAGE))
        if lane in lanes
    ]
    three = tuple(lane for lane in _THREE if lane in lanes)
    both = [System("score sum", three, "zsum"), System("rank fusion", three, "rrf")] if len(three) > 1 else []
    return (*alone, *both)
