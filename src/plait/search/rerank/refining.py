"""A query moved, at the time of the search, towards what two lanes agree on among the first places.

Of the candidates, with s(q) the scores of one lane for the query's vectors q, and g those of another, its
guide, both in deviations over the candidates as q was at first,

    p(q) = softmax(sharpness s(q)),   c = (p(q0) + softmax(sharpness g)) / 2,   loss(q) = sum c log(c / p(q)),

a few steps against the gradient move q on the sphere where unit vectors lie; what s then says is the score.
As s is a maximum over items and their tokens, its gradient is the vectors that were the best.

Source: Guided Query Refinement (arXiv 2510.05038), where c follows p at each step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.index.base import Scores
from plait.scoring.vectors import VectorField, Vectors
from plait.search.asking import BM25
from plait.search.rerank.base import Shortlist, standardised

_NOWHERE = -1e9  # log-odds of a candidate that a lane has nothing to say of

Chances = NDArray[np.float64]  # (C,) summing to 1


@dataclass(frozen=True, slots=True)
class Refining:
    """Refines the query in one lane of words and one of pictures, as far as another lane is there to guide.

    Words are guided by BM25; pictures, in the field of the most tokens, by another field of pictures.

    Attributes:
        steps: how often the query is moved.
        rate: how far, as a factor of the gradient.
        sharpness: nats a deviation.
        share: as of `Reranker`.
    """

    steps: int = 5
    rate: float = 0.4
    sharpness: float = 2.0
    share: float = 0.5
    name: str = "refine"

    def scores(self, shortlist: Shortlist) -> Scores:
        """Return (C,) sums of deviations of the refined lanes; NaN where none speaks."""
        found = [standardised(self._refined(*pair, shortlist)) for pair in _pairs(shortlist)]
        every = np.array([np.full(len(shortlist.candidates), np.nan), *found])
        return np.where(np.isnan(every).all(0), np.nan, np.nansum(every, 0)).astype(np.float32)

    def _refined(self, field: VectorField, guide: str, shortlist: Shortlist) -> Scores:
        """Return (C,) what a lane says of the candidates when its query was moved."""
        stored = shortlist.snapshot.item_vectors(field.name, shortlist.rows)
        items = [one.items(field.items) for one in shortlist.candidates]
        documents = [
            vectors if field.items == "unit" else vectors[[item for item in own if item < len(vectors)]]
            for vectors, own in zip(stored, items, strict=True)
        ]
        said = [one.place.lanes.get(guide, np.nan) for one in shortlist.candidates]
        query, weights = shortlist.vectors.fields[field.name], shortlist.vectors.weights[field.name]
        lane = Lane(documents, weights, sharpness=self.sharpness)
        return lane.scores(lane.refined(query, np.array(said), steps=self.steps, rate=self.rate))


class Lane:
    """The candidates' vectors in one field, and what a query scores there.

    Args:
        documents: of each candidate, (items, tokens, width).
        weights: (parts,) of the query, summing to 1.
        sharpness: nats a deviation.
    """

    def __init__(self, documents: Sequence[Vectors], weights: Vectors, *, sharpness: float) -> None:
        self._documents = [one.astype(np.float64) for one in documents]
        self._weights = weights.astype(np.float64)
        self._sharpness = sharpness

    def scores(self, query: Vectors) -> Scores:
        """Return (C,) what `Snapshot.field_scores` says; NaN for a candidate without items."""
        return self._best(query.astype(np.float64))[0].astype(np.float32)

    def refined(self, query: Vectors, guide: NDArray[np.floating], *, steps: int, rate: float) -> Vectors:
        """Return the query moved towards the consensus of this lane and its guide; its lengths stay.

        Args:
            query: (parts, tokens, width).
            guide: (C,) scores of the other lane, NaN where it says nothing.
        """
        moved = query.astype(np.float64)
        lengths = np.linalg.norm(moved, axis=2, keepdims=True)
        spread = self.spread(query)
        if spread == 0.0:
            return query
        consensus = self.consensus(query, guide, spread=spread)
        for _ in range(steps):
            moved -= rate * spread * self.gradient(moved, consensus, spread=spread)
            now = np.linalg.norm(moved, axis=2, keepdims=True)
            moved *= np.where(now > 0, lengths / np.where(now > 0, now, 1), 0)
        return moved.astype(np.float32)

    def spread(self, query: Vectors) -> float:
        """Return the deviation of the candidates' scores, 0 where none or all are alike."""
        scores = self._best(query.astype(np.float64))[0]
        there = scores[~np.isnan(scores)]
        return float(there.std()) if len(there) and there.std() > 1e-9 else 0.0

    def consensus(self, query: Vectors, guide: NDArray[np.floating], *, spread: float) -> Chances:
        """Return (C,) the mean of what lane and guide believe of the candidates that the lane knows."""
        own = self.chances(query, spread=spread)
        known = np.where(np.isnan(self._best(query.astype(np.float64))[0]), np.nan, guide)
        if np.isnan(known).all():
            return own
        return (own + _softmax(self._sharpness * standardised(known))) / 2

    def chances(self, query: NDArray[np.floating], *, spread: float) -> Chances:
        """Return (C,) what the lane believes, by its scores for a query."""
        return _softmax(self._sharpness * self._best(query.astype(np.float64))[0] / spread)

    def loss(self, query: NDArray[np.floating], consensus: Chances, *, spread: float) -> float:
        """Return by how many nats the lane is off the consensus, 0 or more."""
        chances = self.chances(query, spread=spread)
        held = consensus > 0
        return float(np.sum(consensus[held] * np.log(consensus[held] / np.maximum(chances[held], 1e-300))))

    def gradient(
        self, query: NDArray[np.float64], consensus: Chances, *, spread: float
    ) -> NDArray[np.float64]:
        """Return (parts, tokens, width), the gradient of the loss."""
        _, best = self._best(query)
        off = self._sharpness / spread * (self.chances(query, spread=spread) - consensus)
        share = self._weights[:, None, None] / query.shape[1]
        gradient: NDArray[np.float64] = share * np.einsum("c,cptd->ptd", off, best)
        return gradient

    def _best(self, query: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (C,) scores, and (C, parts, tokens, width) the vectors that made them."""
        scores = np.full(len(self._documents), np.nan)
        best = np.zeros((len(self._documents), *query.shape))
        for at, items in enumerate(self._documents):
            if not len(items):
                continue
            products = np.einsum("ptd,ind->pitn", query, items, optimize=True)
            of_items = products.max(3).mean(2)  # (parts, items)
            chosen = of_items.argmax(1)
            scores[at] = self._weights @ of_items.max(1)
            for part, item in enumerate(chosen):
                best[at, part] = items[item][products[part, item].argmax(1)]
        return scores, best


def _pairs(shortlist: Shortlist) -> Iterator[tuple[VectorField, str]]:
    """Yield the fields to refine the query in, each with the lane that guides it."""
    there = {lane for one in shortlist.candidates for lane in one.place.lanes}
    for asks in ("text", "image", "joint"):
        fields = [f for f in shortlist.fields if f.asks == asks and f.name in shortlist.vectors.fields]
        fields = sorted((f for f in fields if f.name in there), key=lambda field: -field.tokens)
        if not fields:
            continue
        guide = next((f.name for f in fields[1:] if asks == "image"), BM25 if asks != "image" else "")
        if guide in there:
            yield fields[0], guide


def _softmax(scores: NDArray[np.floating]) -> Chances:
    odds = np.where(np.isnan(scores), _NOWHERE, scores).astype(np.float64)
    unscaled = np.exp(odds - odds.max())
    chances: Chances = unscaled / unscaled.sum()
    return chances
