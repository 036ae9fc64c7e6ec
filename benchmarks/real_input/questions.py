"""Labelled questions made from the documents themselves, and the documents without what was asked.

Four kinds, each drawn apart from units (sections) with its own random numbers:

text                            a section's first sentence, removed from the document
image                           a figure cropped to 70 % of its area, scaled by .5 to .9, as JPEG 40 to 75
text+image, figure removed      both of the same section; sentence and figure removed from the document
text+image, figure kept         an edited figure, and two or three words of its section's headings

Pictures are edited, figures told apart and heading words drawn as `plait.evaluation.questions` does, whose
questions are made of a library's units; these are made of documents, which are cut into units again. Nothing
is chosen by looking at what any method answers. The rules:

- A sentence has 6 to 80 words, stands in no other unit, and leaves at least 10 words in its own.
- A figure counts as the same wherever its pixels are; each is asked once a kind. Where figures are kept,
  every unit that shows it is relevant. One that is removed was shown by its own unit only, so that it has
  really gone.
- A heading word has three letters or more and is no stop word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from plait import Document, Query, Segment, Unit
from plait.data.segmenting import units
from plait.data.sentences import sentences
from plait.evaluation.questions_pictures import edited, pixels_of
from plait.evaluation.questions_words import heading_words

TEXT = "text"
IMAGE = "image"
BOTH_REMOVED = "text+image, figure removed"
BOTH_KEPT = "text+image, figure kept"
KINDS = (TEXT, IMAGE, BOTH_REMOVED, BOTH_KEPT)

_FEWEST_WORDS, _MOST_WORDS, _WORDS_LEFT = 6, 80, 10


@dataclass(frozen=True, slots=True)
class Question:
    """A question and where it comes from.

    Attributes:
        text: "" if it has none.
        image: JPEG bytes; b"" if it has none.
        unit: what it was made from, before anything was removed.
        sentence: what is removed from the unit; "" if nothing is.
        pixels: digest of the pixels of the figure asked with; "" if there is none.
    """

    id: str
    kind: str
    text: str
    image: bytes
    unit: Unit
    sentence: str = ""
    pixels: str = ""

    @property
    def query(self) -> Query:
        return Query.of(self.text, self.image or None)


class Pool:
    """The documents to draw from, with what is needed to draw fairly.

    Attributes:
        units: of all documents, in order.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = {document.id: document for document in documents}
        self.units = [unit for document in documents for unit in units(document)]
        self._texts = [unit.text for unit in self.units]
        self._digests: dict[str, str] = {}
        self._shown_by: dict[str, list[Unit]] = {}
        for unit in self.units:
            for pixels in dict.fromkeys(map(self.pixels, unit.figures)):
                self._shown_by.setdefault(pixels, []).append(unit)

    def pixels(self, figure: Segment) -> str:
        """Return a digest of a figure's size and pixels, whatever file they were stored in."""
        assert figure.picture is not None, "a unit's figures have pictures"
        key = figure.picture.sha256
        if key not in self._digests:
            self._digests[key] = pixels_of(figure.picture.path)
        return self._digests[key]

    def showing(self, pixels: str) -> list[Unit]:
        """Return the units that show a figure."""
        return self._shown_by.get(pixels, [])

    def draw(self, kind: str, *, count: int, seed: int) -> list[Question]:
        """Return up to `count` questions of a kind; fewer where the documents hold no more."""
        rng = np.random.default_rng([seed, KINDS.index(kind)])
        found: list[Question] = []
        asked: set[str] = set()
        for place in rng.permutation(len(self.units)):
            question = self._question(kind, self.units[place], rng, asked)
            if question is not None:
                asked.add(question.pixels)
                found.append(
                    replace(question, id=f"{kind}-{len(found):03}".replace(" ", "-").replace(",", ""))
                )
            if len(found) == count:
                break
        return found

    def _question(self, kind: str, unit: Unit, rng: np.random.Generator, asked: set[str]) -> Question | None:
        """Return the question a unit gives, or None if it gives none of this kind."""
        text = sentence = pixels = ""
        image = b""
        if kind in (TEXT, BOTH_REMOVED):
            text = sentence = self._first_sentence(unit)
        elif kind == BOTH_KEPT:
            text = heading_words(unit, rng)
        if kind != TEXT:
            figure = self._figure(unit, rng, asked, alone=kind == BOTH_REMOVED)
            if figure is None or figure.picture is None:
                return None
            pixels, image = self.pixels(figure), edited(figure.picture.path, rng)
        if kind != IMAGE and not text:
            return None
        return Question("", kind, text, image, unit, sentence, pixels)

    def _first_sentence(self, unit: Unit) -> str:
        """Return a unit's first sentence if it can be asked and removed, else ""."""
        if not unit.passages:
            return ""
        sentence = next(sentences(unit.passages[0].text, longest=10_000), "").strip()
        words = len(sentence.split())
        left = sum(len(passage.text.split()) for passage in unit.passages) - words
        if not _FEWEST_WORDS <= words <= _MOST_WORDS or left < _WORDS_LEFT:
            return ""
        holders = [s for s in self.documents[unit.document_id].segments if _holds(s, unit, sentence)]
        if len(holders) != 1 or holders[0].text.count(sentence) != 1:
            return ""
        elsewhere = any(
            sentence in text for u, text in zip(self.units, self._texts, strict=True) if u.id != unit.id
        )
        captioned = any(sentence in words for f in unit.figures for words in (f.caption, f.text))
        return "" if elsewhere or captioned else sentence

    def _figure(
        self, unit: Unit, rng: np.random.Generator, asked: set[str], *, alone: bool
    ) -> Segment | None:
        """Return one of a unit's figures at random, of those not asked yet.

        Args:
            alone: only figures that no other unit shows.
        """
        free = [figure for figure in unit.figures if self.pixels(figure) not in asked]
        if alone:
            free = [figure for figure in free if len(self.showing(self.pixels(figure))) == 1]
        return free[int(rng.integers(len(free)))] if free else None

    def without(self, questions: Iterable[Question]) -> Iterator[Document]:
        """Yield each document that loses something, without the sentences and figures of its questions."""
        lost: dict[str, list[Question]] = {}
        for question in questions:
            if question.sentence:
                lost.setdefault(question.unit.document_id, []).append(question)
        for name, of_document in lost.items():
            document = self.documents[name]
            kept = tuple(s for segment in document.segments for s in self._kept(segment, of_document))
            yield replace(document, segments=kept)

    def _kept(self, segment: Segment, questions: Sequence[Question]) -> list[Segment]:
        if segment.kind == "image":
            gone = {question.pixels for question in questions}
            return [] if segment.picture is not None and self.pixels(segment) in gone else [segment]
        text = segment.text
        for question in questions:
            if _holds(segment, question.unit, question.sentence):
                text = text.replace(question.sentence, "", 1).strip()
        return [replace(segment, text=text)] if text else []


def moved(unit: Unit, now: Sequence[Unit]) -> Unit:
    """Return the unit of a changed document that holds what is left of an earlier unit.

    Taking a sentence out can join or shift the parts of a long section: of the units of the same section
    the one that shares the most words is meant.
    """
    words = set(" ".join(passage.text for passage in unit.passages).split())
    same = [one for one in now if one.section == unit.section]
    if not same:
        raise AssertionError(
            f"{unit.title} > {unit.section} has gone with its sentence: leave more words in it"
        )
    return max(same, key=lambda one: len(words & set(" ".join(p.text for p in one.passages).split())))


def _holds(segment: Segment, unit: Unit, sentence: str) -> bool:
    return segment.kind == "text" and segment.section == unit.section and sentence in segment.text
