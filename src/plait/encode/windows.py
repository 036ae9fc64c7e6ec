"""Long texts as overlapping windows that an encoder reads whole."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, pairwise

from plait.data.sentences import sentences
from plait.errors import InputError

Span = tuple[int, int]  # (start, end) characters of a token


def text_windows(
    text: str,
    *,
    offsets: Callable[[str], Sequence[tuple[int, int]]],
    max_tokens: int,
    overlap: float = 0.2,
) -> list[str]:
    """Return a text cut into windows of at most `max_tokens` tokens, in order; nothing is left out.

    A window begins and ends between words, and ends with a sentence where one ends in its second
    half; only a word that is longer than a window is cut inside. Every token of the text lies whole
    in some window.

    Args:
        text: any text; one that fits comes back as it is, one of white space only gives no windows.
        offsets: gives the (start, end) characters of every token of a text, in order, special tokens
            left out. It is asked again for each window: cut between tokens, some tokenizers make
            other tokens of the same characters.
        max_tokens: at least 1. A window holds more only where the characters of a single token do.
        overlap: share of `max_tokens` that neighbours have in common, about, in [0, 0.5].

    Raises:
        InputError: `max_tokens` or `overlap` out of range.
    """
    if max_tokens < 1:
        raise InputError(f"max_tokens must be at least 1, got {max_tokens}")
    if not 0 <= overlap <= 0.5:
        raise InputError(f"overlap must lie in [0, 0.5], got {overlap}")
    if not text.strip():
        return []
    spans = offsets(text)
    if len(spans) <= max_tokens:
        return [text]
    tokens = _Tokens(text, spans, _cuts(text, spans), offsets, max_tokens, round(overlap * max_tokens))
    return list(tokens.windows())


@dataclass(frozen=True, slots=True)
class TextLimit:
    """How much text a model reads at once.

    Attributes:
        offsets: the (start, end) characters of every token of a text, special tokens left out.
        max_tokens: tokens read, special ones left out.
    """

    offsets: Callable[[str], Sequence[tuple[int, int]]]
    max_tokens: int

    def count(self, text: str) -> int:
        """Return how many tokens a text has."""
        return len(self.offsets(text))

    def windows(self, text: str, *, beside: str = "") -> list[str]:
        """Return the windows of a text that can each be read together with some words beside it."""
        room = self.max_tokens - (self.count(beside) if beside else 0)
        return text_windows(text, offsets=self.offsets, max_tokens=max(1, room))


class _Cut(IntEnum):
    """Where a cut between two tokens would fall, worst first."""

    IN_CHARACTER = 0
    IN_WORD = 1
    AFTER_WORD = 2
    AFTER_SENTENCE = 3


@dataclass(frozen=True, slots=True)
class _Tokens:
    """A tokenized text to be cut.

    Attributes:
        cuts: where a cut before each token would fall, and one more for the end.
        shared: tokens that neighbouring windows should have in common.
    """

    text: str
    spans: Sequence[Span]
    cuts: Sequence[_Cut]
    offsets: Callable[[str], Sequence[Span]]
    max_tokens: int
    shared: int

    def windows(self) -> Iterator[str]:
        start, end = self._fitted(0, 0)
        yield self._between(start, end)
        while end < len(self.spans):
            start, end = self._fitted(self._next_start(start, end), end)
            yield self._between(start, end)

    def _next_start(self, start: int, end: int) -> int:
        """Return where the window after [start, end) begins: about `shared` tokens before that one's end.

        Never so early that the next word would not fit, unless no window could hold it.
        """
        ideal = end - self.shared
        earliest = max(start + 1, ideal - self.shared, self._next_end(end) - self.max_tokens)
        found = range(earliest, end + 1)
        near = [
            at for at in found if self.cuts[at] == _Cut.AFTER_SENTENCE and 2 * abs(at - ideal) <= self.shared
        ]
        for worst in (_Cut.AFTER_WORD, _Cut.IN_WORD):
            near = near or [at for at in found if self.cuts[at] >= worst]
        return min(near, key=lambda at: abs(at - ideal))

    def _next_end(self, after: int) -> int:
        """Return where the next word ends, if a window can hold it; else where the next cut may be."""
        last = min(after + self.max_tokens, len(self.spans))
        for worst in (_Cut.AFTER_WORD, _Cut.IN_WORD):
            for at in range(after + 1, last + 1):
                if self.cuts[at] >= worst:
                    return at
        return last

    def _fitted(self, start: int, after: int) -> tuple[int, int]:
        """Return the tokens [start, end) of a window that reaches past `after` and fits.

        Where none does, its start moves to `after`; where still none does, it reaches to the next cut.
        """
        room = self.max_tokens
        while (end := self._last_cut(start, after, room)) is not None:
            excess = len(self.offsets(self._between(start, end))) - self.max_tokens
            if excess <= 0:
                return start, end
            room = end - start - excess
        if start < after:
            return self._fitted(after, after)
        return start, next(i for i in range(after + 1, len(self.cuts)) if self.cuts[i] > _Cut.IN_CHARACTER)

    def _last_cut(self, start: int, after: int, room: int) -> int | None:
        """Return the last good cut past `after`, at most `room` tokens from the start; None for none."""
        last = min(start + room, len(self.spans))
        half = start + room // 2
        for worst, first in ((_Cut.AFTER_SENTENCE, half), (_Cut.AFTER_WORD, 0), (_Cut.IN_WORD, 0)):
            for at in range(last, max(first, after), -1):
                if self.cuts[at] >= worst:
                    return at
        return None

    def _between(self, start: int, end: int) -> str:
        return self.text[self.spans[start][0] : self.spans[end - 1][1]]


def _cuts(text: str, spans: Sequence[Span]) -> list[_Cut]:
    begins = [0, *accumulate(len(sentence) for sentence in sentences(text, longest=sys.maxsize))]

    def cut(before: Span, after: Span) -> _Cut:
        if before[1] > after[0]:
            return _Cut.IN_CHARACTER
        if bisect_right(begins, before[1] - 1) < bisect_right(begins, after[1] - 1):
            return _Cut.AFTER_SENTENCE
        # A token may hold the white space before or after its word.
        parted = any(c.isspace() for c in text[max(0, before[1] - 1) : after[0] + 1])
        return _Cut.AFTER_WORD if parted else _Cut.IN_WORD

    inner = [cut(before, after) for before, after in pairwise(spans)]
    return [_Cut.AFTER_SENTENCE, *inner, _Cut.AFTER_SENTENCE]
