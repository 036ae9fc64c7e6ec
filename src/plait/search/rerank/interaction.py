"""Late interaction over every token: the query's words against the candidates', and pictures unpooled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from plait.encode.base import Encoder
from plait.index.base import Scores
from plait.index.multi_vector import MultiVectors
from plait.scoring.maxsim import maxsim
from plait.scoring.vectors import VectorField, Vectors
from plait.search.rerank.base import Candidate, Shortlist, standardised


@runtime_checkable
class ReadsTokens(Protocol):
    """An encoder that gives what it makes of each token, which no index holds; `MiniEncoder` is one."""

    def token_states(self, texts: Sequence[str]) -> list[Vectors]:
        """Return (n, d) for each text, unit length."""
        ...


@dataclass(frozen=True, slots=True)
class LateInteraction:
    """Compares all tokens, where the lanes compare one vector a passage, or pooled ones of a figure.

    Words: the mean over the query's tokens of the most similar token of the candidate's passages and their
    headings, as of the text tower's last layer. Pictures, where the library keeps fewer vectors of a figure
    than the encoder makes: their exact MaxSim, of the figure encoded anew. Asked both, the two are added in
    deviations.

    Attributes:
        encoder: the one whose vectors the index holds.
        share: as of `Reranker`.
    """

    encoder: Encoder
    share: float = 0.4
    name: str = "late-interaction"

    def scores(self, shortlist: Shortlist) -> Scores:
        """Return (C,) scores in [-1, 1], or sums of deviations; NaN where nothing can be compared."""
        sides = [*self._of_words(shortlist), *self._of_pictures(shortlist)]
        if len(sides) == 1:
            return sides[0]
        there = [standardised(side) for side in sides]
        nothing = np.full((1, len(shortlist.candidates)), np.nan)
        every = np.concatenate([nothing, *(side[None] for side in there)])
        summed = np.where(np.isnan(every).all(0), np.nan, np.nansum(every, 0))
        return summed.astype(np.float32)

    def _of_words(self, shortlist: Shortlist) -> Iterator[Scores]:
        query, encoder = shortlist.query, self.encoder
        if not query.texts or not isinstance(encoder, ReadsTokens):
            return
        shares = np.array(query.text_weights) / sum(query.text_weights)
        asked = encoder.token_states(query.texts)
        scores = [
            sum(share * _mean(text, tokens) for share, text in zip(shares, asked, strict=True))
            for tokens in _tokens_of(shortlist.candidates, encoder)
        ]
        yield np.array(scores, np.float32)

    def _of_pictures(self, shortlist: Shortlist) -> Iterator[Scores]:
        for field in self.encoder.fields:
            asked = shortlist.vectors.fields.get(field.name)
            if asked is None or field.items != "figure" or not _is_pooled(field, shortlist):
                continue
            candidates = shortlist.candidates
            shown = [replace(one.unit, passages=(), figures=tuple(one.figures)) for one in candidates]
            exact = [unit.fields[field.name] for unit in self.encoder.encode_units(shown)]
            vectors = MultiVectors.of(exact, tokens=field.tokens, width=field.width)
            yield vectors.scores(asked, shortlist.vectors.weights[field.name])


def _mean(query: Vectors, document: Vectors) -> float:
    """Return the mean over the query's tokens, 0 of none, of their most similar one; NaN if there is none."""
    if not len(document):
        return float("nan")
    return float(maxsim(query[None], document[None])[0, 0]) / max(1, len(query))


def _tokens_of(candidates: Sequence[Candidate], encoder: ReadsTokens) -> list[Vectors]:
    """Return (n, d) of each candidate, all its passages below their headings; n may be 0."""
    texts = [[f"{one.heading}\n{passage.text}" for passage in one.passages] for one in candidates]
    states = iter(encoder.token_states([text for of_one in texts for text in of_one]))
    nothing = np.zeros((0, 1), np.float32)
    return [np.concatenate([next(states) for _ in of_one]) if of_one else nothing for of_one in texts]


def _is_pooled(field: VectorField, shortlist: Shortlist) -> bool:
    stored = shortlist.snapshot.item_vectors(field.name, shortlist.rows)
    return any(len(items) and items.shape[1] < field.tokens for items in stored)
