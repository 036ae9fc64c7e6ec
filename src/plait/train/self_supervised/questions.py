"""What a section asks of itself: pairs of a query and the section, without what is asked for.

Five kinds:

    sentence    a sentence, taken out of the section
    figure      an edited figure, which the section still shows
    removed     a sentence and an edited figure, both taken out
    caption     a figure's caption; its document is the figure alone
    title       the title and the innermost heading; the section has none of its headings then

A section is one document in all its pairs, whatever their kind (only the figure beside its words may be
another): what one pair asks for is not in the document of another either. Otherwise held-out queries, for
which every document of their section counts as an answer, would find their own words in one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from random import Random
from typing import Literal

from plait.data.sentences import sentences, weight
from plait.data.training.drawing import generator
from plait.encode.items import heading_of
from plait.schema import Picture, Unit
from plait.train.mini.queries import FEWEST_WORDS_ASKED, FEWEST_WORDS_LEFT, MOST_WORDS_ASKED, large_figures

Kind = Literal["sentence", "figure", "removed", "caption", "title"]
KINDS: tuple[Kind, ...] = ("sentence", "figure", "removed", "caption", "title")
WITH_FIGURES: tuple[Kind, ...] = ("figure", "removed", "caption")

_MOST_WORDS_READ = 120  # about a passage: what encoders read at once when they search
_FEWEST_WORDS_OF_CAPTION = 3  # shorter ones are mostly names of files


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that was looked at.

    Attributes:
        caption, alternative: what is said of it, white space set right; "" if nothing.
        is_new: no section before this one shows it, so it is clear which section it asks for.
    """

    picture: Picture
    caption: str = ""
    alternative: str = ""
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """A query and the document that answers it.

    Attributes:
        text: the query's words; "" if only a picture asks.
        asking: the figure that asks, edited; None if only words ask.
        edit: which of its edits, from 0.
        document: the document's words; "" if it is a figure alone.
        shown: the figure that the document shows, as it is; None for none.
    """

    kind: Kind
    text: str
    asking: Picture | None
    edit: int
    document: str
    shown: Picture | None


@dataclass(frozen=True, slots=True)
class Asking:
    """How a section is asked about.

    Attributes:
        most: sentences, and figures, asked about.
        edits: of each figure.
        figure_out: the largest new figure is taken out, for "removed"; else it stays.
        headings_out: they are taken out, for "title".
    """

    kinds: AbstractSet[Kind]
    most: int
    edits: int
    figure_out: bool
    headings_out: bool


def questions_of(unit: Unit, figures: Sequence[Figure], asking: Asking, *, seed: int) -> list[Question]:
    """Return what a section asks of itself; nothing where too little would be left of it.

    Of a section of more than 120 words, a run of sentences of about that length stands for it.

    Args:
        figures: those of the unit that can be opened, the largest first.
    """
    new = [figure for figure in figures if figure.is_new][: asking.most]
    rng = generator(seed, "sentences", unit.id)
    said = {_spaced(unit.title), *map(_spaced, unit.section)}  # beside the sentences: not said twice
    said.update(words for figure in figures for words in (figure.caption, figure.alternative))
    read = _run([words for words in _sentences(unit) if words not in said], rng)
    wanted = asking.most if "sentence" in asking.kinds or (asking.figure_out and new) else 0
    asked = _drawn(read, wanted, rng)
    figure_out = bool(asking.figure_out and new and asked)
    section = _Section(unit, read, asked, () if figure_out else new, asking)
    kept = [figure for figure in figures if not (figure_out and figure is new[0])]
    shown = next((figure for figure in kept if figure.is_new), next(iter(kept), None))

    found: list[Question] = []
    if not section.is_bare:
        if "sentence" in asking.kinds:
            found += [section.asked("sentence", words, None, 0, shown) for words in asked]
        if figure_out:
            found += [
                section.asked("removed", asked[edit % len(asked)], new[0], edit, shown)
                for edit in range(asking.edits)
            ]
        elif "figure" in asking.kinds:
            found += [
                section.asked("figure", "", figure, edit, figure)
                for figure in new
                for edit in range(asking.edits)
            ]
        if section.title:
            found.append(section.asked("title", section.title, None, 0, shown))
    found += [Question("caption", words, None, 0, "", figure.picture) for words, figure in section.captions]
    return found


