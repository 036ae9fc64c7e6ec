"""Questions about figures, each with units from which what it asks with was taken out.

Three kinds, each holding out one thing that is said of a figure, so that the others must find it:

caption    the caption, without its label
mention    the first sentence that names the figure ("Figure 3"), without that name
alternative  the alternative text; of a figure in a PDF, the words drawn in it

A question's words stand nowhere else in the collection as a caption, an alternative text or a heading, and
what is taken out goes from every unit of its document.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from plait.data.mentions import Named, mentions, name_of
from plait.data.sentences import sentences
from plait.schema import Passage, Segment, Unit

Kind = Literal["caption", "mention", "alternative"]
KINDS: tuple[Kind, ...] = ("caption", "mention", "alternative")
_FEWEST_WORDS = 4
_NAME = re.compile(
    r"\(?\b(?:figs?|figures?|abb(?:ildung)?|tab(?:le|elle)?|scheme|plate|chart)s?\.?[\s~]*[\dIVX][\w.()-]*\)?",
    re.I,
)
Place = tuple[int, int]  # a unit, and a figure of it


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and where the figure is.

    Attributes:
        text: without the name of the figure.
        unit: the place of the figure's unit in the collection.
        document: the id of its document.
        said: what was taken out, as it stood.
    """

    text: str
    unit: int
    document: str
    said: str


def asked(units: Sequence[Unit], kind: Kind, *, most: int) -> tuple[list[Question], list[Unit]]:
    """Return questions of a kind, at most one a unit, and the units without what they ask with.

    Args:
        units: a collection, the units of one document next to each other and in order.
        most: of questions; they are spread evenly over the collection.
    """
    found = list(_found(units, kind))
    step = max(1, -(-len(found) // most))
    chosen = found[::step]
    kept = list(units)
    for place, question in chosen:
        kept = _without(kept, kind, place, question)
    return [question for _, question in chosen], kept


def _found(units: Sequence[Unit], kind: Kind) -> Iterator[tuple[Place, Question]]:
    told = Counter(_key(words) for unit in units for words in _told(unit))
    naming = dict(_naming(units)) if kind == "mention" else {}
    for at, unit in enumerate(units):
        for number, figure in enumerate(unit.figures):
            said = _said(figure, kind) if kind != "mention" else naming.get((at, number), "")
            text = " ".join(_NAME.sub(" ", said).split()).strip(" .:,;")
            alone = kind == "mention" or told[_key(said)] <= 1 + (_key(figure.caption) == _key(figure.text))
            if len(text.split()) >= _FEWEST_WORDS and alone:
                yield (at, number), Question(text, at, unit.document_id, said)
                break


def _said(figure: Segment, kind: Kind) -> str:
    return figure.caption if kind == "caption" else figure.text


def _told(unit: Unit) -> Iterator[str]:
    yield from {unit.title, *unit.section}
    for figure in unit.figures:
        yield from (figure.caption, figure.text)


def _naming(units: Sequence[Unit]) -> Iterator[tuple[Place, str]]:
    """Give for figures that are named the first sentence that does."""
    first = 0
    while first < len(units):
        document = units[first].document_id
        last = first
        while last < len(units) and units[last].document_id == document:
            last += 1
        ids = {
            f"{at} {number}": (at, number)
            for at in range(first, last)
            for number in range(len(units[at].figures))
        }
        named = Named((at, key, units[at].figures[number]) for key, (at, number) in ids.items())
        seen: set[Place] = set()
        for at in range(first, last):
            for passage in units[at].passages:
                for sentence in sentences(passage.text, longest=80) if mentions(passage.text) else ():
                    meant = {ids[key] for label in mentions(sentence) for key in named.meant(label, at)}
                    yield from ((place, sentence.strip()) for place in meant - seen)
                    seen |= meant
        first = last


def _without(units: list[Unit], kind: Kind, place: Place, question: Question) -> list[Unit]:
    """Return the units without the words; a figure keeps its label, so that what names it is still known."""
    at, number = place
    if kind == "mention":
        for near in _document(units, at):
            cut = (_cut(passage, question.said) for passage in units[near].passages)
            units[near] = replace(units[near], passages=tuple(p for p in cut if p.text))
        return units
    figures = list(units[at].figures)
    figure = figures[number]
    gone = _key(question.said)
    figures[number] = replace(
        figure,
        label=name_of(figure),
        caption="" if _key(figure.caption) == gone else figure.caption,
        text="" if _key(figure.text) == gone else figure.text,
    )
    units[at] = replace(units[at], figures=tuple(figures))
    return units


def _document(units: Sequence[Unit], at: int) -> range:
    first = last = at
    while first > 0 and units[first - 1].document_id == units[at].document_id:
        first -= 1
    while last + 1 < len(units) and units[last + 1].document_id == units[at].document_id:
        last += 1
    return range(first, last + 1)


def _cut(passage: Passage, words: str) -> Passage:
    return replace(passage, text=passage.text.replace(words, " ").strip())


def _key(words: str) -> str:
    return " ".join(re.findall(r"\w+", words.casefold()))
