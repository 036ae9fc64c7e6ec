"""Captions: which lines begin one, what they call their figure or table, and how far they go."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from plait.data.readers.geometry import Rect, overlap, union
from plait.data.readers.lines import Line

_FIGURES = (
    r"Figures?|FIGURE|Figs?\.?|FIG\.?|Abbildung|Abb\.|Figura|FIGURA|Bild|Figur|Figuur|Kuva|Obrázek|Obr\.|"
    r"Rysunek|Rys\.|Рисунок|Рис\.|Малюнок|Мал\.|Σχήμα|Εικόνα|Şekil|Hình|그림|图|圖|図|"
    r"Schéma|Schema|Scheme|SCHEME|Plate|PLATE|Chart|Graph|Illustration|Photo|Map"
)
_TABLES = (
    r"Tables?|TABLE|Tableau|TABLEAU|Tabelle|Tab\.|TAB\.|Tabla|TABLA|Tabella|TABELLA|Tabela|Tabell|Tabel|"
    r"Taulukko|Tabulka|Táblázat|Таблица|Табл\.|Таблиця|Πίνακας|Tablo|Bảng|표|表"
)
_NUMBER = r"(?:[A-Z]{0,2}[.\-–]?\d{1,3}(?:[.\-–]\d{1,3})*(?:\.?[a-zA-Z])?|(?<=\s)(?:[IVXLC]+|[A-Z]))(?!\w)"
_CJK_NUMBER = r"[A-Z]?\d{1,3}(?:[.\-–]\d{1,3})*"
_NUMBERED = re.compile(
    rf"(?:(?P<table>{_TABLES})|(?:{_FIGURES}))(?P<space>\s*)(?:[nN][°ºo.]\s?)?"
    rf"(?P<number>(?:(?<=[图圖図表])|(?<=[图圖図表]\s)){_CJK_NUMBER}|{_NUMBER})"
)
_BARE = re.compile(r"(?:Figure|FIGURE|Fig\.|(?P<table>Table|TABLE)|Abbildung|Abb\.|Figura)\s?:\s")
_FIRST_LETTERS = frozenset(word[0] for word in f"{_FIGURES}|{_TABLES}".split("|"))
_LEADERS = re.compile(r"(?:\s?[.·…]){4,}\s*[\divxlc]*$")  # of a list of figures
_GOES_ON = re.compile(r"[.)]?\s*(?:[,;)\]]|(?:and|und|et|y|e|or|oder|ou)\b)|\([a-z]\)\s+[a-z]|[.]\s+[a-z]")
_SENTENCE_END = (".", ":", "!", "?", "。", "；", "：")

_WIDEST_STEP = 1.7  # of the type size, from one line of a caption to the next
_LABEL_STEP = 2.8  # the same, below a label that stands alone
_UNEVEN = 1.25  # steps within one caption are alike
_LABEL_GAP = 4.0  # of the type size, from a label that stands alone to the words beside it
_WORD_GAP = 0.6  # of the type size, at most, from one piece of a row to the next
_MOST_ROWS = 40
_MOST_CAPTIONS = 60
_MOST_BESIDE = 300


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption on a page.

    Attributes:
        lines: indices of its lines, in reading order; the first begins with its label.
        box: around all of them.
        label: what it calls its figure or table: "Figure 3"; "" if it has no number.
        of_table: whether that is a table.
    """

    lines: tuple[int, ...]
    box: Rect
    label: str
    of_table: bool

    @property
    def first(self) -> int:
        """The index of the line it begins with."""
        return self.lines[0]


def is_caption(text: str) -> bool:
    """Tell whether a line begins a caption: "Figure 3: ...", not "Figure 3 shows ..."."""
    return _match(text) is not None


def label_of(text: str) -> str:
    """Return what a caption calls its figure or table: "Figure 3", "Abb. 4"; "" if nothing."""
    match = _match(text)
    return "" if match is None or match.re is _BARE else " ".join(match[0].split())


def find_captions(lines: Sequence[Line]) -> list[Caption]:
    """Return the captions among the lines of a page, each with all of its lines; top to bottom.

    A page that has more than any page of figures would is a list, or not meant to be read: none there.
    """
    begun = {i: match for i, line in enumerate(lines) if (match := _match(line.text)) is not None}
    if not begun or len(begun) > _MOST_CAPTIONS:
        return []
    page = _Rows(lines)
    begun = {i: match for i, match in begun.items() if not _continues_a_sentence(i, page)}
    found = []
    for i, match in begun.items():
        alone = not lines[i].text[match.end() :].strip(" .:")
        members = _lines_of(i, page, begun.keys(), label_alone=alone)
        box = union(lines[member].box for member in members)
        found.append(Caption(members, box, label_of(lines[i].text), match["table"] is not None))
    return _in_one_language(sorted(found, key=lambda caption: caption.box.top))


