"""ReT and ReT-2 as models of sentence-transformers; needs the extra "embedders"."""

# ruff: noqa: E402  # whoever lacks the package must meet our message before any import of it fails
from __future__ import annotations

from plait.extras import require

require("sentence_transformers")

from plait.encode.st.encoders import RetMultiVectorEncoder, RetSentenceTransformer
from plait.encode.st.module import RetModule

__all__ = ["RetModule", "RetMultiVectorEncoder", "RetSentenceTransformer"]
