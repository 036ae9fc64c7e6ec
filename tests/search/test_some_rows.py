"""What some units score among all, without the others being scored again."""

from __future__ import annotations

import numpy as np
import pytest

from plait.scoring.mixture import MixtureParameters
from plait.search.fusion import Method
from plait.search.scale import Fusing


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
@pytest.mark.parametrize("asked", [("text", "bm25", "figure_words"), ("figure_words",), ("text", "image")])
def test_some_units_score_what_they_score_among_all(method: Method, asked: tuple[str, ...]) -> None:
    rng = np.random.default_rng(1)
    lanes = {name: rng.random(3000).astype(np.float32) for name in asked}
    for name, scores in lanes.items():
        scores[rng.random(3000) < (0.9 if name == "figure_words" else 0.1)] = np.nan
    fusing = Fusing(method, MixtureParameters(figure_words=40.0, figure_bias=-1.0), None)
    rows = np.sort(rng.choice(3000, 200, replace=False))
    some = fusing.on_scale({name: scores[rows] for name, scores in lanes.items()}, lanes)
    np.testing.assert_allclose(some, fusing.fused(lanes)[rows], rtol=1e-6)
