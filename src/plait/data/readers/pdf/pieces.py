"""Pieces of lines: characters and words of a PDF joined as long as they stand beside each other."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from plait.data.readers.geometry import Rect
from plait.data.readers.pdf.frames import runs_from_right

_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
# PDFium marks a hyphen at the end of a line by one of the first two.
PLAIN = str.maketrans({**dict.fromkeys("\x02\ufffe\xad\u2010", "-"), **_LIGATURES})
# Old TeX fonts set an accent as a character of its own, above the letter.
ACCENTS = {
    "´": "\u0301",
    "`": "\u0300",
    "¨": "\u0308",
    "ˆ": "\u0302",
    "˜": "\u0303",
    "ˇ": "\u030c",
    "˚": "\u030a",
}
_ITEM_NUMBER = re.compile(r"^([.)])(\d{1,3})$")  # "1." in a line from right to left, as it looks
_HOLE = 1.2  # of the height: a gap that parts two pieces of one line from right to left


@dataclass(slots=True)
class Piece:
    """Some characters that follow each other on one line: a word, then all that follows it.

    Attributes:
        first, last: indices of characters.
        typical: index of one that is set in the type of most of them: not of a raised number.
        tall: how tall that one is, in points.
        left, top, right, bottom: in the frame of its turn, so that it runs from left to right.
    """

    text: str
    first: int
    last: int
    turn: int
    left: float
    top: float
    right: float
    bottom: float
    typical: int = -1
    tall: float = 0.0


def level_word(text: str, start: int, end: int, first: Rect, last: Rect) -> Piece:
    """Return a word that runs from one character to another, which may be a raised number."""
    top, bottom = min(first.top, last.top), max(first.bottom, last.bottom)
    typical, tall = (start, first.height) if first.height >= last.height else (end, last.height)
    return Piece(text, start, end, 0, first.left, top, last.right, bottom, typical, tall)


def clean(text: str) -> str:
    """Return characters as they are written: whole hyphens, ligatures taken apart, pairs joined."""
    if text.isascii() and "\x02" not in text:
        return text
    text = text.translate(PLAIN)
    if any("\ud800" <= c <= "\udfff" for c in text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def joined_words(words: Sequence[Piece]) -> Iterator[Piece]:
    """Join the words that PDFium puts on one line to pieces, parted where the next one stands elsewhere."""
    if any(runs_from_right(c) for word in words if not word.text.isascii() for c in word.text):
        yield from _joined_from_right(words)
        return
    piece: Piece | None = None
    for word in words:
        place = (word.left, word.top, word.right, word.bottom)
        if piece is not None and piece.turn == word.turn and follows(piece, *place):
            if not (piece.last + 1 == word.first and _touches(piece, word)):
                piece.text += " "
            _grow(piece, word)
            continue
        if piece is not None:
            yield piece
        piece = word
    if piece is not None:
        yield piece


def _joined_from_right(words: Sequence[Piece]) -> Iterator[Piece]:
    """Join words in the order of reading, which is not that of their places; a wide hole parts them."""
    ends: list[list[Piece]] = []
    reach = -math.inf
    for word in sorted(words, key=lambda word: word.left):
        if not ends or word.left - reach > _HOLE * (word.bottom - word.top):
            ends.append([])
            reach = -math.inf
        ends[-1].append(word)
        reach = max(reach, word.right)
    for members in sorted(ends, key=lambda members: min(word.first for word in members)):
        first, *others = _in_reading_order(members)
        for word in others:
            first.text += " "
            _grow(first, word)
        yield first


def _in_reading_order(words: Sequence[Piece]) -> list[Piece]:
    """Return words from right to left, but those of a Latin phrase among them from left to right."""
    ordered: list[Piece] = []
    for is_latin, members in groupby(sorted(words, key=lambda w: w.first), key=lambda w: _is_latin(w.text)):
        phrase = list(members)
        ordered += sorted(phrase, key=lambda word: word.left) if is_latin else phrase
    for word in ordered:
        word.text = _ITEM_NUMBER.sub(r"\2\1", word.text)
    return ordered


def _is_latin(text: str) -> bool:
    return any(letter.isalpha() and letter < "\u0250" for letter in text)


def follows(piece: Piece, left: float, top: float, right: float, bottom: float) -> bool:
    """Tell whether what stands at a place goes on with a piece."""
    one, other = piece.bottom - piece.top, bottom - top
    shorter, taller = (one, other) if one < other else (other, one)
    if min(piece.bottom, bottom) - max(piece.top, top) < 0.4 * shorter:
        return False
    return -taller < left - piece.right < 0.5 * taller and right > piece.left


def _touches(piece: Piece, word: Piece) -> bool:
    return word.left - piece.right < 0.25 * (word.bottom - word.top)


def extend(piece: Piece, character: str, index: int, place: Rect) -> None:
    """Add a character to a piece; an accent before it goes onto it."""
    gap = place.left - piece.right
    accent = piece.text[-1]
    if accent in ACCENTS and gap < -0.2 * place.width and character.isalpha():
        piece.text = piece.text[:-1] + unicodedata.normalize("NFC", character + ACCENTS[accent])
    elif gap > 0.25 * max(piece.bottom - piece.top, place.height):
        piece.text += " " + character
    else:
        piece.text += character
    piece.last = index
    piece.left, piece.right = min(piece.left, place.left), max(piece.right, place.right)
    piece.top, piece.bottom = min(piece.top, place.top), max(piece.bottom, place.bottom)
    if place.height > 1.1 * piece.tall:
        piece.typical, piece.tall = index, place.height


def _grow(piece: Piece, word: Piece) -> None:
    piece.text += word.text
    piece.last = word.last
    piece.left, piece.right = min(piece.left, word.left), max(piece.right, word.right)
    piece.top, piece.bottom = min(piece.top, word.top), max(piece.bottom, word.bottom)
    if word.tall > 1.1 * piece.tall:
        piece.typical, piece.tall = word.typical, word.tall
