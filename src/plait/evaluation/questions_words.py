"""What words of a unit a question can ask with, and the unit without them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from plait.data.sentences import sentences, weight
from plait.schema import Passage, Segment, Unit

FEWEST_WORDS, MOST_WORDS = 6, 60  # of a sentence; shorter ones are labels, longer ones lists
FEWEST_WORDS_OF_CAPTION = 3  # shorter ones are mostly names of files
FEWEST_WORDS_OF_HEADING = 2
WORDS_LEFT = 12  # in the passages of a unit that lost something

_STOP_WORDS = frozenset({"the", "and", "for", "with", "from", "into", "its", "are", "this", "that", "your"})
_LETTERS = 0.6  # of a sentence's characters other than white space; less is code, or a row of numbers


def sentences_of(unit: Unit) -> list[str]:
    """Return the sentences of the running text that can be asked with, each once."""
    found = (
        " ".join(sentence.split())
        for passage in unit.passages
        if passage.table is None
        for sentence in sentences(passage.text, longest=10_000)
    )
    return [
        one for one in dict.fromkeys(found) if FEWEST_WORDS <= weight(one) <= MOST_WORDS and _is_prose(one)
    ]


def without_sentence(unit: Unit, sentence: str) -> Unit | None:
    """Return a unit without a sentence, wherever white space breaks it; None where too little is left.

    None too where it stands outside of the passages, in a caption or heading: it would not be gone.
    """
    pattern = re.compile(r"\s+".join(map(re.escape, sentence.split())))
    cut = (replace(one, text=pattern.sub(" ", one.text).strip()) for one in unit.passages)
    left = replace(unit, passages=tuple(passage for passage in cut if passage.text))
    return None if words_in(left) < WORDS_LEFT or sentence in spaced(left.text) else left


def caption_of(figure: Segment) -> str:
    """Return a figure's caption without its label, or else its alternative text; "" if it says too little."""
    words = spaced(figure.caption).removeprefix(spaced(figure.label)).lstrip(" .:–—-")
    for said in (words, spaced(figure.text)):
        if FEWEST_WORDS_OF_CAPTION <= weight(said) <= MOST_WORDS and _is_prose(said):
            return said
    return ""


def without_caption(unit: Unit, figure: Segment, caption: str) -> Unit | None:
    """Return a unit whose figure says nothing of itself; None where it says the caption's words elsewhere."""
    silent = replace(figure, caption="", text="")
    left = replace(unit, figures=tuple(silent if one is figure else one for one in unit.figures))
    return None if caption in spaced(left.text) else left


def heading_of(unit: Unit) -> str:
    """Return the innermost heading, or else the title, without its number; "" if it says too little."""
    heading = _unnumbered(unit.section[-1] if unit.section else unit.title)
    return heading if weight(heading) >= FEWEST_WORDS_OF_HEADING and any(map(str.isalpha, heading)) else ""


def without_heading(unit: Unit, heading: str) -> Unit | None:
    """Return a unit without a heading among its headings; None if too little is left, or another holds it."""

    def others(section: Sequence[str]) -> tuple[str, ...]:
        return tuple(one for one in section if _unnumbered(one) != heading)

    def under(passage: Passage) -> Passage:
        return passage if passage.section is None else replace(passage, section=others(passage.section))

    if words_in(unit) < WORDS_LEFT:
        return None
    title = "" if _unnumbered(unit.title) == heading else unit.title
    section = others(unit.section)
    if any(heading in spaced(one) for one in (title, *section)):
        return None
    return replace(unit, title=title, section=section, passages=tuple(map(under, unit.passages)))


def heading_words(unit: Unit, rng: np.random.Generator) -> str:
    """Return two or three words of a unit's headings in their order, "" if there are not two.

    Words of three letters or more, and no stop words.
    """
    headings = " ".join(dict.fromkeys((unit.title, *unit.section)))
    words = dict.fromkeys(re.findall(r"[^\W\d_]{3,}", headings))
    usable = [word for word in words if word.lower() not in _STOP_WORDS]
    if len(usable) < 2:
        return ""
    count = min(len(usable), int(rng.integers(2, 4)))
    return " ".join(usable[place] for place in sorted(rng.choice(len(usable), count, replace=False)))


def words_in(unit: Unit) -> int:
    """Return how many words the passages hold; those that two share count twice."""
    return sum(weight(passage.text) for passage in unit.passages)


def spaced(text: str) -> str:
    """Return a text with one space where there is white space."""
    return " ".join(text.split())


class Holders:
    """Which units hold some words, of all that could answer.

    Args:
        units: whose words are looked through, headings and captions too; kept with white space set right.
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        self._texts = [spaced(unit.text) for unit in units]

    def of(self, words: str) -> Iterator[int]:
        """Yield the places of the units that hold some words."""
        return (place for place, text in enumerate(self._texts) if words in text)

    def only(self, words: str, place: int) -> bool:
        """Tell whether no other unit holds some words."""
        return all(holder == place for holder in self.of(words))


def _unnumbered(heading: str) -> str:
    """Return a heading from its first word on: "3.2. Overview" is no other than every "Overview"."""
    words = heading.split()
    first = next((place for place, word in enumerate(words) if any(map(str.isalpha, word))), len(words))
    return " ".join(words[first:])


def _is_prose(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    return letters >= _LETTERS * len(text.replace(" ", ""))
