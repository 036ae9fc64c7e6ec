"""Self-made questions about a manual: what the fusion is fitted on, and what validation asks.

Six kinds, after what people do with a picture and some words:

    text        a section's first sentence, removed from the section
    image       an edited figure
    removed     that sentence and an edited figure, both removed from the section
    kept        two or three words of the heading and an edited figure, both still there
    vague       words that fit every page ("how do I set this?") and an edited figure
    unrelated   the sentence, removed, and a picture from somewhere else
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from plait.data.sentences import sentences
from plait.schema import Passage, Segment, Unit

Kind = Literal["text", "image", "removed", "kept", "vague", "unrelated"]
KINDS: tuple[Kind, ...] = ("text", "image", "removed", "kept", "vague", "unrelated")

VAGUE = (
    "how do I set this?",
    "what is this?",
    "where do I find this",
    "what does this do",
    "how can I get something like this?",
    "help with this please",
    "this one",
    "explain this picture",
    "which page shows this?",
    "I want to do this",
    "what am I looking at",
    "how does it work?",
    "looking for the part about this",
    "see the attached picture",
    "how was this made",
    "can you tell me more about it",
)
_SMALL_WORDS = (
    "a an and are as at by for from how in is it of on or that the this to using what with you your"
)
_STOP = frozenset(_SMALL_WORDS.split())
FEWEST_WORDS_ASKED, MOST_WORDS_ASKED, FEWEST_WORDS_LEFT = 5, 60, 12
_SMALLEST_SIDE_PX = 32


@dataclass(frozen=True, slots=True)
class Question:
    """One query with its answer.

    Attributes:
        text: "" if only the picture asks.
        picture: sha256 of the figure to edit, "" if only the words ask, "*" for an unrelated picture.
        row: the unit that answers it.
    """

    kind: Kind
    text: str
    picture: str
    row: int


def ask(manual: Sequence[Unit], *, most: int = 150, seed: int = 0) -> tuple[list[Unit], list[Question]]:
    """Return the manual with what is asked for taken out of it, and the questions.

    Every unit is asked in one way only, so one corpus serves all questions.

    Args:
        manual: units.
        most: questions of each kind.
    """
    rng = np.random.default_rng(seed)
    corpus, questions = list(manual), list[Question]()
    illustrated = [row for row in rng.permutation(len(manual)) if _askable(manual[row])]
    for row in illustrated[::2][:most]:  # asked with the figure taken out
        figure = _figure(manual[row])
        cut = _without_first_sentence(manual[row])
        if figure is None or figure.picture is None or cut is None:
            continue
        unit, sentence = cut
        corpus[row] = replace(unit, figures=tuple(f for f in unit.figures if f is not figure))
        questions.append(Question("removed", sentence, figure.picture.sha256, int(row)))
    taken = {question.row for question in questions}
    for count, row in enumerate(illustrated[1::2][:most]):  # asked with the figure left in
        figure = _figure(manual[row])
        assert figure is not None
        assert figure.picture is not None
        sha256 = figure.picture.sha256
        questions.append(Question("image", "", sha256, int(row)))
        questions.append(Question("vague", VAGUE[count % len(VAGUE)], sha256, int(row)))
        if words := _heading_words(manual[row], rng):
            questions.append(Question("kept", words, sha256, int(row)))
        taken.add(row)
    others = [row for row in rng.permutation(len(manual)) if row not in taken]
    for row in others:
        if sum(question.kind == "text" for question in questions) == most:
            break
        cut = _without_first_sentence(manual[row])
        if cut is not None:
            corpus[row], sentence = cut
            questions.append(Question("text", sentence, "", int(row)))
            questions.append(Question("unrelated", sentence, "*", int(row)))
    return corpus, questions


def large_figures(unit: Unit) -> list[Segment]:
    """Return a unit's figures that are large enough to be photographed, the largest first."""
    large = [
        (figure.picture.width_px * figure.picture.height_px, figure)
        for figure in unit.figures
        if figure.picture and min(figure.picture.width_px, figure.picture.height_px) >= _SMALLEST_SIDE_PX
    ]
    return [figure for _, figure in sorted(large, key=lambda one: -one[0])]


def _askable(unit: Unit) -> bool:
    """Tell whether a unit has a figure to show and enough words to be more than a gallery."""
    words = sum(len(passage.text.split()) for passage in unit.passages)
    return words >= FEWEST_WORDS_LEFT and _figure(unit) is not None


def _figure(unit: Unit) -> Segment | None:
    """Return a unit's largest figure, if it is large enough to be photographed."""
    return next(iter(large_figures(unit)), None)


def _without_first_sentence(unit: Unit) -> tuple[Unit, str] | None:
    """Return the unit without its first sentence, and that sentence; None where too little is left."""
    if not unit.passages:
        return None
    sentence = next(iter(sentences(unit.passages[0].text, longest=10_000)), "").strip()
    if not FEWEST_WORDS_ASKED <= len(sentence.split()) <= MOST_WORDS_ASKED:
        return None
    left = tuple(cut for passage in unit.passages if (cut := _cut(passage, sentence)).text)
    if sum(len(passage.text.split()) for passage in left) < FEWEST_WORDS_LEFT:
        return None
    return replace(unit, passages=left), sentence


def _cut(passage: Passage, sentence: str) -> Passage:
    return replace(passage, text=passage.text.replace(sentence, " ").strip())


def _heading_words(unit: Unit, rng: np.random.Generator) -> str:
    """Return two or three neighbouring words of the innermost heading, small words left out; or ""."""
    heading = unit.section[-1] if unit.section else unit.title
    words = [word for word in heading.split() if word.lower() not in _STOP and any(map(str.isalnum, word))]
    if len(words) < 2:
        return ""
    count = int(rng.integers(2, 4))
    start = int(rng.integers(0, max(1, len(words) - count + 1)))
    return " ".join(words[start : start + count])
