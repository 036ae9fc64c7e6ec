"""What an encoder is: units and queries in, named vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from plait.schema import Query, Unit
from plait.scoring.calibration import Calibration
from plait.scoring.mixture import MixtureParameters
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField


class Encoder(Protocol):
    """Turns units and queries into vectors that an index can compare.

    Attributes:
        name: what the user typed to get it: "plait-mini", a path, a hub id.
        fingerprint: changes whenever the vectors would; a library refuses another one.
        fields: the vector fields it fills.
        mixture: how its lanes and BM25 are best combined; None when that was never fitted.
        calibration: how likely its hits are good; None when that was never fitted.
        windows: windows so far that texts of units longer than the model reads were cut into; those of
            queries may be counted too.
        truncated: texts so far that were cut in spite of windows, so that words were not encoded; 0
            unless a tokenizer makes more tokens of a window than it made of the same words before.
    """

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def fields(self) -> tuple[VectorField, ...]: ...
    @property
    def mixture(self) -> MixtureParameters | None: ...
    @property
    def calibration(self) -> Calibration | None: ...
    @property
    def windows(self) -> int: ...
    @property
    def truncated(self) -> int: ...

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        """Return the vectors of each unit, in order; pictures are opened from their paths."""
        ...

    def encode_query(self, query: Query) -> QueryVectors:
        """Return the vectors of a query.

        Raises:
            QueryError: an image that is missing, is not an image, or holds too many pixels.
        """
        ...
