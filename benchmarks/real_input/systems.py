"""The ways to rank that the benchmark puts side by side, all from the same lane scores."""

from __future__ import annotations

from plait.evaluation.systems import System

LANES = ("bm25", "text", "image", "image_tokens", "figure_words")  # all that plait-mini has
DEFAULT = System("plait's default", LANES, "gated")
BASELINE = System("sum of z-scores: BM25 + MiniLM + image vector", ("bm25", "text", "image"), "zsum")
SYSTEMS = (
    System("BM25", ("bm25",)),
    System("MiniLM", ("text",)),
    System("image vector", ("image",)),
    System("image tokens", ("image_tokens",)),
    System("rank fusion: BM25 + MiniLM + image vector", ("bm25", "text", "image"), "rrf"),
    BASELINE,
    System("sum of z-scores: all lanes", LANES, "zsum"),
    DEFAULT,
)