def figures_of(unit: Unit) -> list[Figure]:
    """Return the figures that are large enough to ask with, the largest first, all as new."""
    return [
        Figure(figure.picture, _spaced(figure.caption), _spaced(figure.text))
        for figure in large_figures(unit)
        if figure.picture is not None
    ]


class _Section:
    """A unit as a document, without what is asked for.

    Args:
        read: the sentences that stand for it.
        asked: those of them that are asked for.
        staying: the figures that may be asked for by their captions.
    """

    def __init__(
        self,
        unit: Unit,
        read: Sequence[str],
        asked: Sequence[str],
        staying: Sequence[Figure],
        asking: Asking,
    ) -> None:
        self._asked = asked
        self._heading = "" if asking.headings_out else heading_of(unit)
        self.title = _title(unit) if asking.headings_out else ""
        self.captions = _captions(staying) if "caption" in asking.kinds else []
        self._body = " ".join(words for words in read if self._stays(words))

    @property
    def is_bare(self) -> bool:
        """Whether too few words are left."""
        return weight(self._body) < FEWEST_WORDS_LEFT

    def asked(
        self, kind: Kind, text: str, figure: Figure | None, edit: int, shown: Figure | None
    ) -> Question:
        """Return one question whose document this is."""
        said = dict.fromkeys((shown.caption, shown.alternative) if shown else ())
        if not said.keys().isdisjoint(words for words, _ in self.captions):
            said = {}
        lines = [line for line in (self._heading, *said) if line and self._stays(line)]
        document = "\n".join([*lines, self._body])
        asking, beside = (None if one is None else one.picture for one in (figure, shown))
        return Question(kind, text, asking, edit, document, beside)

    def _stays(self, words: str) -> bool:
        return not any(sentence in words for sentence in self._asked)


def _sentences(unit: Unit) -> list[str]:
    """Return the unit's sentences, white space set right; what two passages share only once."""
    found: list[str] = []
    for passage in unit.passages:
        of_passage = [spaced for one in sentences(passage.text, longest=10_000) if (spaced := _spaced(one))]
        found += of_passage[1:] if found and of_passage[:1] == found[-1:] else of_passage
    return found


def _run(found: Sequence[str], rng: Random) -> list[str]:
    """Return neighbouring sentences of about the length that is read at once, from a place at random."""
    words = [weight(one) for one in found]
    places = [at for at in range(len(found)) if sum(words[at:]) >= _MOST_WORDS_READ]
    start = rng.choice(places) if places else 0
    run: list[str] = []
    for one in found[start:]:
        if sum(map(weight, run)) >= _MOST_WORDS_READ:
            break
        run.append(one)
    return run


def _drawn(read: Sequence[str], most: int, rng: Random) -> list[str]:
    """Return sentences to ask for, at random; half of the words, and enough, are left without them."""
    least = max(FEWEST_WORDS_LEFT, sum(map(weight, read)) / 2)
    asked: list[str] = []
    for one in rng.sample(read, len(read)):
        if len(asked) == most:
            break
        left = [words for words in read if not any(gone in words for gone in (*asked, one))]
        is_askable = FEWEST_WORDS_ASKED <= weight(one) <= MOST_WORDS_ASKED
        if is_askable and one not in asked and sum(map(weight, left)) >= least:
            asked.append(one)
    return asked


def _title(unit: Unit) -> str:
    """Return the title and the innermost heading as a query; "" if they hold no word."""
    named = dict.fromkeys(_spaced(part) for part in (unit.title, *unit.section[-1:]))
    title = ": ".join(part for part in named if part)
    return title if any(map(str.isalpha, title)) else ""


def _captions(figures: Sequence[Figure]) -> list[tuple[str, Figure]]:
    """Return captions, or else alternative texts, that are long enough to ask with."""
    said = [(figure.caption or figure.alternative, figure) for figure in figures]
    return [one for one in said if _FEWEST_WORDS_OF_CAPTION <= weight(one[0]) <= MOST_WORDS_ASKED]


def _spaced(text: str) -> str:
    return " ".join(text.split())
