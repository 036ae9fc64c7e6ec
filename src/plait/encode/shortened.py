"""Matryoshka models at a smaller size: the first tokens, and of each vector the first numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from plait.encode.base import Encoder
from plait.errors import ModelError
from plait.schema import Query, Unit
from plait.scoring.calibration import Calibration
from plait.scoring.mixture import MixtureParameters
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField, Vectors


@dataclass(frozen=True)
class ShortenedEncoder:
    """Another encoder's vectors, cut short: their first `tokens`, of each the first `width` numbers.

    What is left is made unit length again. Made for models trained to be cut (see `train.objectives`); of
    others, the first numbers say little. Search then costs, and the library takes, tokens x width in place
    of what the whole does.

    Attributes:
        whole: the encoder, of a single field.
        tokens, width: what is kept.

    Raises:
        ModelError: the encoder has several fields, or makes fewer tokens or numbers.

    Source: Kusupati et al., Matryoshka Representation Learning (arXiv 2205.13147).
    """

    whole: Encoder
    tokens: int
    width: int

    def __post_init__(self) -> None:
        fields = self.whole.fields
        if len(fields) != 1:
            names = ", ".join(field.name for field in fields)
            raise ModelError(
                f"{self.whole.name} cannot be cut to {self.tokens}x{self.width}: only models of one vector "
                f"field can, this one has {names}"
            )
        if not (1 <= self.tokens <= fields[0].tokens and 1 <= self.width <= fields[0].width):
            raise ModelError(
                f"{self.whole.name} cannot be cut to {self.tokens}x{self.width}: it makes "
                f"{fields[0].tokens} tokens of {fields[0].width} numbers; ask for as many or fewer"
            )

    @property
    def name(self) -> str:
        """The name that `load_encoder` takes: the whole encoder's with "@8x64"."""
        return f"{self.whole.name}@{self.tokens}x{self.width}"

    @property
    def fingerprint(self) -> str:
        return f"{self.whole.fingerprint}@{self.tokens}x{self.width}"

    @cached_property
    def fields(self) -> tuple[VectorField, ...]:
        return (replace(self.whole.fields[0], tokens=self.tokens, width=self.width),)

    @property
    def mixture(self) -> MixtureParameters | None:
        return self.whole.mixture

    @property
    def calibration(self) -> Calibration | None:
        return self.whole.calibration

    @property
    def windows(self) -> int:
        return self.whole.windows

    @property
    def truncated(self) -> int:
        return self.whole.truncated

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        """Return the vectors of each unit, in order."""
        return [
            UnitVectors({name: self._cut(vectors) for name, vectors in unit.fields.items()})
            for unit in self.whole.encode_units(units)
        ]

    def encode_query(self, query: Query) -> QueryVectors:
        """Return the vectors of a query; see `Encoder`."""
        vectors = self.whole.encode_query(query)
        fields = {name: _as_means(self._cut(values)) for name, values in vectors.fields.items()}
        return QueryVectors(fields, vectors.weights)

    def _cut(self, vectors: Vectors) -> Vectors:
        """Cut (n, tokens, width); a vector of zeros stays one."""
        cut = vectors[:, : self.tokens, : self.width]
        lengths = np.linalg.norm(cut, axis=2, keepdims=True)
        shortened: Vectors = np.divide(cut, lengths, out=np.zeros_like(cut), where=lengths > 0)
        return shortened


def _as_means(query: Vectors) -> Vectors:
    """Lengthen the tokens of parts that zeros fill, as `QueryVectors` has them."""
    there = (np.abs(query).max(axis=2) > 0).sum(axis=1)
    means: Vectors = query * (query.shape[1] / np.maximum(there, 1)).astype(np.float32)[:, None, None]
    return means


def size_in(name: str) -> tuple[str, tuple[int, int] | None]:
    """Return a model's name without a size at its end, and the size: "ret@8x64" is ("ret", (8, 64))."""
    found = _SIZE.fullmatch(name)
    if found is None:
        return name, None
    return found["name"], (int(found["tokens"]), int(found["width"]))


_SIZE = re.compile(r"(?P<name>.+)@(?P<tokens>\d+)x(?P<width>\d+)")
