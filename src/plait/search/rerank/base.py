"""What a reranker is, and how what it says and what the lanes said become one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plait.encode.items import heading_of
from plait.errors import QueryError
from plait.index.base import Scores, Snapshot
from plait.schema import Passage, Picture, Query, Segment, Unit
from plait.scoring.vectors import QueryVectors, VectorField
from plait.search.kinds import named_part
from plait.search.ranking import Place, Ranking
from plait.search.searcher import Searcher

TOP = 30  # places that are put in order anew


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit, or a part of one, that is to be scored again.

    Attributes:
        place: where the lanes put it, and what each said.
        unit: with paths of pictures that can be opened.
    """

    place: Place
    unit: Unit

    @property
    def heading(self) -> str:
        """The titles above it."""
        return heading_of(self.unit)

    @property
    def passages(self) -> Sequence[Passage]:
        """Its passages; of a figure, the one nearest to it."""
        return [self.unit.passages[item] for item in self.items("passage")]

    @property
    def figures(self) -> Sequence[Segment]:
        """Its figures."""
        return [self.unit.figures[item] for item in self.items("figure")]

    def items(self, kind: str) -> Sequence[int]:
        """Return which of its unit's passages or figures are its own.

        Args:
            kind: "passage" or "figure".
        """
        whole = self.unit.passages if kind == "passage" else self.unit.figures
        if not self.place.part:
            return range(len(whole))
        part = named_part(self.unit, self.place.part)
        if kind == "passage":
            return part.passages
        return () if part.figure is None else (part.figure,)


@dataclass(frozen=True, slots=True)
class Shortlist:
    """What a reranker is given.

    Attributes:
        query: what is wanted, of texts and images alone.
        vectors: of the query.
        candidates: best first.
        snapshot: that they are rows of.
        fields: the encoder's.
    """

    query: Query
    vectors: QueryVectors
    candidates: Sequence[Candidate]
    snapshot: Snapshot
    fields: Sequence[VectorField]

    @property
    def rows(self) -> list[int]:
        """The candidates' rows of the snapshot."""
        return [candidate.place.row for candidate in self.candidates]

    def best_passages(self) -> list[str]:
        """Return of each candidate the passage that the vectors find nearest to the words, or the first.

        It comes below its headings; one without passages gives its headings alone.
        """
        items = [candidate.items("passage") for candidate in self.candidates]
        field = next((f for f in self.fields if f.name in self.vectors.fields and f.items == "passage"), None)
        if field is None:
            chosen = [of_one[:1] for of_one in items]
        else:
            asked = self.vectors.fields[field.name], self.vectors.weights[field.name]
            scores = self.snapshot.item_scores(field.name, *asked, self.rows)
            chosen = [_best(of_one, there) for of_one, there in zip(items, scores, strict=True)]
        return [
            "\n".join([one.heading, *(one.unit.passages[item].text for item in best)])
            for one, best in zip(self.candidates, chosen, strict=True)
        ]


def _best(items: Sequence[int], scores: Scores) -> Sequence[int]:
    """Return the best of some items, () where there are none; one that has no vector is the last choice."""
    if not items:
        return ()
    return (max(items, key=lambda item: float(scores[item]) if item < len(scores) else -np.inf),)


class Reranker(Protocol):
    """Scores some candidates again.

    Attributes:
        name: what a user calls it.
        share: what it counts against the order that there is, in [0, 1]; 1 leaves nothing of that.
    """

    @property
    def name(self) -> str: ...
    @property
    def share(self) -> float: ...

    def scores(self, shortlist: Shortlist) -> Scores:
        """Return (C,) scores of the candidates, higher is better; NaN where it has nothing to say."""
        ...


Rerankers = Callable[[Sequence[str] | None], Sequence[Reranker]]  # names, None for the setting's


def no_rerankers(names: Sequence[str] | None) -> Sequence[Reranker]:
    """Return none.

    Raises:
        QueryError: some are named.
    """
    if names:
        raise QueryError(f"no reranker is set up here, but the request names {', '.join(names)}: name none")
    return ()


def reranked(ranking: Ranking, rerankers: Sequence[Reranker], searcher: Searcher) -> Ranking:
    """Return the ranking with its first places in the order that rerankers give them, one after another.

    Scores of those places lie between the best and the worst that they had, so all others stay behind them.
    What the lanes said of each place stays as it is.
    """
    for reranker in rerankers if len(ranking.places) > 1 else ():
        scores = reranker.scores(shortlist(ranking, searcher))
        ranking = replace(ranking, places=in_order(ranking.places, scores, reranker.share))
    return ranking


def in_order(places: Sequence[Place], scores: Scores, share: float) -> list[Place]:
    """Return the places, the first of them in the order of the weighted sum of their old and new scores.

    The old are standardised, and the new get the mean and deviation that the old have where there are new
    ones: so a place without a new one, of which the old counts alone, is neither helped nor hurt by them.

    Args:
        places: best first.
        scores: (C,) new ones of the first places, NaN for none.
        share: of the new ones, in [0, 1].
    """
    first, rest = places[: len(scores)], places[len(scores) :]
    old = np.array([place.score for place in first], np.float64)
    before, said = standardised(old), standardised(scores)
    there = before[~np.isnan(said)] if not np.isnan(said).all() else before
    like_old = there.mean() + (there.std() or 1.0) * said
    both = np.where(np.isnan(said), before, (1 - share) * before + share * like_old)
    scale = np.ptp(old) / np.ptp(both) if np.ptp(both) > 0 else 0.0
    fitted = old.max() - scale * (both.max() - both)
    order = np.argsort(-both, kind="stable").tolist()
    return [*(replace(first[at], score=float(fitted[at])) for at in order), *rest]


def standardised(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return scores shifted and scaled to mean 0 and deviation 1; NaN stays, equal ones become 0."""
    exact = scores.astype(np.float64)
    there = exact[~np.isnan(exact)]
    spread = there.std() if len(there) else 0.0
    if spread < 1e-9:
        return np.where(np.isnan(exact), np.nan, 0.0)
    standard: NDArray[np.float64] = (exact - there.mean()) / spread
    return standard


def shortlist(ranking: Ranking, searcher: Searcher) -> Shortlist:
    """Return the first places of a ranking, to be scored again."""
    places = ranking.places[:TOP]
    units = searcher.snapshot.units([place.row for place in places])
    candidates = [
        Candidate(place, unit.with_pictures(lambda picture: _opened_from(searcher.pictures, picture)))
        for place, (unit, _) in zip(places, units, strict=True)
    ]
    return Shortlist(
        ranking.query.wanted, ranking.vectors, candidates, searcher.snapshot, searcher.encoder.fields
    )


def _opened_from(folder: Path | None, picture: Picture) -> Picture:
    return picture if folder is None else replace(picture, path=str(folder / picture.path))
