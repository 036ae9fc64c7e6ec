"""Labelled queries that documents ask of themselves, and the units without what was asked.

Six kinds:

    sentence         a sentence of a unit, taken out of it
    figure           a figure, edited; it stays
    figure+sentence  a sentence and an edited figure of one unit, both taken out
    figure+heading   an edited figure, and two or three words of the headings; both stay
    caption          a figure's caption, or else its alternative text, taken out; the figure stays
    title            the innermost heading, or else the title, taken out of the unit's headings

One changed copy serves all of them, for nothing that is asked for is left anywhere in it by accident:

- What is taken out stood in this unit alone: a sentence, caption or heading in no other unit's text or
  headings, a figure, by its pixels, in no other unit. It leaves enough words.
- A figure that stays is shown by up to ten units, and each of them is right. More is decoration.
- A unit loses one thing only, and none that is asked for what stays.

Nothing is chosen by looking at what any method answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from plait.data.collections.base import LabelledQuery
from plait.errors import InputError
from plait.evaluation.questions_pictures import SMALLEST_SIDE_PX, Figures, edited, large_figures
from plait.evaluation.questions_words import (
    Holders,
    caption_of,
    heading_of,
    heading_words,
    sentences_of,
    without_caption,
    without_heading,
    without_sentence,
)
from plait.schema import Picture, Qrels, Query, Unit

Kind = Literal["sentence", "figure", "figure+sentence", "figure+heading", "caption", "title"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WITH_PICTURES: tuple[Kind, ...] = ("figure", "figure+sentence", "figure+heading")

_LEAVING_ALL: tuple[Kind, ...] = ("figure", "figure+heading")
_MOST_SHOWING = 10  # units that show a figure which is asked with
_NEEDS: dict[Kind, str] = {
    "sentence": "a sentence of 6 to 60 words",
    "figure": f"a figure of {SMALLEST_SIDE_PX} px or more",
    "figure+sentence": f"a figure of {SMALLEST_SIDE_PX} px or more and a sentence of 6 to 60 words",
    "figure+heading": f"a figure of {SMALLEST_SIDE_PX} px or more and two words in its headings",
    "caption": "a figure with a caption of three words or more",
    "title": "a heading of two words or more",
}


@dataclass(frozen=True, slots=True)
class Question:
    """A query with its answers.

    Attributes:
        text: "" if only a picture asks.
        image: JPEG bytes; b"" if only words ask.
        unit_id, document_id: what it was made from.
        relevant: ids of the units that answer it.
    """

    id: str
    kind: Kind
    text: str
    image: bytes
    unit_id: str
    document_id: str
    relevant: tuple[str, ...]

    @property
    def labelled(self) -> LabelledQuery:
        """The query as a collection has it."""
        return LabelledQuery(self.id, Query.of(self.text, self.image or None), self.kind)


@dataclass(frozen=True, slots=True)
class Questions:
    """What some units ask.

    Attributes:
        asked: kind by kind.
        changed: unit id -> the unit without what a question took out.
        short: kind -> why fewer were found than wanted; kinds with enough are absent.
    """

    asked: tuple[Question, ...]
    changed: Mapping[str, Unit]
    short: Mapping[str, str]

    @property
    def qrels(self) -> Qrels:
        """Question id -> unit id -> 1."""
        return {question.id: dict.fromkeys(question.relevant, 1) for question in self.asked}


def draw(
    units: Sequence[Unit], *, kinds: Sequence[str] = KINDS, count: int = 100, seed: int = 0
) -> Questions:
    """Return up to `count` questions of each kind; fewer where the units hold no more.

    The same units, kinds, count and seed give the same questions.

    Args:
        units: all that could answer; pictures are opened from their paths.

    Raises:
        InputError: an unknown kind, or a count below 1.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        seen = ", ".join(unknown) or "none"
        raise InputError(f"unknown kind of question: {seen}; use some of {', '.join(KINDS)}")
    if count < 1:
        raise InputError(f"the number of questions must be at least 1, got {count}")
    return _Drawing(units, seed).of([kind for kind in KINDS if kind in kinds], count)


_Made = tuple[str, bytes, Sequence[int], Unit | None]  # words, picture, who answers, the unit as it is left


