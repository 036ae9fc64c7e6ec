"""The words of a passage that speak for a hit: those that the query has, and those that mean the like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from plait.index.lexical import spans
from plait.schema import MatchedWord
from plait.search.explaining.abilities import WordProduct

_FAINT = 0.15  # of the strongest: a word that says less is not shown, unless the query has it
_COMMON = 0.25  # of the rarest word that is there: what the query has of commoner words is not shown
_TELLING = re.compile(r"[^\W\d_]{2}")  # two letters at least


@dataclass(frozen=True, slots=True)
class _Word:
    """A word at its place, and how much it says.

    Attributes:
        own: by being a word of the query.
        like: by meaning the like; 0 or more.
    """

    start: int
    end: int
    own: float
    like: float

    @property
    def total(self) -> float:
        return self.own + self.like


def matched_words(
    passage: str,
    weights: Mapping[str, float],
    products: Sequence[WordProduct] = (),
    *,
    language: str = "english",
) -> tuple[MatchedWord, ...]:
    """Return the words of a passage that speak for the hit, in order.

    Args:
        weights: word, as the index counts it -> how much it adds to the hit's score.
        products: what each token of the passage does for its similarity, in the unit of `weights`.
        language: whose stems the words are.
    """
    rare = _COMMON * max(weights.values(), default=0.0)
    telling = {word: weight for word, weight in weights.items() if weight >= rare}
    found = list(_merged(_weighed(passage, telling, products, language)))
    strongest = max((word.total for word in found), default=0.0)
    return tuple(
        MatchedWord(
            passage[word.start : word.end],
            word.start,
            word.end,
            word.total / strongest,
            "word" if word.own else "meaning",
        )
        for word in found
        if word.own or (word.like > _FAINT * strongest and _TELLING.search(passage, word.start, word.end))
    )


def _weighed(
    passage: str, weights: Mapping[str, float], products: Sequence[WordProduct], language: str
) -> Iterator[_Word]:
    """Give every word of a passage; a word that occurs often has its share each time."""
    every = [(start, end, set(terms)) for start, end, terms in spans(passage, language=language)]
    often = {term: sum(term in terms for _, _, terms in every) for term in weights}
    for start, end, terms in every:
        own = max((weights[term] / often[term] for term in terms if term in weights), default=0.0)
        like = sum(added for first, last, added in products if first < end and last > start)
        yield _Word(start, end, own, max(0.0, like))


def _merged(found: Iterator[_Word]) -> Iterator[_Word]:
    """Give the words, those that overlap and that the query has as one: scripts without spaces."""
    last = next(found, None)
    for word in found:
        if last is not None and last.own and word.own and word.start < last.end:
            last = _Word(last.start, word.end, max(last.own, word.own), max(last.like, word.like))
            continue
        if last is not None:
            yield last
        last = word
    if last is not None:
        yield last
