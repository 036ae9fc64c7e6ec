"""Words: how text becomes terms, and BM25 over the terms of many units."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import Stemmer
from numpy.typing import NDArray

Terms = tuple[NDArray[np.uint64], NDArray[np.uint16], int]


def words(text: str, *, stem: bool = True) -> list[str]:
    """Return the terms of a text in order, as they are counted and matched.

    The text is NFKC-normalised and case-folded. A word is a run of letters, digits, marks and
    underscores; "2.10" stays one number; an identifier with underscores gives itself and its parts;
    scripts written without spaces give overlapping pairs of characters.

    Args:
        stem: reduce plain words to their English (Snowball) stems. Words with digits or underscores,
            numbers and other scripts are left as they are.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [term for word in _WORD.findall(folded) for term in _terms(word, stem)]


def term_counts(text: str, *, stem: bool = True) -> Terms:
    """Return the distinct terms of a text as numbers, for storing.

    Returns:
        (terms,) 64-bit hashes, ascending and the same on every machine; (terms,) how often each
        occurs, at most 65,535; and the number of words in all.
    """
    counts = Counter(words(text, stem=stem))
    hashes = np.fromiter((term_hash(term) for term in counts), np.uint64, len(counts))
    often = np.fromiter((min(n, _MOST) for n in counts.values()), np.uint16, len(counts))
    order = np.argsort(hashes)
    return hashes[order], often[order], counts.total()


@lru_cache(maxsize=1 << 17)
def term_hash(term: str) -> int:
    """Return the 64-bit number that stands for a term: BLAKE2b of its UTF-8 bytes, little-endian.

    Among a million distinct terms, the chance that any two share a number is about 3e-8.
    """
    return int.from_bytes(blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class Bm25:
    """BM25 over N units, with Lucene's inverse document frequency.

    A term t of a query gives a unit u

        idf(t) * tf / (tf + k1 * (1 - b + b * |u| / mean |u|)),
        idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5)),

    where tf is how often t occurs in u, df how many units hold t and |u| how many words u has. A term
    asked twice counts twice. The statistics are those of all N units, whatever is filtered later.

    Args:
        hashes: (postings,) every term of every unit, once for each unit it occurs in, in any order.
        counts: (postings,) how often each occurs in its unit.
        units: (postings,) the unit each belongs to, from 0.
        lengths: (N,) words in each unit.
        k1: how soon repeating a term stops helping.
        b: how much a long unit is held back, in [0, 1].
        stem: as the terms were made.

    Source: Robertson & Zaragoza, The Probabilistic Relevance Framework (2009), in the form Lucene
    uses since version 8.
    """

    def __init__(
        self,
        hashes: NDArray[np.uint64],
        counts: NDArray[np.uint16],
        units: NDArray[np.int32],
        lengths: NDArray[np.uint32],
        *,
        k1: float = 1.5,
        b: float = 0.75,
        stem: bool = True,
    ) -> None:
        self.stem = stem
        self._size = len(lengths)
        order = np.argsort(hashes, kind="stable")  # postings of one term together
        self._hashes = hashes[order]
        self._units = units[order]
        mean = max(float(lengths.mean()), 1.0) if self._size else 1.0
        held_back = k1 * (1 - b + b * lengths.astype(np.float64) / mean)
        often = counts[order].astype(np.float64)
        self._impacts = (often / (often + held_back[self._units])).astype(np.float32)

    @classmethod
    def of(cls, units: Iterable[Terms], *, k1: float = 1.5, b: float = 0.75, stem: bool = True) -> Bm25:
        """Return BM25 over units given by their `term_counts`."""
        every = list(units)
        sizes = np.array([len(hashes) for hashes, _, _ in every], np.int64)
        return cls(
            np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, _, _ in every)]),
            np.concatenate([np.empty(0, np.uint16), *(counts for _, counts, _ in every)]),
            np.repeat(np.arange(len(every), dtype=np.int32), sizes),
            np.array([length for _, _, length in every], np.uint32),
            k1=k1,
            b=b,
            stem=stem,
        )

    def __len__(self) -> int:
        return self._size

    def scores(self, texts: Sequence[str], weights: Sequence[float] | None = None) -> NDArray[np.float32]:
        """Return (N,) scores, the weighted sum over the texts; 0 where no term matches.

        Args:
            weights: one number a text; None means 1 each.
        """
        total = np.zeros(self._size, np.float32)
        for text, weight in zip(texts, weights or [1.0] * len(texts), strict=True):
            for term, times in Counter(words(text, stem=self.stem)).items():
                self._add(total, term_hash(term), weight * times)
        return total

    def _add(self, total: NDArray[np.float32], term: int, weight: float) -> None:
        wanted = np.array([term], np.uint64)
        first = int(np.searchsorted(self._hashes, wanted, side="left")[0])
        last = int(np.searchsorted(self._hashes, wanted, side="right")[0])
        if first < last:  # a unit holds a term once, so no row occurs twice
            total[self._units[first:last]] += self._impacts[first:last] * np.float32(
                weight * self._idf(last - first)
            )

    def _idf(self, units: int) -> float:
        return float(np.log1p((self._size - units + 0.5) / (units + 0.5)))


_MOST = 65_535  # what uint16 holds; BM25 saturates long before
_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
# Python's \w leaves out the marks that hold Indic, Hebrew and Arabic words together.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff"
)
_WORD = re.compile(
    rf"[{_UNSPACED}]+|[0-9]+(?:\.[0-9]+)+|(?:(?![{_UNSPACED}])[\w{_MARKS}])+"
    rf"(?:['’](?:(?![{_UNSPACED}])[\w{_MARKS}])+)*"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_PLAIN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_STEMMER = Stemmer.Stemmer("english")
_ONE_AT_A_TIME = threading.Lock()  # a stemmer object is not safe to share between threads


@lru_cache(maxsize=1 << 17)
def _terms(word: str, stem: bool) -> tuple[str, ...]:
    if _IS_UNSPACED.match(word):
        return tuple(word[i : i + 2] for i in range(max(1, len(word) - 1)))
    if "_" in word:
        parts = [part for part in word.split("_") if part]
        whole = word.strip("_")
        return (whole, *(_stem(part, stem) for part in parts)) if len(parts) > 1 else tuple(parts)
    return (_stem(word, stem),)


def _stem(word: str, stem: bool) -> str:
    if not stem or not _PLAIN.fullmatch(word):
        return word.replace("’", "'")
    with _ONE_AT_A_TIME:
        return str(_STEMMER.stemWord(word.replace("’", "'")))