class _Drawing:
    """One draw of questions: which units have been asked for something, and what of them is left."""

    def __init__(self, units: Sequence[Unit], seed: int) -> None:
        self._units = units
        self._seed = seed
        self._figures = Figures(units)
        self._texts = Holders(units)
        self._changed: dict[int, Unit] = {}
        self._whole: set[int] = set()  # that must stay as they are
        self._makers: dict[Kind, Callable[[int, np.random.Generator, set[str]], _Made | None]] = {
            "sentence": self._sentence,
            "figure": self._figure,
            "figure+sentence": self._figure_and_sentence,
            "figure+heading": self._figure_and_heading,
            "caption": self._caption,
            "title": self._title,
        }

    def of(self, kinds: Sequence[Kind], count: int) -> Questions:
        """Return questions, drawn in turns so that each kind gets its share of the units."""
        found: dict[Kind, list[Question]] = {kind: [] for kind in kinds}
        drawing = {kind: self._drawn(kind) for kind in kinds}
        for _ in range(count):
            for kind, questions in drawing.items():
                question = next(questions, None)
                if question is not None:
                    found[kind].append(replace(question, id=f"{kind}-{len(found[kind]):03}"))
        return Questions(
            asked=tuple(question for of_kind in found.values() for question in of_kind),
            changed={self._units[place].id: unit for place, unit in self._changed.items()},
            short={
                kind: self._why(kind, len(some), count) for kind, some in found.items() if len(some) < count
            },
        )

    def _drawn(self, kind: Kind) -> Iterator[Question]:
        """Yield what can be asked of the units that are still free for it, in an order drawn at random."""
        # One order for all: both kinds that leave units whole ask the same ones, so that others remain.
        order = np.random.default_rng(self._seed).permutation(len(self._units))
        rng = np.random.default_rng([self._seed, KINDS.index(kind)])
        asked: set[str] = set()
        for place in map(int, order):
            if place in self._changed or (place in self._whole and kind not in _LEAVING_ALL):
                continue
            made = self._makers[kind](place, rng, asked)
            if made is None:
                continue
            text, image, answers, left = made
            if left is None:
                self._whole.add(place)
            else:
                self._changed[place] = left
            unit = self._units[place]
            relevant = tuple(self._units[answer].id for answer in answers)
            yield Question("", kind, text, image, unit.id, unit.document_id, relevant)

    def _sentence(self, place: int, rng: np.random.Generator, asked: set[str]) -> _Made | None:
        taken = self._without_a_sentence(place, self._units[place], rng)
        return taken and (taken[0], b"", [place], taken[1])

    def _figure(self, place: int, rng: np.random.Generator, asked: set[str]) -> _Made | None:
        found = self._drawn_figure(place, rng, asked, most=_MOST_SHOWING)
        return found and ("", edited(found[0].path, rng), found[1], None)

    def _figure_and_sentence(self, place: int, rng: np.random.Generator, asked: set[str]) -> _Made | None:
        found = self._drawn_figure(place, rng, asked, most=1)
        if found is None:
            return None
        unit, (picture, answers) = self._units[place], found
        pixels = self._figures.pixels(picture)
        others = (one for one in unit.figures if one.picture and self._figures.pixels(one.picture) != pixels)
        bare = replace(unit, figures=tuple(others))
        taken = self._without_a_sentence(place, bare, rng)
        return taken and (taken[0], edited(picture.path, rng), answers, taken[1])

    def _figure_and_heading(self, place: int, rng: np.random.Generator, asked: set[str]) -> _Made | None:
        found = self._drawn_figure(place, rng, asked, most=_MOST_SHOWING)
        words = heading_words(self._units[place], rng) if found else ""
        return (words, edited(found[0].path, rng), found[1], None) if found and words else None

    def _caption(self, place: int, rng: np.random.Generator, asked: set[str]) -> _Made | None:
        unit = self._units[place]
        for figure, picture in large_figures(unit):
            caption = caption_of(figure)
            left = without_caption(unit, figure, caption) if caption else None
            if left is not None and self._texts.only(caption, place):
                answers = self._figures.showing(picture)
                if 0 < len(answers) <= _MOST_SHOWING:
                    return caption, b"", answers, left
        return None

    def _title(self, place: int, rng: np.random.Generator, asked: set[str]) -> _Made | None:
        heading = heading_of(self._units[place])
        if not heading or not self._texts.only(heading, place):
            return None
        left = without_heading(self._units[place], heading)
        return None if left is None else (heading, b"", [place], left)

    def _without_a_sentence(
        self, place: int, unit: Unit, rng: np.random.Generator
    ) -> tuple[str, Unit] | None:
        """Return a sentence at random that can be taken out of a unit, and what is left of it."""
        found = sentences_of(unit)
        for sentence in (found[at] for at in rng.permutation(len(found))):
            left = without_sentence(unit, sentence)
            if left is not None and self._texts.only(sentence, place):
                return sentence, left
        return None

    def _drawn_figure(
        self, place: int, rng: np.random.Generator, asked: set[str], *, most: int
    ) -> tuple[Picture, list[int]] | None:
        """Return a figure at random that this kind has not asked with, and the units that show it."""
        found = [picture for _, picture in large_figures(self._units[place])]
        for picture in (found[at] for at in rng.permutation(len(found))):
            pixels = self._figures.pixels(picture)
            if pixels and pixels not in asked:
                answers = self._figures.showing(picture)
                if len(answers) <= most:
                    asked.add(pixels)
                    return picture, answers
        return None

    def _why(self, kind: Kind, found: int, wanted: int) -> str:
        able = sum(_has(kind, unit) for unit in self._units)
        if not able:
            return f"no unit has {_NEEDS[kind]}"
        return (
            f"{found} of {wanted}: {able} units have {_NEEDS[kind]}; the others say or show what others do "
            "too, would be left with too few words, or are asked for something else"
        )


def _has(kind: Kind, unit: Unit) -> bool:
    """Tell whether a unit has what a kind is made of."""
    has_figure = any(True for _ in large_figures(unit))
    match kind:
        case "sentence":
            return bool(sentences_of(unit))
        case "figure":
            return has_figure
        case "figure+sentence":
            return has_figure and bool(sentences_of(unit))
        case "figure+heading":
            return has_figure and bool(heading_words(unit, np.random.default_rng(0)))
        case "caption":
            return any(caption_of(figure) for figure, _ in large_figures(unit))
        case "title":
            return bool(heading_of(unit))
