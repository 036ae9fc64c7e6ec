"""What there is to choose from: a field's values among some units, counted exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Mask
from plait.index.filters import Filterable
from plait.schema import Facet, FacetCount, FieldInfo


def facet(units: Filterable, field: str, mask: Mask | None, *, most: int = 50) -> Facet:
    """Return the values of a field among some units; a unit under several headings has each of them.

    Args:
        mask: (N,) the units to look at; None means all.
        most: values listed at most, those of most documents first.

    Raises:
        QueryError: no stored document has the field.
    """
    column, every, places = units.valued(field)
    there = every >= 0 if mask is None else (every >= 0) & mask[places]
    codes, places = every[there].astype(np.int64), places[there]
    size = len(column.texts)
    of_units = _distinct(codes, places, size)
    of_documents = _distinct(codes, units.owners[places], size)
    present = np.flatnonzero(of_units)
    texts = column.texts.take(present).to_pylist()
    ranked = sorted(
        zip(texts, of_units[present].tolist(), of_documents[present].tolist(), strict=True),
        key=lambda one: (-one[2], -one[1], one[0]),
    )
    counts = tuple(FacetCount(value, n_units, n_documents) for value, n_units, n_documents in ranked[:most])
    return Facet(field, counts, max(0, len(ranked) - most))


def count(units: Filterable, mask: Mask | None) -> tuple[int, int]:
    """Return how many units, and how many documents with such units, a mask lets through."""
    owners = units.owners if mask is None else units.owners[mask]
    return len(owners), _runs(owners)  # units stand by documents


def field_info(units: Filterable, field: str) -> FieldInfo:
    """Return what a field holds.

    Raises:
        QueryError: no stored document has it.
    """
    column, _, _ = units.valued(field)
    least, greatest = column.ends
    return FieldInfo(field, column.kind, len(column.texts), least, greatest)


def _distinct(codes: NDArray[np.int64], things: NDArray[np.integer[Any]], size: int) -> NDArray[np.int64]:
    """Return (size,) how many different things have each code."""
    if not len(codes):
        return np.zeros(size, np.int64)
    base = int(things.max()) + 1
    pairs = codes * base + things
    pairs.sort()  # NumPy's `unique` counts integers by a hash table, which takes ten times as long
    first = np.diff(pairs, prepend=-1) != 0
    counted: NDArray[np.int64] = np.bincount(pairs[first] // base, minlength=size)
    return counted


def _runs(ascending: NDArray[np.integer[Any]]) -> int:
    """Return how many different numbers there are."""
    return int(np.count_nonzero(np.diff(ascending))) + 1 if len(ascending) else 0
