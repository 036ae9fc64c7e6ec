"""What figures and tables are called, and where a text speaks of them by it: "Figure 3", "Tabelle 2"."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from plait.schema import Segment

_MOST_IN_RANGE = 20
# The words of each kind; "!" marks what may be several, so that "3-5" after it is 3, 4 and 5.
_WORDS = {
    "figure": "figure figures! fig fig. figs! figs.! abbildung abbildungen! abb. abb.! figura figuras! figur "
    "figuren! figuur bild bilder! kuva obrázek obr. rysunek rys. рисунок рисунки! рисунке рис. 图 圖 図 그림",
    "table": "table tables! tab. tabs.! tabelle tabellen! tableau tableaux! tabla tablas! tabela tabelas! "
    "tabella tabell tabel taulukko tabulka таблица таблицы! таблице табл. 表 표",
    "scheme": "scheme schemes! schéma schémas!",
    "plate": "plate plates!",
    "chart": "chart charts!",
}
_KIND_OF = {word.rstrip("!"): kind for kind, words in _WORDS.items() for word in words.split()}
_SEVERAL = {word[:-1] for words in _WORDS.values() for word in words.split() if word.endswith("!")}
_CASES = {form for word in _KIND_OF for form in (word, word.capitalize(), word.upper())}
_NUMBER = (
    r"(?P<number>(?:[A-Z]{1,2}[.-]?)?\d{1,3}(?:[.-]\d{1,3}){0,3}|[IVX]{1,5})"
    r"(?:\s?\((?P<inside>[A-Ha-h])\)|(?P<panel>[A-Ha-h]))?"
    r"(?![0-9A-Za-zÀ-ÿ]|,\d)"  # no part of a longer number or word: "figure 5,000"
)
_MENTION = re.compile(
    r"(?<![A-Za-zÀ-ÿЀ-ӿ])(?P<word>"
    + "|".join(re.escape(form) for form in sorted(_CASES, key=len, reverse=True))
    + rf")[\s~]{{0,2}}(?:[Nn][oº°]\.?\s?)?{_NUMBER}"
)
_MORE = re.compile(
    r"\s{0,2}(?:(?P<range>[–—-]|(?:to|bis|à|a)\b)|,?\s{0,2}(?:and|und|et|or|oder|ou|y|e|&)(?!\w)|,)"
    rf"\s{{0,2}}{_NUMBER}"
)


@dataclass(frozen=True, slots=True)
class Label:
    """What one figure or table is called.

    Attributes:
        kind: "figure", "table", "scheme", "plate" or "chart", in whatever language.
        number: "3", "2.1", "A-4", "IV".
        panel: "a" where a part is meant, else "".
    """

    kind: str
    number: str
    panel: str = ""


def name_of(shown: Segment) -> str:
    """Return what a figure or table is called, as its label or the beginning of its caption has it."""
    match = _MENTION.match(shown.caption)
    return shown.label or (match[0] if match else "")


def label_of(shown: Segment) -> Label | None:
    """Return what a figure or table is called; None where nothing tells, or not by a number."""
    match = _MENTION.match(name_of(shown))
    return _label(match["word"], match) if match else None


def mentions(text: str) -> tuple[Label, ...]:
    """Return the figures and tables that a text names, each once, in order.

    "Figs. 2, 3a and 5" names three; "the figure below" and "figure 5,000" none.
    """
    return tuple(dict.fromkeys(label for match in _MENTION.finditer(text) for label in _named(text, match)))


class Named:
    """The figures and tables of a document, by what they are called.

    Args:
        shown: each with the ordinal of its unit and the id it is given back by, in order.
    """

    def __init__(self, shown: Iterable[tuple[int, str, Segment]]) -> None:
        # Of each label, which unit has it and what of it; under the panel "*", every panel.
        self._places: dict[Label, list[tuple[int, list[str]]]] = {}
        for ordinal, shown_id, segment in shown:
            label = label_of(segment)
            for one in (label, replace(label, panel="*")) if label is not None else ():
                places = self._places.setdefault(one, [])
                if not places or places[-1][0] != ordinal:
                    places.append((ordinal, []))
                places[-1][1].append(shown_id)

    def meant(self, label: Label, ordinal: int) -> Sequence[str]:
        """Return the ids of what a label means in a unit: the nearest that is called so.

        A panel that is no figure of its own means the whole; a whole that is none means its panels.
        """
        ways = (label, replace(label, panel="" if label.panel else "*"))
        places = next((self._places[way] for way in ways if way in self._places), [])
        after = bisect_left(places, ordinal, key=lambda place: place[0])
        near = places[max(0, after - 1) : after + 1]
        return min(near, key=lambda place: abs(place[0] - ordinal), default=(0, []))[1]


def _named(text: str, match: re.Match[str]) -> Iterator[Label]:
    """Give what a mention names: one, or after a plural all of a list or a range."""
    word = match["word"]
    several = word.lower() in _SEVERAL
    last = _label(word, match)
    first, dash, end = last.number.partition("-")
    if several and dash and first.isdecimal() and end.isdecimal():
        yield Label(last.kind, first)
        last = Label(last.kind, end, last.panel)
        yield from _between(Label(last.kind, first), last)
    yield last
    more = _MORE.match(text, match.end()) if several else None
    while more is not None:
        label = _label(word, more)
        if more["range"]:
            yield from _between(last, label)
        yield label
        last, more = label, _MORE.match(text, more.end())


def _between(first: Label, last: Label) -> Iterator[Label]:
    """Give the whole numbers between two, where they are not many."""
    if first.number.isdecimal() and last.number.isdecimal():
        inner = range(int(first.number) + 1, int(last.number))
        yield from (Label(first.kind, str(number)) for number in inner if len(inner) < _MOST_IN_RANGE)


def _label(word: str, match: re.Match[str]) -> Label:
    panel = match["inside"] or match["panel"] or ""
    return Label(_KIND_OF[word.lower()], match["number"], panel.lower())
