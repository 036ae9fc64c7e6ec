"""Named vector fields: what an encoder makes of a unit or a query, and an index stores and scans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Rung = Literal["float16", "int8", "pooled", "binary"]
POOLED_TOKENS = 8  # vectors an item on the rung of that name


@dataclass(frozen=True, slots=True)
class VectorField:
    """One kind of vectors that every unit may hold.

    Attributes:
        name: column and lane name: "text", "image", "image_tokens", "ret".
        width: d, numbers a vector.
        tokens: vectors an item; 1 for a single vector compared by dot product.
        items: what one item stands for. A unit's score is the best over its items.
        asks: which side of a query this field answers: its "text", its "image", or the two fused
            ("joint").
        kept: how a library keeps its vectors; see `scoring.keeping`.
    """

    name: str
    width: int
    tokens: int
    items: Literal["passage", "figure", "unit"]
    asks: Literal["text", "image", "joint"]
    kept: Rung = "float16"

    @property
    def tokens_kept(self) -> int:
        """Vectors an item in the library."""
        return min(self.tokens, POOLED_TOKENS) if self.kept == "pooled" else self.tokens

    def float32_bytes(self, items: int) -> int:
        """Return how much memory so many items take as float32, to be scanned exactly."""
        return items * self.tokens_kept * self.width * 4


@dataclass(frozen=True, slots=True)
class UnitVectors:
    """The vectors of one unit: field name -> (items, tokens, width), unit length; items may be 0."""

    fields: Mapping[str, Vectors]


@dataclass(frozen=True, slots=True)
class QueryVectors:
    """The vectors of one query.

    Attributes:
        fields: field name -> (parts, tokens, width), unit length; one part for each text or image
            asked with. A field the query does not ask is absent. Where parts have unequally many tokens,
            zeros fill the shorter, whose vectors are longer by the same factor, so that the mean over
            tokens stays the part's own.
        weights: field name -> (parts,), positive, summing to 1.
    """

    fields: Mapping[str, Vectors] = field(default_factory=dict)
    weights: Mapping[str, Vectors] = field(default_factory=dict)
