"""A copy of a library's index in memory, with some units changed: what its own questions are asked of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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
Told = Callable[[int, int], None]
_ENCODED_AT_ONCE = 32


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
        cls,
        searcher: Searcher,
        rung: Rung,
        rows: Rows,
        units: Sequence[Unit],
        changed: Mapping[str, Unit],
        *,
        told: Told = lambda done, total: None,
    ) -> IndexCopy:
        """Return the copy of some units of a library.

        Args:
            searcher: the library's.
            rung: how the library keeps its vectors.
            rows: (N,) the units' rows in the searcher's snapshot, ascending; of a document all or none.
            units: those rows, with absolute picture paths.
            changed: unit id -> the unit as it is in the copy.
            told: how many units are encoded, and of how many.
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
            _encoded([left[place] for place in places], searcher.encoder, fields, told),
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


@dataclass(frozen=True, slots=True)
class BesideLanes:
    """What lanes of another model, which no library holds, say of N units: those of the baselines.

    Attributes:
        encoder: the other model.
    """

    encoder: Encoder
    _vectors: Mapping[str, MultiVectors]

    @classmethod
    def of(
        cls,
        units: Sequence[Unit],
        encoder: Encoder,
        lanes: Collection[str],
        *,
        told: Told = lambda done, total: None,
    ) -> BesideLanes:
        """Return some of a model's lanes over units, which are all encoded for it.

        Args:
            told: how many units are encoded, and of how many.
        """
        fields = [field for field in encoder.fields if field.name in lanes]
        return cls(encoder, _encoded(units, encoder, fields, told))

    @property
    def lanes(self) -> tuple[str, ...]:
        """Those there are."""
        return tuple(self._vectors)

    def scores(self, query: Query) -> dict[str, Scores]:
        """Return lane -> (N,) scores of the lanes that the query asks, NaN where a unit has nothing."""
        asked = self.encoder.encode_query(query)
        return {
            lane: held.scores(asked.fields[lane], asked.weights[lane])
            for lane, held in self._vectors.items()
            if lane in asked.fields
        }


def _encoded(
    units: Sequence[Unit], encoder: Encoder, fields: Sequence[VectorField], told: Told
) -> dict[str, MultiVectors]:
    """Return field -> the vectors of some units, as a library keeps them."""
    found: dict[str, list[NDArray[np.float32]]] = {field.name: [] for field in fields}
    for first in range(0, len(units), _ENCODED_AT_ONCE):
        told(first, len(units))
        for unit in encoder.encode_units(units[first : first + _ENCODED_AT_ONCE]):
            for field in fields:
                found[field.name].append(_as_kept(unit, field))
    return {
        field.name: MultiVectors.of(found[field.name], tokens=field.tokens_kept, width=field.width)
        for field in fields
    }


def _as_kept(unit: UnitVectors, field: VectorField) -> NDArray[np.float32]:
    empty = np.empty((0, field.tokens, field.width), np.float32)
    codes = kept(unit.fields.get(field.name, empty), field.kept)
    return restored(codes, field.kept, field.width).astype(np.float32)
