"""How likely each hit is good, and how many are: scores of one query made comparable over all queries.

A mixture's score tells the units of one library apart for one query; it does not tell whether any of them
is good. That is learned from queries that libraries answer and from ones that they do not:

    odds of confidence(place) = a + b * odds of answerable(query) + c * odds of right(place),

all in logarithms. Both are logistic models of few numbers; those of `answerable`:

    text, bm25          the best cosine, and the best BM25 as a share of the weight of the query's words
    known               the share of that weight that falls on words which some unit has
    image_tokens, image the best similarities of a figure to the picture
    words, units        logarithms of how many words the query, and how many units the library has

and those of `right`:

    posterior           log-likelihood of the place by the mixture, normalised over all units
    behind              by how many nats the mixture prefers the best unit
    bm25, image_tokens  as above, but of the place itself

The weight of a word is its inverse document frequency; a word that no unit has weighs the most. A unit of
which no word is written cannot be told from others by this: its confidence is a model of `figure_words`.

Everything is made of raw scores of lanes, so how lanes were fused and what was reranked changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plait.encode.base import Encoder
from plait.index.base import Scores
from plait.index.lexical import words
from plait.schema import Query
from plait.scoring.calibration import Calibration, Side
from plait.scoring.mixture import MixtureParameters, nowhere
from plait.search.ranking import Ranking

Values = dict[str, float]


class Words(Protocol):
    """What has to be known of a library's words; an `index.base.Snapshot` knows it."""

    def __len__(self) -> int: ...

    @property
    def language(self) -> str: ...

    def word_weights(self, texts: Sequence[str], weights: Sequence[float]) -> Mapping[str, float]: ...


