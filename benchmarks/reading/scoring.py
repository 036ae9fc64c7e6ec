"""Scores of what a reader found against a known truth: words, their order, figures, tables, footnotes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from benchmarks.reading.sample import Article, Shown
from plait.schema import Box, Document, Segment

_WORD = re.compile(r"\w+")
_SAME_CROP = 0.75
_SAME_CAPTION = 0.95


@dataclass(frozen=True, slots=True)
class Score:
    """How well an article was read; shares in [0, 1], higher is better, but for `extra`.

    Attributes:
        words: of the true running text.
        recall: share of them that the running text read has, in any order.
        order: see `order`.
        pairs: share of the true neighbouring words that are neighbours in the text read.
        extra: share of the words read as running text that are none: heads, formulas, cells, labels.
        headings: share of the headings that stand as the innermost section of some segment.
        footnotes: share of the footnotes read as such.
        figures: share of the figures with both crop and caption right, see `is_found`.
        tables: share of the tables with all rows right.
    """

    words: int
    recall: float
    order: float
    pairs: float
    extra: float
    headings: float
    footnotes: float
    figures: float
    tables: float


def score(article: Article, document: Document) -> Score:
    """Return how well a document agrees with the article that it was read from."""
    texts = [segment for segment in document.segments if segment.kind == "text"]
    truth = words_of(article.text)
    found = words_of(segment.text for segment in texts if segment.role != "footnote")
    common = (Counter(truth) & Counter(found)).total()
    sections = {segment.section[-1] for segment in document.segments if segment.section}
    notes = " ".join(segment.text for segment in texts if segment.role == "footnote")
    figures = [one for one in article.shown if one.kind == "figure"]
    tables = [one for one in article.shown if one.kind == "table"]
    rows = [segment.rows for segment in document.segments if segment.kind == "table"]
    return Score(
        words=len(truth),
        recall=common / len(truth),
        order=order(truth, found),
        pairs=pairs(truth, found),
        extra=1 - common / max(1, len(found)),
        headings=_share(heading in sections for heading in article.headings),
        footnotes=_share(note in notes for note in article.footnotes),
        figures=_share(any(is_found(one, segment) for segment in document.segments) for one in figures),
        tables=_share(one.rows in rows for one in tables),
    )


def words_of(texts: Iterable[str]) -> list[str]:
    """Return runs of letters and digits, in lower case, ligatures and letters of formulas as plain ones."""
    return [word for text in texts for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold())]


def order(truth: Sequence[str], found: Sequence[str]) -> float:
    """Return the length of the longest common subsequence of two lists of words, as a share of the truth.

    Words that are missing count against it as much as words in another place; words between the true ones do
    not count. A block of a tenth of the words that stands elsewhere costs a tenth.
    """
    return longest_common_subsequence(truth, found) / len(truth) if truth else 1.0


def longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, in time len(one) * len(other) / 64.

    A whole row of the usual table is held in the bits of one number: a bit is 0 where the row steps up.

    Source: Hyyrö, Bit-parallel LCS-length computation revisited (2004).
    """
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    whole = (1 << len(one)) - 1
    row = whole
    for word in other:
        matched = row & places.get(word, 0)
        row = (row + matched | row - matched) & whole
    return len(one) - row.bit_count()


def pairs(truth: Sequence[str], found: Sequence[str]) -> float:
    """Return the share of the truth's pairs of neighbours that are neighbours among the words found."""
    true, seen = (Counter(pairwise(words)) for words in (truth, found))
    return (true & seen).total() / true.total() if true else 1.0


def is_found(shown: Shown, segment: Segment) -> bool:
    """Tell whether a segment is a figure with its crop and its caption right.

    The crop is right if what it shares with the true box is three quarters of what both cover, and the
    caption if its letters are the same but for one in twenty.
    """
    if segment.kind != "image" or segment.page != shown.page or segment.box is None:
        return False
    alike = SequenceMatcher(None, shown.caption, segment.caption, autojunk=False).ratio()
    return shared(shown.box, segment.box) >= _SAME_CROP and alike >= _SAME_CAPTION


def shared(one: Box, other: Box) -> float:
    """Return what two boxes share as a share of what they cover together."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    common = max(0.0, across) * max(0.0, down)
    return common / (_area(one) + _area(other) - common or 1.0)


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)


def _share(right: Iterable[bool]) -> float:
    """Return the share of the true ones; 1 if there are none at all."""
    judged = list(right)
    return sum(judged) / len(judged) if judged else 1.0
