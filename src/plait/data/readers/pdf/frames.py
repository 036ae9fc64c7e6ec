"""The way a page of a PDF is read: its text may run sideways, and from right to left."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line

# Hebrew to Arabic Extended, and their presentation forms
_RIGHT_TO_LEFT = ((0x590, 0x8FF), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFC))


@dataclass(frozen=True, slots=True)
class Frame:
    """A page turned and mirrored so that its lines run from left to right, and columns with them.

    Attributes:
        page: as a reader sees it.
        turn: quarter turns clockwise from there to the way its text runs: 1 runs downwards.
        mirrored: whether its lines run from right to left; all places are then told from that side.
    """

    page: Rect
    turn: int = 0
    mirrored: bool = False

    @property
    def box(self) -> Rect:
        """The page in this frame."""
        width, height = self.page.width, self.page.height
        return Rect(0.0, 0.0, height, width) if self.turn % 2 else Rect(0.0, 0.0, width, height)

    def into(self, rect: Rect) -> Rect:
        """Return a rectangle of the page in this frame."""
        left, top, right, bottom = rect
        width, height = self.page.width, self.page.height
        if self.turn == 1:
            rect = Rect(top, width - right, bottom, width - left)
        elif self.turn == 2:
            rect = Rect(width - right, height - bottom, width - left, height - top)
        elif self.turn == 3:
            rect = Rect(height - bottom, left, height - top, right)
        return _mirrored(rect, self.box.width) if self.mirrored else rect

    def back(self, rect: Rect) -> Rect:
        """Return a rectangle of this frame on the page."""
        left, top, right, bottom = _mirrored(rect, self.box.width) if self.mirrored else rect
        width, height = self.page.width, self.page.height
        if self.turn == 1:
            return Rect(width - bottom, left, width - top, right)
        if self.turn == 2:
            return Rect(width - right, height - bottom, width - left, height - top)
        if self.turn == 3:
            return Rect(top, height - right, bottom, height - left)
        return Rect(left, top, right, bottom)


def frame_of(lines: Sequence[Line], page: Rect) -> Frame:
    """Return the frame that most of the text of a page runs in."""
    turns: Counter[int] = Counter()
    letters = reversed_letters = 0
    for line in lines:
        turns[line.turn] += len(line.text)
        letters += len(line.text)
        if not line.text.isascii():
            reversed_letters += sum(map(runs_from_right, line.text))
    turn = max(turns, key=lambda t: (turns[t], t == 0), default=0)
    return Frame(page, turn, reversed_letters > 0.4 * letters)


def runs_from_right(character: str) -> bool:
    """Tell whether a letter is of a script that is written from right to left."""
    code = ord(character)
    if code < 0x590:
        return False
    return any(low <= code <= high for low, high in _RIGHT_TO_LEFT) or (
        code >= 0x10800 and unicodedata.bidirectional(character) in ("R", "AL")
    )


def _mirrored(rect: Rect, width: float) -> Rect:
    return Rect(width - rect.right, rect.top, width - rect.left, rect.bottom)
