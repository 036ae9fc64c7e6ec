"""One query put to the lanes it asks: what each says of every unit, of some, and of their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Mask, Scores, Snapshot
from plait.schema import Query
from plait.scoring.vectors import QueryVectors, VectorField
from plait.search.meeting import Meeting

BM25 = "bm25"


@dataclass(frozen=True, slots=True)
class Asked:
    """A query of wanted parts, encoded, and the units it is compared with.

    Attributes:
        query: of texts and images with weights above 0.
        lanes: those to ask, in a fixed order.
        fields: the encoder's.
        vectors: of the query, in the fields among the lanes.
        rough: what some of the lanes roughly say already, where no filter leaves any unit out.
    """

    snapshot: Snapshot
    query: Query
    lanes: tuple[str, ...]
    fields: tuple[VectorField, ...]
    vectors: QueryVectors
    rough: Mapping[str, tuple[Scores, bool]] = field(default_factory=dict)

    @classmethod
    def of(cls, query: Query, lanes: tuple[str, ...], meeting: Meeting) -> Asked:
        """Return the query encoded; the encoder is left alone where only words are compared.

        Raises:
            QueryError: an image that cannot be opened.
        """
        encoder, snapshot = meeting.encoder, meeting.snapshot
        if set(lanes) == {BM25}:
            return cls(snapshot, query, lanes, encoder.fields, QueryVectors())
        found = meeting.compared(query, lanes)
        return cls(snapshot, query, lanes, encoder.fields, found.vectors, found.rough)

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
            elif lane in self.rough:
                there, is_exact = self.rough[lane]
                scores[lane] = there.copy()  # the caller makes the best of them exact
                rough += [] if is_exact else [lane]
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