class _Rows:
    """The lines of a page by height."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self._order = sorted(range(len(lines)), key=lambda i: lines[i].box.top)
        self._tops = [lines[i].box.top for i in self._order]

    def between(self, low: float, high: float) -> Iterator[int]:
        """Yield the lines whose top is in an interval; not many, however many there are."""
        first = bisect_left(self._tops, low)
        for place in range(first, min(first + _MOST_BESIDE, len(self._order))):
            if self._tops[place] > high:
                return
            yield self._order[place]


def _in_one_language(captions: Sequence[Caption]) -> list[Caption]:
    """Join a caption with its translation: right under it, of the same number."""
    found: list[Caption] = []
    for caption in captions:
        for place, other in enumerate(found):
            if (
                other.of_table == caption.of_table
                and -2 < caption.box.top - other.box.bottom < 20
                and overlap(caption.box.left, caption.box.right, other.box.left, other.box.right) > 0
                and other.label != caption.label
                and _number_in(other.label) == _number_in(caption.label) != ""
            ):
                box = union((other.box, caption.box))
                found[place] = Caption(other.lines + caption.lines, box, other.label, other.of_table)
                break
        else:
            found.append(caption)
    return found


def _number_in(label: str) -> str:
    digits = re.search(r"\d[\w.\-–]*$", label)
    return digits[0] if digits is not None else ""


def _match(text: str) -> re.Match[str] | None:
    """Match the label at the beginning of a caption."""
    if text[:1] not in _FIRST_LETTERS:
        return None
    if (bare := _BARE.match(text)) is not None:
        return bare
    match = _NUMBERED.match(text)
    if match is None or _LEADERS.search(text):
        return None
    rest = text[match.end() :]
    return match if _ends_a_label(rest) and not _GOES_ON.match(rest) else None


def _ends_a_label(rest: str) -> bool:
    """Tell whether a caption's words may follow: after a sign, or capitalised."""
    words = rest.lstrip()
    if not words or words[0] in ":：.．|(（":
        return True
    if words[0] in "–—-":
        return words[1:2].isspace()
    first = words.lstrip("\"'“”„«‘([")[:1]
    return rest[0].isspace() and first.isalpha() and not first.islower()


def _continues_a_sentence(index: int, page: _Rows) -> bool:
    """Tell whether what looks like a caption goes on with a sentence of the line above it."""
    line = page.lines[index]
    beside = (
        page.lines[i] for i in page.between(line.box.top - 0.5 * line.size, line.box.bottom) if i != index
    )
    if any(
        0 <= line.box.left - other.box.right < 1.5 * line.size
        and _alike(other, line)
        and overlap(other.box.top, other.box.bottom, line.box.top, line.box.bottom) > 0.6 * line.box.height
        and len(other.text) > 3
        and _match(other.text) is None
        for other in beside
    ):
        return True
    return any(
        above.box.top < line.box.top
        and _alike(above, line)
        and abs(above.box.left - line.box.left) < 3 * line.size
        and above.box.right > line.box.right - 1.5 * line.size
        and sum(word.isalpha() for word in above.text.split()) > 3
        and not above.text.rstrip("”\"')»").endswith(_SENTENCE_END)
        for i in page.between(line.box.top - 2.3 * line.size, line.box.top)
        if (above := page.lines[i]) is not line
    )


def _alike(one: Line, other: Line) -> bool:
    """Tell whether two lines are of one type size; a label in small capitals makes a line's less."""
    size = one.size / (other.size or 1.0)
    height = one.box.height / (other.box.height or 1.0)
    return 0.87 < size < 1.15 or (0.75 < size < 1.34 and 0.93 < height < 1.07)


