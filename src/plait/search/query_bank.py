"""Queries made of a library's own units, and what its vector fields say of them.

Of up to 64 units all over the library the first words are asked, and of as many the first figure. Words are
encoded as any query is; figures are asked by the vectors that are stored of them. Where a field is too large
to be held in memory, its rough scores are taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from plait.encode.base import Encoder
from plait.index.base import ItemKind, Scores, Snapshot
from plait.schema import Query, Unit
from plait.scoring.vectors import QueryVectors, Vectors

_SIZE = 64
_WORDS = 20  # about a sentence
Asked = tuple[int, Vectors]  # the row that a query was made of; (1, tokens, width)


def bank_scores(encoder: Encoder, snapshot: Snapshot) -> Iterator[tuple[str, Scores]]:
    """Yield vector fields and (B, N) scores, NaN for nothing and for the unit a query was made of.

    Fields of which the library has nothing to ask are left out. Memory: 256 bytes a unit, for one field at
    a time.
    """
    worded = _worded(encoder, snapshot)
    for field in encoder.fields:
        if field.asks == "image":
            bank = _figures(field.name, snapshot)
        else:
            bank = [(row, one.fields[field.name]) for row, one in worded if field.name in one.fields]
        if bank:
            yield field.name, _scores(field.name, bank, snapshot)


def _worded(encoder: Encoder, snapshot: Snapshot) -> list[tuple[int, QueryVectors]]:
    rows = _spread(snapshot, "passage")
    first = [_first_words(unit) for unit, _ in snapshot.units(rows)]
    asked = [(row, Query.of(text)) for row, text in zip(rows, first, strict=True) if text]
    return [(row, encoder.encode_query(query)) for row, query in asked]


def _first_words(unit: Unit) -> str:
    """Return none of a unit of headings alone, which an encoder may read too."""
    return " ".join(word for passage in unit.passages[:1] for word in passage.text.split()[:_WORDS])


def _figures(field: str, snapshot: Snapshot) -> list[Asked]:
    rows = _spread(snapshot, "figure")
    stored = snapshot.item_vectors(field, rows)
    return [(row, items[:1]) for row, items in zip(rows, stored, strict=True) if len(items)]


def _spread(snapshot: Snapshot, items: ItemKind) -> Sequence[int]:
    """Return rows of units that have such items, all over the library."""
    rows = np.flatnonzero(snapshot.holding(items))
    some: list[int] = rows[np.linspace(0, len(rows) - 1, min(_SIZE, len(rows))).astype(np.intp)].tolist()
    return some


def _scores(field: str, bank: Sequence[Asked], snapshot: Snapshot) -> Scores:
    whole = np.ones(1, np.float32)
    scores = np.stack([snapshot.rough_scores(field, query, whole)[0] for _, query in bank])
    scores[np.arange(len(bank)), [row for row, _ in bank]] = np.nan
    return scores
