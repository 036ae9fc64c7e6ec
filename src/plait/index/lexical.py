"""Words: how text becomes terms, and terms become numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from plait.index.languages import MARKS, bare, folded, language_named, stem
from plait.index.postings import MOST_COUNT

Terms = tuple[NDArray[np.uint64], NDArray[np.uint16], int]

_CACHED = 1 << 14  # words; eight times as many save an eighth of the time and cost up to 80 MB


def words(text: str, *, language: str = "english") -> list[str]:
    """Return the terms of a text in order, as they are counted and matched.

    The text is NFKC-normalised and case-folded. A word is a run of letters, digits, marks and
    underscores; "2.10" stays one number; an identifier with underscores gives itself and its parts;
    scripts written without spaces give overlapping pairs of characters. Plain words are reduced to their
    stems; words with digits or underscores and numbers are not.

    Args:
        language: whose stems, by name or ISO 639 code, see `languages.stem`; "none" leaves words whole.

    Raises:
        InputError: no stemmer is known for the language.
    """
    language = language_named(language)
    plain = folded(text, language)
    pattern = _WORD if _IS_UNSPACED.search(plain) else _SPACED_WORD
    return [term for word in pattern.findall(plain) for term in _terms(word, language)]


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


def term_counts(text: str, *, language: str = "english") -> Terms:
    """Return the distinct terms of a text as numbers, for storing.

    Args:
        language: as of `words`.

    Returns:
        (terms,) 64-bit hashes, ascending and the same on every machine; (terms,) how often each
        occurs, at most 65,535; and the number of words in all.
    """
    counts = Counter(words(text, language=language))
    hashes = np.fromiter((term_hash(term) for term in counts), np.uint64, len(counts))
    often = np.fromiter((min(n, MOST_COUNT) for n in counts.values()), np.uint16, len(counts))
    order = np.argsort(hashes)
    return hashes[order], often[order], counts.total()


@lru_cache(maxsize=_CACHED)
def term_hash(term: str) -> int:
    """Return the 64-bit number that stands for a term: BLAKE2b of its UTF-8 bytes, little-endian.

    Among a million distinct terms, the chance that any two share a number is about 3e-8.
    """
    return int.from_bytes(blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_WORD = re.compile(
    rf"[{_UNSPACED}]+|[0-9]+(?:\.[0-9]+)+|(?:(?![{_UNSPACED}])[\w{MARKS}])+"
    rf"(?:['’](?:(?![{_UNSPACED}])[\w{MARKS}])+)*"
)
# The same where no such script is, in a quarter of the time.
_SPACED_WORD = re.compile(rf"[0-9]+(?:\.[0-9]+)+|[\w{MARKS}]+(?:['’][\w{MARKS}]+)*")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")


@lru_cache(maxsize=_CACHED)
def _terms(word: str, language: str) -> tuple[str, ...]:
    if _IS_UNSPACED.match(word):
        return tuple(word[i : i + 2] for i in range(max(1, len(word) - 1)))
    if "_" in word:
        parts = [part for part in word.split("_") if part]
        whole = bare(word.strip("_"), language)
        return (whole, *(stem(part, language) for part in parts)) if len(parts) > 1 else (whole,) * len(parts)
    return (stem(word, language),)
