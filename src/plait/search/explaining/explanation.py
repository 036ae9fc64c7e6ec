"""One hit explained: its words and its places, and the shares of what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from plait.index.lexical import words
from plait.schema import Explanation, HeatMap, Hit, MatchedWord, Query, Unit
from plait.scoring.vectors import VectorField
from plait.search.asking import BM25
from plait.search.explaining.abilities import HasGates, ReadsWords
from plait.search.explaining.asked_parts import Left, unwanted_parts, wanted_parts
from plait.search.explaining.heat_map import heat_map
from plait.search.explaining.leaving_out import LeavingOut
from plait.search.explaining.shares import shares
from plait.search.explaining.trials import Trial, Trials
from plait.search.explaining.words import matched_words
from plait.search.ranking import Place, Ranking
from plait.search.searcher import Searcher

_FAINT = 0.05  # of the strongest lane: whose words say no more need not be read


def explained(searcher: Searcher, query: Query, ranking: Ranking, place: Place) -> Explanation:
    """Return why a place of a ranking was found; pictures by their stored paths.

    Args:
        query: as it was asked, with its likes.
    """
    (hit,) = searcher.hits(ranking, [place])
    return _Explaining(searcher, query, ranking, place, hit).explanation()


@dataclass(frozen=True)
class _Explaining:
    """One hit, and what is asked of it."""

    searcher: Searcher
    query: Query
    ranking: Ranking
    place: Place
    hit: Hit

    def explanation(self) -> Explanation:
        """Return all that can be said of the hit."""
        lanes = self._falls({lane: Trial({lane: self._leaving.usual(lane)}) for lane in self.place.lanes})
        return Explanation(
            id=self.hit.id,
            unit_id=self.hit.unit_id,
            score=self.hit.score,
            confidence=self.hit.confidence,
            parts=shares(self._falls(self._without_parts())),
            lanes=shares(lanes),
            sides=shares(self._falls(self._without_sides())),
            gates=self._gates(),
            passage=self.hit.passage,
            words=self._words(lanes),
            page=self.hit.page,
            box=self.hit.box,
            page_picture=self.hit.page_picture,
            heat=self._heat(lanes),
        )

    def _heat(self, falls: Mapping[str, float]) -> HeatMap | None:
        """Return the heat map, if the figure is among the reasons why the hit was found."""
        asks_pictures = (lane for lane in falls if lane != BM25 and self._fields[lane].asks == "image")
        if not any(falls[lane] > 0 for lane in asks_pictures):
            return None
        return heat_map(self.searcher, self.ranking, self.place, lambda: self._unit)

    # --- shares ---

    def _falls(self, trials: Mapping[str, Trial]) -> dict[str, float]:
        return self._trials.falls(trials)

    def _without_parts(self) -> dict[str, Trial]:
        wanted = wanted_parts(self.ranking)
        if len(wanted) == 1:
            trials = dict.fromkeys(
                wanted, Trial({lane: self._leaving.usual(lane) for lane in self.place.lanes})
            )
        else:
            trials = {name: Trial(self._leaving.said(left)) for name, left in wanted.items()}
        unwanted = enumerate(unwanted_parts(self.query))
        return trials | {name: Trial(ignored=number) for number, name in unwanted}

    def _without_sides(self) -> dict[str, Trial]:
        """Return trials without what the unit's words say, and without what its pictures do."""
        asked = self.ranking.comparison.wanted.query
        every = {
            "text": Left(texts=frozenset(range(len(asked.texts)))),
            "image": Left(images=frozenset(range(len(asked.images)))),
        }
        own = {lane: self._side(lane) for lane in self.place.lanes}
        both = [lane for lane, side in own.items() if side == "both"]
        trials: dict[str, Trial] = {}
        for side, left in every.items():
            said = {lane: self._leaving.usual(lane) for lane, of in own.items() if of == side}
            if both:
                said |= {lane: there for lane, there in self._leaving.said(left).items() if lane in both}
            if said:
                trials[side] = Trial(said)
        return trials

    def _side(self, lane: str) -> str:
        """Return what of a unit a lane reads: its "text", its "image", or "both"."""
        if lane == BM25:
            return "text"
        field = self._fields[lane]
        return {"passage": "text", "figure": "image", "unit": "both"}[field.items]

    def _gates(self) -> Mapping[str, float]:
        encoder = self.searcher.encoder
        return encoder.gates(self.ranking.comparison.wanted.query) if isinstance(encoder, HasGates) else {}

    # --- words ---

    def _words(self, falls: Mapping[str, float]) -> tuple[MatchedWord, ...]:
        """Return the words of the passage, weighed by what they add to the hit's score.

        Args:
            falls: lane -> how much the score falls without it.
        """
        if not self.ranking.comparison.wanted.query.texts or not self.hit.passage:
            return ()
        language = self.searcher.snapshot.language
        return matched_words(
            self.hit.passage, self._word_weights(falls), self._products(falls), language=language
        )

    def _word_weights(self, falls: Mapping[str, float]) -> dict[str, float]:
        """Return what each word of the query adds: of what BM25 does for the hit, by how rare it is."""
        weights = self.ranking.comparison.wanted.word_weights()
        there = weights.keys() & set(words(self.hit.passage, language=self.searcher.snapshot.language))
        total = sum(weights[word] for word in there)
        if not total:
            return {}
        worth = max(falls.get(BM25, 0.0), 0.0) or 1.0
        return {word: worth * weights[word] / total for word in there}

    def _products(self, falls: Mapping[str, float]) -> list[tuple[int, int, float]]:
        """Return what each token adds by its meaning, on the scale of the hit's score."""
        encoder, lane = self.searcher.encoder, "text"
        worth = falls.get(lane, 0.0)
        if not isinstance(encoder, ReadsWords) or worth <= _FAINT * max(falls.values()):
            return []
        rate = worth / max(self.place.lanes[lane] - self._leaving.usual(lane), 1e-6)
        found = encoder.word_products(self.ranking.vectors, self._unit, self.hit.passage)
        return [(start, end, rate * added) for start, end, added in found]

    # --- what is looked up once ---

    @cached_property
    def _unit(self) -> Unit:
        ((unit, _),) = self.searcher.snapshot.units([self.place.row])
        return unit

    @cached_property
    def _fields(self) -> dict[str, VectorField]:
        return {field.name: field for field in self.searcher.encoder.fields}

    @cached_property
    def _leaving(self) -> LeavingOut:
        wanted = self.ranking.comparison.wanted
        return LeavingOut(wanted, self.searcher.encoder, self.ranking.lanes, self.place)

    @cached_property
    def _trials(self) -> Trials:
        return Trials(self.ranking.comparison, self.place.row, self.place.lanes, self.place.against)
