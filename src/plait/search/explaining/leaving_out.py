"""What the lanes say of a hit when something of the query is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from plait.encode.base import Encoder
from plait.index.base import Scores
from plait.schema import Query
from plait.scoring.vectors import QueryVectors, VectorField, Vectors
from plait.search.asking import BM25, Asked
from plait.search.explaining.asked_parts import Left
from plait.search.explaining.trials import mean
from plait.search.kinds import named_part
from plait.search.ranking import Place

SAMPLE = 128  # units beside the hit; four times as many move no share by a hundredth
_LEAST = 1e-6  # BM25 of a hit that is tried: at 0, it would not be found at all


@dataclass(frozen=True)
class LeavingOut:
    """One hit, and some other units that tell what is usual.

    A part of the query that all units match alike says nothing of any. So a lane without the part says of
    the hit what it says of units usually, and what the other parts add to that.

    Attributes:
        asked: the wanted parts.
        lanes: lane -> (N,) scores.
    """

    asked: Asked
    encoder: Encoder
    lanes: Mapping[str, Scores]
    place: Place

    def said(self, left: Left) -> dict[str, float]:
        """Return lane -> what it says of the hit without some parts of the query.

        Lanes that do not ask those parts are not there.
        """
        changed = {lane: self._scores(lane, left) for lane in self.place.lanes if self._asks(lane, left)}
        return {lane: self._centred(lane, scores) for lane, scores in changed.items()}

    def usual(self, lane: str) -> float:
        """Return what a lane says of a unit on average; 0 where it says nothing of any other."""
        if lane not in self._usual:
            scores = self.lanes[lane][self._others]
            if lane != BM25:  # which may be rough
                scores = self.asked.exact_scores(lane, self._others)
            self._usual[lane] = mean(scores)
        return self._usual[lane]

    def _centred(self, lane: str, scores: Scores) -> float:
        score = self.usual(lane) + float(scores[0]) - mean(scores[1:])
        return max(score, _LEAST) if lane == BM25 else score

    def _asks(self, lane: str, left: Left) -> bool:
        asks = "text" if lane == BM25 else self._fields[lane].asks
        return bool((left.texts and asks != "image") or (left.images and asks != "text"))

    def _scores(self, lane: str, left: Left) -> Scores:
        """Return (1 + others,) what a lane says without some parts, the hit's first."""
        if lane == BM25:
            return self._words(left)
        vectors, weights = self.asked.vectors.fields[lane], self.asked.vectors.weights[lane]
        gone = self._gone(self._fields[lane], left, len(vectors))
        if gone is None:
            vectors, weights = self._encoded(lane, left)
        else:
            weights = weights * np.array([place not in gone for place in range(len(vectors))], np.float32)
        if not weights.any():
            return np.zeros(1 + len(self._others), np.float32)
        others = self.asked.snapshot.exact_scores(lane, vectors, weights, self._others)
        return np.concatenate([[self._of_hit(lane, vectors, weights)], others]).astype(np.float32)

    def _words(self, left: Left) -> Scores:
        query = self.asked.query
        total = sum(query.text_weights)
        kept = [place for place in range(len(query.texts)) if place not in left.texts]
        if not kept:
            return np.zeros(1 + len(self._others), np.float32)
        rows = np.concatenate([[self.place.row], self._others]).astype(np.intp)
        mask = np.zeros(len(self.asked.snapshot), np.bool_)
        mask[rows] = True
        texts, weights = [query.texts[p] for p in kept], [query.text_weights[p] / total for p in kept]
        scores = self.asked.snapshot.bm25(texts, weights, mask)[rows]
        whole = float(self.lanes[BM25][self.place.row])
        if self.place.part and whole:  # of the unit's words, the part's share
            scores[0] *= self.place.lanes[BM25] / whole
        return scores

    def _of_hit(self, lane: str, vectors: Vectors, weights: Vectors) -> float:
        """Return what a lane says of the hit: the best of its part's own items, or of its unit's."""
        snapshot, row = self.asked.snapshot, self.place.row
        if mine := self._items[self._fields[lane].items]:
            items = snapshot.item_scores(lane, vectors, weights, [row])[0]
            return float(max(items[place] for place in mine))
        return float(snapshot.exact_scores(lane, vectors, weights, np.array([row]))[0])

    @cached_property
    def _items(self) -> dict[str, tuple[int, ...]]:
        """Which of the unit's passages and figures are those of the part that is the hit; all where none."""
        if not self.place.part:
            return {"passage": (), "figure": (), "unit": ()}
        ((unit, _),) = self.asked.snapshot.units([self.place.row])
        part = named_part(unit, self.place.part)
        return {
            "passage": part.passages,
            "figure": () if part.figure is None else (part.figure,),
            "unit": () if part.figure is None else (part.figure,),
        }

    def _gone(self, field: VectorField, left: Left, count: int) -> frozenset[int] | None:
        """Return which of a field's query parts are left out; None where they are read with others."""
        query = self.asked.query
        by_image = field.asks == "image" or (field.asks == "joint" and not query.texts)
        parts, gone = (query.images, left.images) if by_image else (query.texts, left.texts)
        if field.asks == "joint" and query.images and query.texts:
            return None
        return gone if len(parts) == count and (by_image or field.asks == "text") else None

    def _encoded(self, lane: str, left: Left) -> tuple[Vectors, Vectors]:
        """Return the vectors of the query without some parts, and their weights: 0 where nothing is left."""
        if left not in self._encodings:
            query = without(self.asked.query, left)
            self._encodings[left] = QueryVectors() if query is None else self.encoder.encode_query(query)
        found = self._encodings[left]
        if lane in found.fields:
            return found.fields[lane], found.weights[lane]
        return self.asked.vectors.fields[lane], np.zeros_like(self.asked.vectors.weights[lane])

    @cached_property
    def _usual(self) -> dict[str, float]:
        return {}

    @cached_property
    def _encodings(self) -> dict[Left, QueryVectors]:
        return {}

    @cached_property
    def _fields(self) -> dict[str, VectorField]:
        return {field.name: field for field in self.asked.fields}

    @cached_property
    def _others(self) -> NDArray[np.intp]:
        """Rows of other units from all over those that some lane speaks of."""
        there = np.flatnonzero(~np.all([np.isnan(scores) for scores in self.lanes.values()], axis=0))
        there = there[there != self.place.row]
        some: NDArray[np.intp] = there[
            np.linspace(0, len(there) - 1, min(SAMPLE, len(there))).astype(np.intp)
        ]
        return some


def without(query: Query, left: Left) -> Query | None:
    """Return a query without some of its texts and images; None if nothing is left."""
    texts = [place for place in range(len(query.texts)) if place not in left.texts]
    images = [place for place in range(len(query.images)) if place not in left.images]
    if not texts and not images:
        return None
    return replace(
        query,
        texts=tuple(query.texts[place] for place in texts),
        text_weights=tuple(query.text_weights[place] for place in texts),
        images=tuple(query.images[place] for place in images),
        image_weights=tuple(query.image_weights[place] for place in images),
        image_boxes=tuple(query.image_boxes[place] for place in images),
    )