_OF_TEXT, _OF_IMAGE = ("text", "bm25"), ("image_tokens", "image")
_NONE = 0.0  # a similarity that says nothing, where a unit has nothing to compare


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a ranking is worth.

    Attributes:
        answerable: how likely the library holds an answer, in [0, 1].
        confidences: for each place, how likely it is good, in [0, 1].
        good: how many places to keep, from the first on; 0 where nothing good was found.
    """

    answerable: float
    confidences: tuple[float, ...]
    good: int


def judged(ranking: Ranking, encoder: Encoder, snapshot: Words) -> Judgement | None:
    """Return what a ranking is worth; None if that was never fitted for the encoder or these lanes.

    What is said of a place depends on the query, the library and the place alone, not on other places.

    Args:
        ranking: before or after reranking; of its places, lanes are read and scores are not.
    """
    calibration, mixture = encoder.calibration, encoder.mixture
    if calibration is None or mixture is None:
        return None
    found = Found.of(ranking.query, ranking.lanes, mixture, snapshot)
    return None if found is None else judge(found, [place.lanes for place in ranking.places], calibration)


def judge(found: Found, places: Sequence[Mapping[str, float]], calibration: Calibration) -> Judgement:
    """Return what places are worth.

    Args:
        places: what each lane says of each place, best place first.
    """
    side = calibration.of(found.side)
    answerable = float(side.answerable.chance(found.values))
    if not places:
        return Judgement(answerable, (), 0)
    values = found.of_places(places)
    wordless = np.array([found.side == "text" and "text" not in lanes for lanes in places])
    chances = np.where(wordless, calibration.shown.chance(values), side.confidence(found.values, values))
    confidences = tuple(float(chance) for chance in chances)
    # Words find pictures that nothing is written about too weakly to say that the right one is not there.
    if answerable < side.least and not wordless[0]:
        return Judgement(answerable, confidences, 0)
    return Judgement(answerable, confidences, _kept(confidences, side.distant))


def _kept(confidences: Sequence[float], distant: float) -> int:
    """Return how many places there are down to the last that is not distant."""
    bound = distant * max(confidences, default=0.0)
    return max((place for place, sure in enumerate(confidences, 1) if sure >= bound), default=0)


@dataclass(frozen=True, slots=True)
class Found:
    """What the lanes say of a query over a whole library.

    Attributes:
        side: what is asked with.
        values: name -> number, what `Calibration.of(side).answerable` reads.
        weight: of all words of the query; 1 where it has none.
        mean_text: mean cosine of the units.
        best: nats of the likeliest unit, by the mixture.
        total: logarithm of the summed likelihood of all units, less `best`.
    """

    side: Side
    values: Values
    weight: float
    mean_text: float
    best: float
    total: float
    mixture: MixtureParameters

    @classmethod
    def of(
        cls, query: Query, lanes: Mapping[str, Scores], mixture: MixtureParameters, snapshot: Words
    ) -> Found | None:
        """Return what is known of a query; None if other lanes were asked than this is fitted for.

        Takes about a millisecond with 100,000 units.
        """
        sides = [of for of in (_OF_TEXT, _OF_IMAGE) if any(lane in lanes for lane in of)]
        if not sides or not all(lane in lanes for of in sides for lane in of):
            return None
        side: Side = "both" if len(sides) == 2 else "text" if sides[0] is _OF_TEXT else "image"
        values = {"units": math.log(max(1, _there(lanes)))}
        weight = 1.0
        texts = _known(lanes["text"]) if "text" in lanes else np.empty(0, np.float32)
        if side != "image":
            known, total, count = _words(query.wanted, snapshot)
            weight = total or 1.0
            values |= {"known": known / weight, "words": math.log(max(1, count))}
            values |= {"text": _best(texts), "bm25": _best(lanes["bm25"]) / weight}
        if side != "text":
            values |= {lane: _best(lanes[lane]) for lane in _OF_IMAGE}
        mean = float(texts.mean()) if len(texts) else _NONE
        nats = likelihood(lanes, mixture, mean_text=mean)
        best = _best(nats)
        total = math.log(max(1.0, float(np.sum(_known(np.exp(nats - np.float32(best)))))))
        return cls(side, values, weight, mean, best, total, mixture)

    def of_places(self, places: Sequence[Mapping[str, float]]) -> dict[str, NDArray[np.float32]]:
        """Return name -> (places,) numbers, what `right` and `shown` read."""
        names = {"text", *(lane for lanes in places for lane in lanes)}
        said = {name: np.array([lanes.get(name, np.nan) for lanes in places], np.float32) for name in names}
        if "bm25" in said:
            said["bm25"] = _or_none(said["bm25"])
        behind = np.minimum(likelihood(said, self.mixture, mean_text=self.mean_text) - self.best, 0)
        every = (*_OF_TEXT, *_OF_IMAGE, "figure_words")
        none = np.full(len(places), _NONE, np.float32)
        values = {name: _or_none(said[name]) if name in said else none for name in every}
        return {
            **values,
            "bm25": values["bm25"] / np.float32(self.weight),
            "units": np.full(len(places), self.values["units"], np.float32),
            "behind": behind,
            "posterior": behind - np.float32(self.total),
        }


def likelihood(
    lanes: Mapping[str, Scores], mixture: MixtureParameters, *, mean_text: float
) -> NDArray[np.float32]:
    """Return (N,) nats as `scoring.mixture` has them, within 0.7 each time that two explanations are equal.

    The larger of two likelihoods stands for their sum, which takes an eighth of the time. NaN for a unit
    outside a filter, if words were asked for.

    Args:
        lanes: lane -> (N,) scores.
        mean_text: taken for a unit without text.
    """
    size = len(next(iter(lanes.values())))
    nats: NDArray[np.float32] = np.zeros(size, np.float32)
    if "text" in lanes:
        text = lanes["text"]
        nats = np.where(np.isnan(text), np.float32(mean_text), text)
        nats *= np.float32(mixture.text)
    if "bm25" in lanes:
        nats += np.float32(mixture.bm25) * lanes["bm25"]
    if "figure_words" in lanes and mixture.figure_words:
        there = np.flatnonzero(~np.isnan(lanes["figure_words"]))  # few units have figures
        shown = np.float32(mixture.figure_words) * lanes["figure_words"][there]
        nats[there] = np.maximum(nats[there], shown + np.float32(mixture.figure_bias))
    if all(lane in lanes for lane in _OF_IMAGE):
        seen = np.float32(mixture.image_tokens) * lanes["image_tokens"]
        seen = seen + np.float32(mixture.image) * lanes["image"] + np.float32(mixture.image_bias)
        nats = nats + np.fmax(seen, 0)
    return nats


def _words(query: Query, snapshot: Words) -> tuple[float, float, int]:
    """Return the weight of the query's words that some unit has, that of all of them, and their number."""
    total = sum(query.text_weights)
    shares = [weight / total for weight in query.text_weights]
    held = snapshot.word_weights(query.texts, shares)
    unheld = math.log1p((len(snapshot) + 0.5) / 0.5)
    asked = [
        (word, share)
        for text, share in zip(query.texts, shares, strict=True)
        for word in words(text, language=snapshot.language)
    ]
    unknown = unheld * sum(share for word, share in asked if word not in held)
    known = sum(held.values())
    return known, known + unknown, len({word for word, _ in asked})


def _there(lanes: Mapping[str, Scores]) -> int:
    """Return how many units some lane speaks of."""
    every = list(lanes.values())
    silent = nowhere(every)
    return len(every[0]) - (0 if silent is None else int(np.count_nonzero(silent)))


def _known(scores: Scores) -> Scores:
    """Return the scores that are not NaN, all of them at once where none is."""
    missing = np.isnan(scores)
    known: Scores = scores[~missing] if missing.any() else scores
    return known


def _or_none(said: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.isnan(said), np.float32(_NONE), said)


def _best(scores: Scores) -> float:
    highest = float(scores.max()) if len(scores) else math.nan  # ten times as fast as fmax, if none is NaN
    if math.isnan(highest) and len(scores):
        highest = float(np.fmax.reduce(scores))
    return _NONE if math.isnan(highest) else highest
