"""The text layer of a PDF's page: its characters gathered to pieces of lines, with as few calls as can be.

PDFium is asked for all characters at once, and for the places of the first and last of each word only;
every call costs more than the rest of a word's work. A word whose ends do not fit together is looked at
character by character.
"""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from functools import lru_cache
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from plait.data.readers.geometry import Rect, overlap
from plait.data.readers.lines import Line
from plait.data.readers.pdf.frames import Frame, runs_from_right
from plait.data.readers.pdf.layout import may_have_mark, with_raised_marks
from plait.data.readers.pdf.matrix import Matrix, mapped
from plait.data.readers.pdf.pieces import (
    ACCENTS,
    PLAIN,
    Piece,
    clean,
    extend,
    follows,
    joined_words,
    level_word,
)

_MOST_CHARACTERS = 200_000
# PDFium leaves out the end of a line after a hyphen that it marks.
_LINE = re.compile(r"[^\r\n\x02\ufffe]*[\x02\ufffe]|[^\r\n\x02\ufffe]+")
# No accent, and nothing to be written otherwise
_PLAIN_LINE = re.compile(r"[ \t!-_a-~\xa0‘’“”–—•]+[\x02\ufffe]?")
_WORD = re.compile(r"[^\s\x00\x01\x03-\x1f\x7f]+")
_HYPHENS = "\x02\ufffe"
_HAS_ACCENT = re.compile(f"[{''.join(ACCENTS)}]")
_BOLD_NAME = re.compile(r"bold|black|heavy|semib|demi|(?:^|[-+])(?:cmbx|sfbx|ecbx|ptmb|phvb)", re.I)
_BOLD_WEIGHT = 600
_FIXED_NAME = re.compile(
    r"mono(?!type)|cour|cursor|nimbusmon|typewriter|consol|menlo|fixed|lettergothic|"
    r"(?:^|[-+])(?:(?:cm|ec|sf|lm|sl)(?:sl|vt|it)?tt|pcr)",
    re.I,
)
_FIXED_PITCH = 1  # a flag of the font's description
_WIDEST_LETTER = 1.6  # of the height of its line; what is wider holds a gap
_EAST_ASIAN = "\u2e80"  # letters that may stand below each other begin here
_LONGEST_GLYPH = 4  # letters
_RAISED = 0.15  # of the height of a line: a raised number stands so far above the baseline


