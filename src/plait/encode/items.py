"""What a unit and a query give to encode: the words and pictures that are read together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from plait.data.mentions import label_of, mentions
from plait.data.sentences import sentences
from plait.encode.windows import TextLimit
from plait.schema import Passage, Query, Segment, Unit
from plait.scoring.vectors import Vectors

# More of the limit than this is not spent on headings: at CLIP's 77 tokens, 18 of them.
_HEADING_SHARE = 0.25
_LONGEST_SENTENCE = 60  # in words

_I = TypeVar("_I")


@dataclass(frozen=True, slots=True)
class Item:
    """What is encoded together.

    Attributes:
        text: words, "" for none.
        picture: the path of a picture, None for none.
        is_window: whether its text is one of several windows of a text too long to be read at once.
    """

    text: str
    picture: str | None
    is_window: bool = False


@dataclass(frozen=True, slots=True)
class FigureContext:
    """Which words are encoded with a figure, in this order; what is left out is encoded without it.

    No other choice found figures better, beyond noise, than the default: `benchmarks/reading/context.py`.

    Attributes:
        section: the title and headings of its unit.
        caption, alternative: its own words.
        mentions: the sentences of its unit that name it ("as Figure 3 shows").
        nearest: the passage that begins nearest to it.
    """

    section: bool = True
    caption: bool = True
    alternative: bool = True
    mentions: bool = False
    nearest: bool = True


def unit_items(unit: Unit, limit: TextLimit, *, context: FigureContext | None = None) -> list[Item]:
    """Return what a unit gives to encode, so that an encoder reads every word of it.

    Each figure with the words of its context; then each passage that went with no figure. Of words that are
    too long together, the first window goes with the figure, and the others are items of their own. A
    passage nearest to several figures goes with each of them, but what did not fit beside the first is
    encoded only once.

    Every text begins with the unit's title and headings, outermost first: a passage read alone often
    does not name its subject. Where they are long, only the innermost do, and the whole path is an item
    of its own.

    Args:
        limit: how much text the encoder reads at once.
        context: which words go with a figure; None means the default.
    """
    context = context or FigureContext()
    heading = _short_heading(unit, limit)
    above = heading if context.section else ""
    figures = [(figure, figure.picture.path) for figure in unit.figures if figure.picture is not None]
    with_figures: list[Item] = []
    alone: list[Item] = []
    taken: list[Passage | None] = []
    for figure, path in figures:
        nearest = nearest_passage(figure, unit.passages) if context.nearest else None
        own = _own_words(figure, unit, context)
        first, *others = _under(above, _lines(*own, nearest), limit) or [Item(above, None)]
        if nearest in taken:
            others = _under(above, _lines(*own), limit)[1:]
        with_figures.append(Item(first.text, path, first.is_window))
        alone += others
        alone += _under(heading, _lines(*(words for words in _captions(figure) if words not in own)), limit)
        taken.append(nearest)
    for passage in unit.passages:
        if passage not in taken:
            alone += _under(heading, passage.text, limit)
    found, whole = [*with_figures, *alone], heading_of(unit)
    if found and not any(item.text.startswith(whole) for item in found):
        found += _under("", whole, limit)
    return found


def query_parts(
    query: Query, images: Sequence[_I], limit: TextLimit
) -> tuple[list[tuple[str, _I | None]], Vectors]:
    """Return what a query asks with, each a text, an image or both, and their weights, which sum to 1.

    All texts and the first image are one part, every further image is another. Texts that are too long
    together give further parts, and share the weight of the first by their tokens: a long text weighs
    as much as a short one.

    Args:
        images: what stands for each of the query's images.
    """
    first, *others = limit.windows(" ".join(query.texts)) or [""]
    first_image = images[0] if images else None
    parts: list[tuple[str, _I | None]] = [(first, first_image)]
    parts += [("", image) for image in images[1:]]
    parts += [(window, None) for window in others]
    first_weight, *weights = query.image_weights or (1.0,)
    of_windows = first_weight * shares([max(1, limit.count(window)) for window in (first, *others)])
    return parts, shares([of_windows[0], *weights, *of_windows[1:]])


def shares(weights: Sequence[float]) -> Vectors:
    """Return positive weights scaled so that they sum to 1, (n,)."""
    values = np.asarray(weights, np.float32)
    scaled: Vectors = values / values.sum()
    return scaled


def heading_of(unit: Unit) -> str:
    """Return the title and headings a unit stands under, outermost first."""
    return " > ".join(_headings(unit))


def texts_of(unit: Unit) -> list[str]:
    """Return what is read of a unit besides its headings: its passages, or else its captions together."""
    if unit.passages:
        return [passage.text for passage in unit.passages]
    return ["\n".join(dict.fromkeys(words for figure in unit.figures for words in _captions(figure)))]


def nearest_passage(figure: Segment, passages: Sequence[Passage]) -> Passage | None:
    """Return the passage that begins nearest to a figure: same page, same anchor, then height on the page."""
    return min(passages, key=lambda passage: _distance(figure, passage), default=None)


def _short_heading(unit: Unit, limit: TextLimit) -> str:
    """Return as many of the innermost headings as fit in their share of the limit; "" if none does."""
    headings = _headings(unit)
    while headings and limit.count(" > ".join(headings)) > _HEADING_SHARE * limit.max_tokens:
        headings = headings[1:]
    return " > ".join(headings)


def _headings(unit: Unit) -> list[str]:
    return list(dict.fromkeys(part for part in (unit.title, *unit.section) if part))


def _under(heading: str, text: str, limit: TextLimit) -> list[Item]:
    """Return a text in windows, each under the heading; none for a text that says nothing."""
    start = f"{heading}\n" if heading else ""
    windows = limit.windows(text, beside=start)
    return [Item(start + window, None, len(windows) > 1) for window in windows]


def _own_words(figure: Segment, unit: Unit, context: FigureContext) -> list[str]:
    """Return what is said of a figure itself: caption and alternative text, and the sentences that name it.

    The caption comes first, so that it goes with the figure whatever the length of what follows.
    """
    own = [figure.caption if context.caption else "", figure.text if context.alternative else ""]
    named = _naming(figure, unit.passages) if context.mentions else []
    return [words for words in dict.fromkeys([*own, *named]) if words]


def _naming(figure: Segment, passages: Sequence[Passage]) -> list[str]:
    """Return the sentences that name a figure; a panel of it, or the whole it is a panel of, counts too."""
    label = label_of(figure)
    if label is None:
        return []

    def names(text: str) -> bool:
        return any((one.kind, one.number) == (label.kind, label.number) for one in mentions(text))

    telling = (passage.text for passage in passages if names(passage.text))
    every = (words.strip() for text in telling for words in sentences(text, longest=_LONGEST_SENTENCE))
    return list(dict.fromkeys(words for words in every if names(words)))


def _lines(*parts: str | Passage | None) -> str:
    return "\n".join(part.text if isinstance(part, Passage) else part for part in parts if part)


def _captions(figure: Segment) -> list[str]:
    return [words for words in (figure.caption, figure.text) if words]


def _distance(figure: Segment, passage: Passage) -> tuple[bool, bool, float]:
    """Return how far a passage begins from a figure: other page, other anchor, then height on the page."""
    height = abs(figure.box.top - passage.box.top) if figure.box and passage.box else 1.0
    return passage.page != figure.page, passage.anchor != figure.anchor, height
