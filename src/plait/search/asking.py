"""One query put to the lanes it asks: what each says of every unit, of some, and of their parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.encode.base import Encoder
from plait.index.base import Mask, Scores, Snapshot
from plait.schema import Query
from plait.scoring.vectors import QueryVectors, VectorField

BM25 = "bm25"


@dataclass(frozen=True, slots=True)
class Asked:
    """A query of wanted parts, encoded, and the units it is compared with.

    Attributes:
        query: of texts and images with weights above 0.
        lanes: those to ask, in a fixed order.
        fields: the encoder's.
        vectors: of the query, in the fields among the lanes.
    """

    snapshot: Snapshot
    query: Query
    lanes: tuple[str, ...]
    fields: tuple[VectorField, ...]
    vectors: QueryVectors

    @classmethod
    def of(cls, query: Query, lanes: tuple[str, ...], encoder: Encoder, snapshot: Snapshot) -> Asked:
        """Return the query encoded; the encoder is left alone where only words are compared.

        Raises:
            QueryError: an image that cannot be opened.
        """
        if set(lanes) == {BM25}:
            return cls(snapshot, query, lanes, encoder.fields, QueryVectors())
        every = encoder.encode_query(query)
        vectors = {name: there for name, there in every.fields.items() if name in lanes}
        weights = {name: every.weights[name] for name in vectors}
        return cls(snapshot, query, lanes, encoder.fields, QueryVectors(vectors, weights))

    def rough_scores(self) -> tuple[dict[str, Scores], list[str]]:
        """Return lane -> (N,) scores, and which of the lanes are approximations.

        Raises:
            QueryError: a filter that cannot be meant.
        """
        mask = self._mask()
        scores: dict[str, Scores] = {}
        rough = []
        for lane in self.lanes:
            if lane == BM25:
                scores[lane] = self.snapshot.bm25(self.query.texts, self._shares(), mask)
            elif lane in self.vectors.fields:
                asked = self.vectors.fields[lane], self.vectors.weights[lane]
                scores[lane], is_exact = self.snapshot.rough_scores(lane, *asked, mask)
                rough += [] if is_exact else [lane]
        return scores, rough

    def scores(self) -> dict[str, Scores]:
        """Return lane -> (N,) exact scores.

        Raises:
            QueryError: a filter that cannot be meant.
        """
        scores, rough = self.rough_scores()
        for lane in rough:
            asked = self.vectors.fields[lane], self.vectors.weights[lane]
            scores[lane] = self.snapshot.field_scores(lane, *asked, self._mask())
        return scores

    def exact_scores(self, lane: str, rows: NDArray[np.intp]) -> Scores:
        """Return (rows,) the exact scores of some units in a vector field."""
        return self.snapshot.exact_scores(lane, self.vectors.fields[lane], self.vectors.weights[lane], rows)

    def item_scores(self, lane: str, rows: NDArray[np.intp]) -> list[Scores]:
        """Return, for each row, (items,) the exact scores of its items in a vector field."""
        asked = self.vectors.fields[lane], self.vectors.weights[lane]
        return self.snapshot.item_scores(lane, *asked, rows.tolist())

    def word_weights(self) -> dict[str, float]:
        """Return what each word of the texts counts, see `Snapshot.word_weights`."""
        return dict(self.snapshot.word_weights(self.query.texts, self._shares()))

    def _mask(self) -> Mask | None:
        return self.snapshot.mask(self.query.filters)

    def _shares(self) -> list[float]:
        total = sum(self.query.text_weights)
        return [weight / total for weight in self.query.text_weights]