class TextLayer:
    """The text of one page, open until `close`.

    Args:
        page: an open page.
        box: the page as a reader sees it.
        matrix: from the page's own coordinates to those.
    """

    def __init__(self, page: pypdfium2.PdfPage, box: Rect, matrix: Matrix) -> None:
        self._layer = page.get_textpage()
        self._handle = ctypes.cast(self._layer.raw, ctypes.c_void_p).value
        self._matrix = matrix
        self._frames = [Frame(box, turn) for turn in range(4)]
        self._box = pdfium.FS_RECTF()
        self._address = ctypes.addressof(self._box)
        self._name = ctypes.create_string_buffer(128)
        self._characters = ""

    def close(self) -> None:
        """Let PDFium forget it."""
        self._layer.close()

    def lines(self) -> list[Line]:
        """Return pieces of lines in the order of the stream, in places as a reader sees them."""
        self._characters = self._all_characters()
        upright = self._matrix[1] == 0 == self._matrix[2] and self._matrix[0] > 0 > self._matrix[3]
        pieces: list[Piece] = []
        for row in _LINE.finditer(self._characters):
            plain = self._plain(*row.span()) if upright and _PLAIN_LINE.fullmatch(row[0]) else None
            pieces += self._any(*row.span()) if plain is None else plain
        return [line for piece in pieces if (line := self._line(piece)) is not None]

    def within(self, left: float, bottom: float, right: float, top: float) -> str:
        """Return the words in a rectangle of the page's own coordinates."""
        text = self._layer.get_text_bounded(left=left, bottom=bottom, right=right, top=top)
        return " ".join(text.translate(PLAIN).split())

    def _all_characters(self) -> str:
        """Return the characters so that each is at its own index; one half of a surrogate pair is one."""
        count = min(self._layer.count_chars(), _MOST_CHARACTERS)
        if count <= 0:
            return ""
        units = (ctypes.c_ushort * (count + 1))()
        if pdfium.FPDFText_GetText(self._layer, 0, count, units) == count + 1:
            text = bytes(memoryview(units).cast("B")[: 2 * count]).decode("utf-16-le", "surrogatepass")
            return text if len(text) == count else "".join(map(chr, units[:count]))
        # It leaves out characters that it has no code for.
        codes = (pdfium.FPDFText_GetUnicode(self._layer, index) for index in range(count))
        return "".join(chr(min(code, 0x10FFFF)) for code in codes)

    def _plain(self, start: int, end: int) -> list[Piece] | None:
        """Return the pieces of a line that PDFium made; None if its words are not plainly level.

        What `_any` does, for the usual line: this is where the time of a page of text goes.
        """
        handle, address, box = self._handle, self._address, self._box
        across, _, _, down, x, y = self._matrix
        pieces: list[Piece] = []
        piece: Piece | None = None
        hyphen = self._characters[end - 1] in _HYPHENS
        for word in _WORD.finditer(self._characters, start, end - hyphen):
            first, after = word.span()
            if not _loose_box(handle, first, address):
                return None
            left, top = across * box.left + x, down * box.top + y
            right, bottom = across * box.right + x, down * box.bottom + y
            height, text, typical = bottom - top, word[0], first
            tall = height
            if after - first > 1:
                if not _loose_box(handle, after - 1, address):
                    return None
                last_left, last_top = across * box.left + x, down * box.top + y
                right, last_bottom = across * box.right + x, down * box.bottom + y
                if last_top != top or last_bottom != bottom:
                    low, high = max(top, last_top), min(bottom, last_bottom)
                    if high - low <= 0.4 * min(height, last_bottom - last_top):
                        return None
                    top, bottom = min(top, last_top), max(bottom, last_bottom)
                    other = last_bottom - last_top
                    typical, tall = (first, tall) if tall >= other else (after - 1, other)
                    height = bottom - top
                if last_left < left or right - left >= _WIDEST_LETTER * (after - first) * height:
                    return None
                if may_have_mark(text):
                    text = self._with_mark(text, first, after - 1)
            if piece is not None and follows(piece, left, top, right, bottom):
                piece.text += f" {text}"
                piece.last, piece.right = after - 1, max(piece.right, right)
                piece.top, piece.bottom = min(piece.top, top), max(piece.bottom, bottom)
                if tall > 1.1 * piece.tall:
                    piece.typical, piece.tall = typical, tall
                continue
            turn = self._turn(first) if after - first == 1 or height <= 0 else 0
            if turn:
                return None
            piece = Piece(text, first, after - 1, 0, left, top, right, bottom, typical, tall)
            pieces.append(piece)
        if hyphen:
            if not _loose_box(handle, end - 1, address):
                return pieces
            left, top = across * box.left + x, down * box.top + y
            right, bottom = across * box.right + x, down * box.bottom + y
            if piece is not None and follows(piece, left, top, right, bottom):
                piece.text, piece.right = piece.text + "-", max(piece.right, right)
            else:
                pieces.append(Piece("-", end - 1, end - 1, 0, left, top, right, bottom))
        return pieces

    def _any(self, start: int, end: int) -> list[Piece]:
        """Return the pieces of a line that PDFium made, whatever it holds."""
        words: list[Piece] = []
        for word in _WORD.finditer(self._characters, start, end):
            words += self._words(*word.span(), words[-1] if words else None)
        return list(joined_words(words))

    def _words(self, start: int, end: int, before: Piece | None) -> list[Piece]:
        """Return one word, or the pieces that it falls into."""
        text = self._characters[start:end]
        if not text.isascii() and any(map(runs_from_right, text)):
            return self._from_right(text, start)
        first = self._place(start)
        if first is None:
            return self._by_character(start, end)
        if end - start == 1:
            turn = before.turn if before is not None else self._turn(start)
            return [Piece(clean(text), start, start, turn, *self._frames[turn].into(first))]
        last = self._place(end - 1)
        if last is None or _HAS_ACCENT.search(text):
            return self._by_character(start, end)
        height = min(first.height, last.height)
        if (
            last.left >= first.left
            and overlap(first.top, first.bottom, last.top, last.bottom) > 0.4 * height
            and last.right - first.left < _WIDEST_LETTER * (end - start) * max(first.height, last.height)
            and (before is None or before.turn == 0)
        ):
            written = clean(text)
            if may_have_mark(written):
                written = self._with_mark(written, start, end - 1)
            return [level_word(written, start, end - 1, first, last)]
        return self._by_character(start, end)

    def _with_mark(self, text: str, first: int, last: int) -> str:
        """Return a word with the number of a note told apart, if it is one: raised over the baseline.

        Some fonts have raised figures as glyphs of their own: only what is drawn tells.
        """
        mark, letter = (first, last) if text[0].isdigit() or not text[0].isalnum() else (last, first)
        bottom, baseline = self._bottom(mark), self._baseline(letter)
        if bottom is None or baseline is None or bottom - baseline < _RAISED * self._box_height(letter):
            return text
        return with_raised_marks(text)

    def _bottom(self, index: int) -> float | None:
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        done = pdfium.FPDFText_GetCharBox(self._layer, index, left, right, bottom, top)
        return bottom.value if done else None

    def _baseline(self, index: int) -> float | None:
        x, y = ctypes.c_double(), ctypes.c_double()
        return y.value if pdfium.FPDFText_GetCharOrigin(self._layer, index, x, y) else None

    def _box_height(self, index: int) -> float:
        _loose_box(self._handle, index, self._address)
        return float(self._box.top - self._box.bottom)

    def _from_right(self, text: str, start: int) -> list[Piece]:
        """Return a word of a script from right to left as one piece, in the order of reading."""
        letters: list[tuple[str, Rect]] = []
        for i, letter in enumerate(text):
            place = self._place(start + i)
            if place is None:
                continue
            # One glyph of several letters: PDFium turns these round too.
            at = len(letters)
            while (
                at > max(0, len(letters) - _LONGEST_GLYPH)
                and letters[at - 1][1] == place
                and runs_from_right(letter)
            ):
                at -= 1
            letters.insert(at, (letter, place))
        if not letters:
            return []
        lefts, tops, rights, bottoms = zip(*(place for _, place in letters), strict=True)
        # Presentation forms are shapes of letters; what is written is the letters.
        word = unicodedata.normalize("NFKC", clean("".join(letter for letter, _ in letters)))
        end = start + len(text) - 1
        return [Piece(word, start, end, 0, min(lefts), min(tops), max(rights), max(bottoms))]

    def _by_character(self, start: int, end: int) -> list[Piece]:
        """Return the pieces that a word falls into: one ends where the next character stands elsewhere."""
        pieces: list[Piece] = []
        turn: int | None = None
        for index in range(start, end):
            seen = self._place(index)
            if seen is None:
                continue
            if turn is None:
                turn = self._turn(index) or self._stacked(index, end)
            place = self._frames[turn].into(seen)
            character = self._characters[index]
            if pieces and follows(pieces[-1], *place):
                extend(pieces[-1], character, index, place)
            elif pieces and "\udc00" <= character <= "\udfff":
                pieces[-1].text += character  # the second half stands where the first does
            else:
                pieces.append(Piece(character, index, index, turn, *place))
        for piece in pieces:
            piece.text = clean(piece.text)
        return pieces

    def _stacked(self, index: int, end: int) -> int:
        """Return 1 if upright characters stand below each other, as in Chinese and Japanese; else 0."""
        here = self._place(index)
        below = self._place(index + 1) if index + 1 < end else None
        if here is None or below is None:
            return 0
        if min(self._characters[index], self._characters[index + 1]) < _EAST_ASIAN:
            return 0
        same_column = overlap(here.left, here.right, below.left, below.right) > 0.5 * here.width
        return int(same_column and below.top > here.top + 0.5 * here.height)

    def _place(self, index: int) -> Rect | None:
        """Return where a character stands, as tall as its font, as a reader sees the page."""
        if not _loose_box(self._handle, index, self._address):
            return None
        box = self._box
        a, b, c, d, e, f = self._matrix
        if b == 0 and c == 0 and a > 0 > d:
            return Rect(a * box.left + e, d * box.top + f, a * box.right + e, d * box.bottom + f)
        return mapped(self._matrix, box.left, box.bottom, box.right, box.top)

    def _turn(self, index: int) -> int:
        """Return the quarter turns clockwise from left to right to the way a character runs."""
        matrix = pdfium.FS_MATRIX()
        if not pdfium.FPDFText_GetMatrix(self._layer, index, matrix):
            return 0
        a, b, c, d, _, _ = self._matrix
        across, down = matrix.a * a + matrix.b * c, matrix.a * b + matrix.b * d
        return round(math.atan2(down, across) / (math.pi / 2)) % 4

    def _line(self, piece: Piece) -> Line | None:
        text = piece.text.strip()
        if not text or piece.right - piece.left <= 0 or piece.bottom - piece.top <= 0:
            return None
        typical = piece.typical if piece.typical >= 0 else piece.first
        size = pdfium.FPDFText_GetFontSize(self._layer, typical)
        matrix = pdfium.FS_MATRIX()
        if pdfium.FPDFText_GetMatrix(self._layer, typical, matrix):
            size *= math.hypot(matrix.b, matrix.d)
        if not (math.isfinite(size) and size > 0.5):
            size = piece.bottom - piece.top
        box = self._frames[piece.turn].back(Rect(piece.left, piece.top, piece.right, piece.bottom))
        (bold, fixed), (bold_end, fixed_end) = self._type(typical), self._type(piece.last)
        return Line(text, box, size, bold and bold_end, piece.turn, fixed and fixed_end)

    def _type(self, index: int) -> tuple[bool, bool]:
        """Tell whether a character's font is bold, and whether its letters are of one width.

        By the font's name; by its weight and flags where it has none.
        """
        flags = ctypes.c_int()
        length = pdfium.FPDFText_GetFontInfo(self._layer, index, self._name, 128, flags)
        if 1 < length <= 128:
            return _kinds_of(self._name.value)
        bold = int(pdfium.FPDFText_GetFontWeight(self._layer, index)) >= _BOLD_WEIGHT
        return bold, bool(flags.value & _FIXED_PITCH)


@lru_cache(maxsize=512)
def _kinds_of(font: bytes) -> tuple[bool, bool]:
    name = font.decode("latin-1")
    return _BOLD_NAME.search(name) is not None, _FIXED_NAME.search(name) is not None


# The function of `pdfium`, without the conversions that cost more than what it does.
_loose_box: Any = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
    ctypes.cast(pdfium.FPDFText_GetLooseCharBox, ctypes.c_void_p).value or 0
)
