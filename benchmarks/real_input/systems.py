"""The ways to rank that the benchmark puts side by side, all from the same lane scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plait.index.base import Scores
from plait.scoring.mixture import MixtureParameters
from plait.search.fusion import Method, fuse
from plait.search.searcher import evident


@dataclass(frozen=True, slots=True)
class System:
    """One way to rank.

    Attributes:
        lanes: which lanes may speak; () means all there are.
        method: how they are combined; None where one lane speaks alone.
    """

    name: str
    lanes: tuple[str, ...]
    method: Method | None

    def scores(self, lanes: Mapping[str, Scores], mixture: MixtureParameters | None) -> Scores | None:
        """Return (N,) scores, NaN where no lane speaks; None if the query asks no lane of these."""
        heard = {name: scores for name, scores in lanes.items() if not self.lanes or name in self.lanes}
        if not heard:
            return None
        if self.method is None:
            (fused,) = (scores.copy() for scores in heard.values())
        else:
            fused = fuse(heard, method=self.method, parameters=mixture)
        fused[~evident(heard)] = np.nan
        return fused


DEFAULT = System("plait's default", (), "gated")
BASELINE = System("sum of z-scores: BM25 + MiniLM + image vector", ("bm25", "text", "image"), "zsum")
SYSTEMS = (
    System("BM25", ("bm25",), None),
    System("MiniLM", ("text",), None),
    System("image vector", ("image",), None),
    System("image tokens", ("image_tokens",), None),
    System("rank fusion: BM25 + MiniLM + image vector", ("bm25", "text", "image"), "rrf"),
    BASELINE,
    System("sum of z-scores: all lanes", (), "zsum"),
    DEFAULT,
)
