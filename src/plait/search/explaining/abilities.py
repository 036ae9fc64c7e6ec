"""What an encoder may tell of itself beyond its vectors; one that cannot is explained with less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from plait.schema import Query, Unit
from plait.scoring.vectors import QueryVectors

WordProduct = tuple[int, int, float]  # first character of a token, the one after its last, what it adds


@runtime_checkable
class ReadsWords(Protocol):
    """An encoder that knows which words of a passage make it similar to a query."""

    def word_products(self, asked: QueryVectors, unit: Unit, passage: str) -> Sequence[WordProduct]:
        """Return what each token of one of a unit's passages adds to its similarity, in order.

        That is about how much the cosine falls without the token; below 0 where it rises. Empty where the
        encoder cannot tell.

        Args:
            asked: the query, as the encoder made it.
        """
        ...


@runtime_checkable
class KnowsPlaces(Protocol):
    """An encoder whose token vectors stand for places in a picture."""

    def token_grid(self, field: str) -> tuple[int, int] | None:
        """Return the rows and columns of a field's tokens, row by row from the top left; None without."""
        ...


@runtime_checkable
class HasGates(Protocol):
    """An encoder with a recurrent cell, whose gates say how much of each side it lets in."""

    def gates(self, query: Query) -> Mapping[str, float]:
        """Return the mean input gate of "text" and "image", in [0, 1]; of a side that is not there, none."""
        ...
