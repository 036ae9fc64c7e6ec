"""Rough shingles of many texts at once, which tell most texts apart before any is looked at closely."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_SHINGLE = 3  # words
_BITS = 16  # of a shingle's number: two of a page's shingles share one in a thousand times
_LEAST_CHARACTERS = 1 << 16  # for which the powers of the base are kept, in half a megabyte
_OTHER_LETTERS = 8  # characters; a text of more bytes beyond ASCII than one for so many has no sketch
_BASE = np.uint32(0x01000193)  # odd, so that it has an inverse among numbers of 32 bits
_INVERSE = np.uint32(pow(0x01000193, -1, 1 << 32))
_FIRST, _SECOND = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)  # odd: the order of words counts

Sketch = NDArray[np.uint16]


class Sketches:
    """The distinct shingles of texts, each as a number of 16 bits; made for all texts together.

    Words are runs of letters and digits of ASCII here, so "2.10", "don't" and "naïve" are two. Texts without
    three words, and those with more than a few other letters, have no sketch: nothing is said of them.
    """

    def __init__(self) -> None:
        self._of: list[Sketch | None] = []

    def __len__(self) -> int:
        return len(self._of)

    def add(self, texts: Sequence[str]) -> None:
        """Sketch more texts; they follow those before."""
        plain = [_plain(text) for text in texts]
        made = iter(_sketches([text for text in plain if text is not None]))
        self._of += [None if text is None else next(made) for text in plain]

    def may_share(self, one: int, others: Sequence[int], share: float) -> list[bool]:
        """Return whether each of some texts and one may have such a share of both's shingles in common.

        True where there is no sketch to tell.

        Args:
            one, others: places in the order of adding.
        """
        mine = self._of[one]
        theirs = [sketch for other in others if (sketch := self._of[other]) is not None]
        if mine is None or not theirs:
            return [True] * len(others)
        sizes = np.array([len(sketch) for sketch in theirs])
        has = np.zeros(1 << _BITS, np.uint16)
        has[mine] = 1
        common = np.add.reduceat(has[np.concatenate(theirs)], np.cumsum(sizes) - sizes, dtype=np.int64)
        may = iter((common >= share * (len(mine) + sizes - common)).tolist())
        return [self._of[other] is None or next(may) for other in others]


def _plain(text: str) -> bytes | None:
    """Return a text's bytes; None if more than a few of its letters lie outside of ASCII."""
    plain = text.encode(errors="replace")
    return plain if (len(plain) - len(text)) * _OTHER_LETTERS <= len(text) else None


def _sketches(texts: Sequence[bytes]) -> list[Sketch | None]:
    begins = np.cumsum([1, *(len(text) + 1 for text in texts)])
    hashes, starts = _words(b" ".join([b"", *texts, b""]))
    counts = np.diff(np.searchsorted(starts, begins))
    of_text = np.repeat(np.arange(len(texts)), counts)
    inside = of_text[_SHINGLE - 1 :] == of_text[: 1 - _SHINGLE]  # else it goes over into the next text
    shingles = hashes[:-2] * _FIRST + hashes[1:-1] * _SECOND + hashes[2:]
    numbers = (of_text[: 1 - _SHINGLE] << _BITS | shingles >> np.uint32(32 - _BITS))[inside]
    numbers.sort()
    distinct = numbers[np.diff(numbers, prepend=-1) > 0]
    edges = np.searchsorted(distinct, np.arange(len(texts) + 1) << _BITS).tolist()
    sketches = distinct.astype(np.uint16)  # without the text's number
    pieces = (sketches[first:end] for first, end in pairwise(edges))
    return [piece if len(piece) else None for piece in pieces]


def _words(text: bytes) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Return (words,) a number for each word of a text that begins with a space, and where it begins.

    The sum of its letters times the power of the base that their place in the text is, divided by that of
    where it begins: the same wherever the word stands.
    """
    powers, inverses = _powers(max(_LEAST_CHARACTERS, 1 << len(text).bit_length()))
    values = np.frombuffer(text.translate(_FOLDED), np.uint8)
    there = values != 0
    there[1:] &= values[:-1] == 0
    starts = np.flatnonzero(there)
    so_far = np.cumsum(values * powers[: len(values)], dtype=np.uint32)
    sums = np.diff(so_far.take(starts - 1, mode="clip"), append=so_far[-1:])
    return sums * inverses.take(starts), starts


@lru_cache(maxsize=1)
def _powers(size: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    powers, inverses = (
        np.multiply.accumulate(np.full(size, of, np.uint32), dtype=np.uint32) for of in (_BASE, _INVERSE)
    )
    return powers, inverses


_FOLDED = bytes(ord(chr(byte).lower()) if byte < 128 and chr(byte).isalnum() else 0 for byte in range(256))
