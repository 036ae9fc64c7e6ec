"""A copy of a library's index in memory, with some units changed: what its own questions are asked of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plait.encode.base import Encoder
from plait.index.base import Scores, Snapshot
from plait.index.multi_vector import MultiVectors
from plait.index.surroundings import SurroundedBm25
from plait.schema import Query, Unit
from plait.scoring.keeping import kept, restored
from plait.scoring.vectors import Rung, UnitVectors, VectorField
from plait.search.searcher import BM25, Searcher

Rows = NDArray[np.intp]
_ENCODED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class IndexCopy:
    """N units and what each lane says of them; nothing is written anywhere.

    Vectors of units that stayed as they are come from the library, so they are the very same; changed units
    are encoded anew and kept as the library keeps vectors. Words are counted over the copy.

    Attributes:
        units: in the library's order.
        encoder: the library's.
    """

    units: Sequence[Unit]
    encoder: Encoder
    _stored: Snapshot
    _rows: Rows
    _changed: Rows
    _anew: Mapping[str, MultiVectors]
    _bm25: SurroundedBm25

    @classmethod
    def of(
        cls, searcher: Searcher, rung: Rung, rows: Rows, units: Sequence[Unit], changed: Mapping[str, Unit]
    ) -> IndexCopy:
        """Return the copy of some units of a library.

        Args:
            searcher: the library's.
            rung: how the library keeps its vectors.
            rows: (N,) the units' rows in the searcher's snapshot, ascending; of a document all or none.
            units: those rows, with absolute picture paths.
            changed: unit id -> the unit as it is in the copy.
        """
        places = [place for place, unit in enumerate(units) if unit.id in changed]
        left = [changed.get(unit.id, unit) for unit in units]
        fields = [replace(field, kept=rung) for field in searcher.encoder.fields]
        return cls(
            left,
            searcher.encoder,
            searcher.snapshot,
            rows,
            np.array(places, np.intp),
            _encoded([left[place] for place in places], searcher.encoder, fields),
            SurroundedBm25.of(left, language=searcher.snapshot.language),
        )

    @property
    def lanes(self) -> tuple[str, ...]:
        """Every lane there is."""
        return (BM25, *(field.name for field in self.encoder.fields))

    def scores(self, query: Query) -> dict[str, Scores]:
        """Return what each lane that the query asks says of every unit, as `Searcher.scores` does.

        Returns:
            Lane -> (N,) exact scores, NaN where a unit has nothing to compare.
        """
        scores: dict[str, Scores] = {}
        if query.texts:
            total = sum(query.text_weights)
            scores[BM25] = self._bm25.scores(query.texts, [weight / total for weight in query.text_weights])
        asked = self.encoder.encode_query(query)
        mask = None
        if len(self._rows) < len(self._stored):
            mask = np.zeros(len(self._stored), np.bool_)
            mask[self._rows] = True
        for lane, vectors in asked.fields.items():
            weights = asked.weights[lane]
            scores[lane] = self._stored.field_scores(lane, vectors, weights, mask)[self._rows]
            scores[lane][self._changed] = self._anew[lane].scores(vectors, weights)
        return scores


def _encoded(
    units: Sequence[Unit], encoder: Encoder, fields: Sequence[VectorField]
) -> dict[str, MultiVectors]:
    """Return field -> the vectors of some units, as a library keeps them."""
    found: list[UnitVectors] = []
    for first in range(0, len(units), _ENCODED_AT_ONCE):
        found += encoder.encode_units(units[first : first + _ENCODED_AT_ONCE])
    return {
        field.name: MultiVectors.of(
            [_as_kept(unit, field) for unit in found], tokens=field.tokens_kept, width=field.width
        )
        for field in fields
    }


def _as_kept(unit: UnitVectors, field: VectorField) -> NDArray[np.float32]:
    empty = np.empty((0, field.tokens, field.width), np.float32)
    codes = kept(unit.fields.get(field.name, empty), field.kept)
    return restored(codes, field.kept, field.width).astype(np.float32)
