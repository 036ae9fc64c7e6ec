"""Queries drawn from units of the collection, whose entries lose the words that are asked for.

Four kinds; sentences fill up where there are too few figures:

    caption   a tenth   the figure's caption, taken out of the unit's words
    both      a fifth   a sentence, taken out, and the unit's figure, edited
    figure    a fifth   the figure, edited; the unit still shows it
    sentence  the rest  a sentence, taken out of the unit

Only documents that the model was not trained on are asked for, only figures that no other entry shows, and
only sentences that no other entry holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np

from benchmarks.search.real_entries import Entry
from plait.data.sentences import sentences

Kind = Literal["caption", "both", "figure", "sentence"]
_WITH_FIGURES: dict[Kind, float] = {"caption": 0.1, "both": 0.2, "figure": 0.2}  # shares, in this order
_FEWEST_WORDS, _MOST_WORDS, _WORDS_LEFT = 6, 60, 12
_FEWEST_WORDS_OF_CAPTION = 3


@dataclass(frozen=True, slots=True)
class Question:
    """A query and the unit that it was drawn from.

    Attributes:
        row: the unit's place in the collection.
        text: "" if only the figure asks.
        picture: path of the figure, which asks edited; "" if only words ask.
    """

    row: int
    unit: str
    kind: Kind
    text: str
    picture: str = ""


def drawn(
    entries: Sequence[Entry], *, count: int, trained_on: Collection[str], seed: int
) -> tuple[list[Question], list[Entry]]:
    """Return questions, each about another entry, and the entries without what is asked for.

    Args:
        entries: what may be asked for.
        count: of questions; fewer come where the entries give no more.
        trained_on: ids of documents that are not asked for.
    """
    rng = np.random.default_rng(seed)
    pool = _Pool(entries, rng)
    free = [row for row in rng.permutation(len(entries)).tolist() if entries[row].document not in trained_on]
    found: list[Question] = []
    for kind, share in _WITH_FIGURES.items():
        found += pool.of_kind(kind, free, round(share * count))
        asked = {question.row for question in found}
        free = [row for row in free if row not in asked]
    found += pool.of_kind("sentence", free, count - len(found))
    changed = list(entries)
    for question in found:
        changed[question.row] = _without(entries[question.row], question.text)
    return found, changed


class _Pool:
    """Entries to draw from, and how many of them show each picture and hold each sentence."""

    def __init__(self, entries: Sequence[Entry], rng: np.random.Generator) -> None:
        self._entries = entries
        self._rng = rng
        self._showing = Counter(entry.picture for entry in entries)
        self._holding = Counter(words for entry in entries for words in _sentences(entry.text))

    def of_kind(self, kind: Kind, rows: Sequence[int], count: int) -> list[Question]:
        """Return questions of a kind about the first rows that give one."""
        found = (question for row in rows if (question := self._question(kind, row)) is not None)
        return list(islice(found, count))

    def _question(self, kind: Kind, row: int) -> Question | None:
        """Return what an entry asks, None if it asks nothing of this kind."""
        entry = self._entries[row]
        if kind != "sentence" and (not entry.picture or self._showing[entry.picture] > 1):
            return None
        if kind == "figure":
            return Question(row, entry.unit, kind, "", entry.picture)
        if kind == "caption":
            enough = len(entry.caption.split()) >= _FEWEST_WORDS_OF_CAPTION
            return Question(row, entry.unit, kind, entry.caption) if enough else None
        text = self._sentence(entry)
        return (
            Question(row, entry.unit, kind, text, entry.picture if kind == "both" else "") if text else None
        )

    def _sentence(self, entry: Entry) -> str:
        """Return one of an entry's sentences that can be asked and taken out, "" if there is none."""
        most = min(_MOST_WORDS, len(entry.text.split()) - _WORDS_LEFT)
        usable = [
            words
            for words in _sentences(entry.text)
            if _FEWEST_WORDS <= len(words.split()) <= most
            and self._holding[words] == 1
            and words != entry.caption
        ]
        return usable[int(self._rng.integers(len(usable)))] if usable else ""


def _without(entry: Entry, words: str) -> Entry:
    if not words:
        return entry
    lines = (" ".join(line.split()) for line in entry.text.replace(words, " ").split("\n"))
    return replace(entry, text="\n".join(line for line in lines if line))


def _sentences(text: str) -> list[str]:
    """Return the distinct sentences of an entry's words below its headings, which are its first line."""
    lines = text.split("\n")[1:]
    found = (words.strip() for line in lines for words in sentences(line, longest=10_000))
    return list(dict.fromkeys(words for words in found if words))