def _lines_of(first: int, page: _Rows, begun: Collection[int], *, label_alone: bool) -> tuple[int, ...]:
    """Add the lines that go on with a caption, until space, another size or another caption ends it."""
    lines = page.lines
    rows = [[first]]
    if label_alone:
        rows[0] += _beside(first, page, begun)
    steps: list[float] = []
    while len(rows) < _MOST_ROWS:
        block = union(lines[i].box for row in rows for i in row)
        alone = label_alone and rows == [[first]]
        below = _row_below(rows[-1], block, page, begun, step=_LABEL_STEP if alone else _WIDEST_STEP)
        if not below:
            break
        one, other = lines[rows[-1][0]].box, lines[below[0]].box
        step = max(other.bottom - one.bottom, other.top - one.top)  # either may be of a tall sign
        if steps and step > _UNEVEN * min(steps):
            break
        if not alone and _ends(rows, below, lines):
            break
        if not alone:
            steps.append(step)
        rows.append(below)
    box = union(lines[i].box for row in rows for i in row)
    return tuple(i for row in rows for i in (*row, *_rest_of_row(row, rows, box, page, begun)))


def _rest_of_row(
    row: Sequence[int], rows: Sequence[Sequence[int]], box: Rect, page: _Rows, begun: Collection[int]
) -> list[int]:
    """Return the pieces of a row that stand apart, after a formula or in another type."""
    known = {i for other in rows for i in other}
    last = page.lines[max(row, key=lambda i: page.lines[i].box.right)]
    reach = box.right if len(rows) > 1 else last.box.right
    found: list[int] = []
    for i in sorted(
        page.between(last.box.top - last.size, last.box.bottom), key=lambda i: page.lines[i].box.left
    ):
        line = page.lines[i]
        level = overlap(line.box.top, line.box.bottom, last.box.top, last.box.bottom) > 0.5 * last.box.height
        gap = line.box.left - last.box.right
        widest = 1.5 if line.text[:1].islower() else _WORD_GAP
        inside = line.box.right <= reach + 2 or gap < widest * line.size
        if i not in known and i not in begun and level and -0.5 * line.size < gap < 3 * line.size and inside:
            found.append(i)
            last = line
    return found


def _beside(first: int, page: _Rows, begun: Collection[int]) -> list[int]:
    """Return the line to the right of a label that stands alone."""
    lines = page.lines
    label = lines[first]
    near = [
        i
        for i in page.between(label.box.top - label.size, label.box.bottom)
        if i not in begun
        and overlap(lines[i].box.top, lines[i].box.bottom, label.box.top, label.box.bottom)
        > 0.5 * label.box.height
        and 0 <= lines[i].box.left - label.box.right < _LABEL_GAP * label.size
    ]
    return sorted(near, key=lambda i: lines[i].box.left)[:1]


def _row_below(
    row: Sequence[int], block: Rect, page: _Rows, begun: Collection[int], *, step: float
) -> list[int]:
    """Return the lines of the next row under a caption, left to right; none if it is another text's."""
    lines = page.lines
    last = lines[row[0]]
    size = max(lines[i].size for i in row)
    under = [
        i
        for i in page.between(last.box.top, last.box.bottom + step * size)
        if i not in begun
        and 0 < lines[i].box.bottom - last.box.bottom < step * size
        and lines[i].box.top > last.box.top + 0.5 * size
        and overlap(lines[i].box.left, lines[i].box.right, block.left, block.right) > 0
    ]
    if not under:
        return []
    main = max(under, key=lambda i: lines[i].box.width)
    if not _alike(lines[main], last):
        return []
    same = [
        i
        for i in under
        if overlap(lines[i].box.top, lines[i].box.bottom, lines[main].box.top, lines[main].box.bottom)
        > 0.4 * min(lines[i].box.height, lines[main].box.height)
    ]
    return sorted(same, key=lambda i: lines[i].box.left)


def _ends(rows: Sequence[Sequence[int]], below: Sequence[int], lines: Sequence[Line]) -> bool:
    """Tell whether a caption ends before a row: its first word would have fitted on the row before."""
    boxes = [union(lines[i].box for i in row) for row in (*rows, below)]
    last, following = boxes[-2], boxes[-1]
    text = lines[below[0]].text
    size = lines[below[0]].size
    word = (len(text.split(maxsplit=1)[0]) + 1) / (len(text) + 1) * lines[below[0]].box.width
    widest = max(box.width for box in boxes)
    right = max(box.right for box in boxes)
    fits = last.width + word < 0.96 * widest and last.right + word < right - 0.5 * size
    wider = (
        len(rows) > 1
        and following.width > 1.3 * max(box.width for box in boxes[:-1])
        and (
            following.left < min(box.left for box in boxes[:-1]) - 2 * size
            or following.right > max(box.right for box in boxes[:-1]) + 2 * size
        )
    )
    return wider or (fits and (len(rows) == 1 or lines[rows[-1][-1]].text.endswith(_SENTENCE_END)))
