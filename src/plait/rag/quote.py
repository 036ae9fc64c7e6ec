"""An answer without a language model: the sentences of the documents that fit the question best."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from plait.rag.prompt import where
from plait.rag.words import content_words, sentences
from plait.schema import Hit, Query

_NO_SENTENCE = "No sentence of the documents found uses the words of the question. The nearest places are:"
_LEAST_ALL = 0.4  # share of the question's weight that all quotations together must cover to be an answer
_LEAST_MORE = 0.15  # share that each must add
_LONG = 60  # words; beyond this a "sentence" is a table or a list, and tells little as a quotation


@dataclass(frozen=True, slots=True)
class Quoted:
    """A text made of quotations, the hits it names (from 1), and whether it answers."""

    text: str
    numbers: tuple[int, ...]
    found: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    sentence: str
    words: frozenset[str]
    number: int
    position: int


def quote_answer(query: Query, hits: Sequence[Hit], *, max_sentences: int = 4) -> Quoted:
    """Quote the sentences that cover most of the question's words, rare words counting more.

    A question in pictures only is answered with the pictures that match; a question whose words
    occur nowhere in the hits gets the nearest places, and `found` is False.
    """
    wanted = list(dict.fromkeys(content_words(" ".join(query.texts))))
    if not wanted:
        return _matching_pictures(hits, found=bool(query.images))
    candidates = [c for number, hit in enumerate(hits, 1) for c in _candidates(number, hit)]
    chosen = _choose(wanted, candidates, most=max_sentences, trust=0.4 if query.images else 0.1)
    if not chosen:
        return _nearest(hits, asked_picture=bool(query.images))
    chosen.sort(key=lambda c: (c.number, c.position))
    text = " ".join(f"{c.sentence} [{c.number}]" for c in chosen)
    return Quoted(text, tuple(dict.fromkeys(c.number for c in chosen)), found=True)


def _candidates(number: int, hit: Hit) -> list[_Candidate]:
    found = sentences(f"{hit.passage}\n\n{hit.caption}")
    return [_Candidate(s, frozenset(content_words(s)), number, k) for k, s in enumerate(dict.fromkeys(found))]


def _choose(
    wanted: Sequence[str], candidates: Sequence[_Candidate], *, most: int, trust: float
) -> list[_Candidate]:
    """Pick greedily the sentence that adds the most weight of words not yet covered; [] if all is too little.

    Args:
        wanted: the question's words.
        trust: how much an earlier hit counts over a later one with the same words. With a picture in
            the query it is high: the words alone ("how do I clean this?") fit many places.
    """
    weight = _weights(wanted, candidates)
    total = sum(weight.values())
    uncovered, chosen, left = set(wanted), list[_Candidate](), list(candidates)
    while left and len(chosen) < most:
        best = max(left, key=lambda c: (_gain(c, uncovered, weight) / (1 + trust * c.number), -c.position))
        gain = sum(weight[w] for w in best.words & uncovered)
        if gain < _LEAST_MORE * total:
            break
        chosen.append(best)
        uncovered -= best.words
        left.remove(best)
    covered = total - sum(weight[w] for w in uncovered)
    return chosen if covered >= _LEAST_ALL * total else []


def _gain(candidate: _Candidate, uncovered: set[str], weight: dict[str, float]) -> float:
    """Return the weight of new words, a fifth of that of words said before, less for very long sentences."""
    said = sum(weight[w] * (1.0 if w in uncovered else 0.2) for w in candidate.words & weight.keys())
    return said * min(1.0, _LONG / max(len(candidate.words), 1))


def _weights(wanted: Sequence[str], candidates: Sequence[_Candidate]) -> dict[str, float]:
    """Return log(1 + N/df) a word, over the N sentences found."""
    counts = Counter(w for c in candidates for w in c.words)
    return {w: math.log1p(len(candidates) / max(counts[w], 1)) for w in wanted}


def _matching_pictures(hits: Sequence[Hit], *, found: bool, most: int = 3) -> Quoted:
    pictured = [(n, hit) for n, hit in enumerate(hits, 1) if hit.picture][:most] if found else []
    if not pictured:
        return _nearest(hits, asked_picture=found)
    lines = [f"- {hit.caption or hit.title} ({where(hit)}) [{n}]" for n, hit in pictured]
    return Quoted(
        "\n".join(["The pictures most like yours:", *lines]), tuple(n for n, _ in pictured), found=True
    )


def _nearest(hits: Sequence[Hit], *, asked_picture: bool, most: int = 3) -> Quoted:
    lines = [f"- {where(hit)} [{n}]" for n, hit in enumerate(hits[:most], 1)]
    numbers = tuple(range(1, len(lines) + 1))
    lead = "No text matches, but the picture led to:" if asked_picture else _NO_SENTENCE
    return Quoted("\n".join([lead, *lines]), numbers, found=False)
