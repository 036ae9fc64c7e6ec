"""Where the words of a text stand, and the terms that the index counts them as."""

from __future__ import annotations

from collections.abc import Iterator

from plait.index.languages import language_named
from plait.index.lexical import _IS_UNSPACED, _WORD, words


def spans(text: str, *, language: str = "english") -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Give the start and end of each word, in characters of the text as it stands, and its terms.

    Those that `words` gives, but for signs that only normalising makes letters of. Of scripts written
    without spaces, each pair of characters is one, so that neighbours overlap.
    """
    language = language_named(language)
    for match in _WORD.finditer(text):
        start, end = match.span()
        size = 2 if _IS_UNSPACED.match(match.group()) else end - start
        for first in range(start, max(start + 1, end - size + 1)):
            piece = text[first : min(end, first + size)]
            yield first, first + len(piece), tuple(words(piece, language=language))
