"""Made-up token vectors with topics, as many as wanted; a block depends on the seed and its number alone.

A token of a document is

    unit(0.6 position + 1.0 topic + 0.55 document + 0.6 noise),

where every summand has unit length. Positions and noise are drawn from the whole space, topics and
documents from a subspace of half its width. There are max(200, N / 100) topics, drawn with Zipf exponent
0.5; a document has 4 of them, with shares drawn from Dirichlet(1), and each of its tokens follows one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

BLOCK = 1_000  # documents
_POSITION, _TOPIC, _DOCUMENT, _NOISE = 0.6, 1.0, 0.55, 0.6
_TOPICS_EACH = 4
_ZIPF = 0.5
_KEPT = 0.25  # share of its target's tokens that a query keeps
_QUERY_NOISE = 1.1


@dataclass(frozen=True)
class Synthetic:
    """A collection that nobody has to store.

    Attributes:
        documents: N; sets the number of topics, so the first blocks of two sizes differ.
        width: even; topics and documents lie in a subspace of half of it.
    """

    documents: int
    seed: int = 0
    tokens: int = 32
    width: int = 128

    def block(self, number: int) -> NDArray[np.float16]:
        """Return (1000, tokens, width) the documents from 1000 x number on; also past the last."""
        draw = np.random.default_rng((self.seed, 1, number))
        own = self._inside(draw, BLOCK)
        noise = unit(draw.standard_normal((BLOCK, self.tokens, self.width), dtype=np.float32))
        mixed = _TOPIC * self.topics[self._followed(draw)]
        mixed += _POSITION * self.positions
        mixed += _DOCUMENT * own[:, None]
        mixed += _NOISE * noise
        return unit(mixed).astype(np.float16)

    def blocks(self) -> Iterator[NDArray[np.float16]]:
        """Yield all N documents in order; the last block may be shorter."""
        for first in range(0, self.documents, BLOCK):
            yield self.block(first // BLOCK)[: self.documents - first]

    @cached_property
    def positions(self) -> Vectors:
        """(tokens, width), unit length: what tokens at one place of all documents share."""
        draw = np.random.default_rng((self.seed, 0, 1))
        return unit(draw.standard_normal((self.tokens, self.width), dtype=np.float32))

    @cached_property
    def topics(self) -> Vectors:
        """(topics, width), unit length, the most frequent first."""
        return self._inside(np.random.default_rng((self.seed, 0, 2)), max(200, self.documents // 100))

    @cached_property
    def _basis(self) -> Vectors:
        draw = np.random.default_rng((self.seed, 0, 0))
        square = draw.standard_normal((self.width, self.width // 2))
        return np.linalg.qr(square)[0].T.astype(np.float32)

    @cached_property
    def _frequency(self) -> NDArray[np.float64]:
        weights = np.arange(1, len(self.topics) + 1) ** -_ZIPF
        return weights / weights.sum()

    def _inside(self, draw: np.random.Generator, count: int) -> Vectors:
        return unit(draw.standard_normal((count, self.width // 2), dtype=np.float32)) @ self._basis

    def _followed(self, draw: np.random.Generator) -> NDArray[np.intp]:
        """Return (1000, tokens) the topic that each token follows."""
        topics = draw.choice(len(self.topics), (BLOCK, _TOPICS_EACH), p=self._frequency)
        shares = draw.dirichlet(np.ones(_TOPICS_EACH), BLOCK).cumsum(axis=1)[:, None, :-1]
        which = (draw.random((BLOCK, self.tokens, 1)) > shares).sum(axis=2)
        return np.take_along_axis(topics, which, axis=1)


def queries(documents: NDArray[np.float16], count: int, *, seed: int = 1) -> tuple[Vectors, NDArray[np.intp]]:
    """Return (count, tokens, width) queries, unit length, and the document that each is made of.

    A query keeps a quarter of its target's tokens, takes the rest from other documents at the same place,
    and adds noise of length 1.1 to each.

    Args:
        documents: (N, tokens, width), in memory or mapped; few of them are read.
        count: at most N.
    """
    draw = np.random.default_rng(seed)
    size, tokens, width = documents.shape
    targets = np.sort(draw.choice(size, count, replace=False))
    others = draw.integers(0, size, (count, tokens))
    kept = draw.random((count, tokens)) < _KEPT
    taken = documents[np.where(kept, targets[:, None], others), np.arange(tokens)].astype(np.float32)
    noise = unit(draw.standard_normal((count, tokens, width), dtype=np.float32))
    return unit(taken + _QUERY_NOISE * noise), targets


def unit(vectors: Vectors) -> Vectors:
    """Return vectors divided by their length; zeros stay zeros."""
    lengths = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))[..., None]
    return vectors / np.maximum(lengths, 1e-12)
