"""Languages: which can be chosen, and what a word is reduced to in each."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import cache
from typing import Any

import Stemmer

from plait.errors import InputError

NO_STEMMING = "none"


def language_named(name: str) -> str:
    """Return the full name of a language given by name or by its ISO 639 code: "de" is "german".

    Raises:
        InputError: no stemmer is known for it.
    """
    asked = name.strip().casefold()
    found = _BY_CODE.get(asked, asked)
    if found != NO_STEMMING and found not in _algorithms():
        raise InputError(f"no stemmer is known for the language {name!r}: choose one of {_choices()}")
    return found


def folded(text: str, language: str) -> str:
    """Return the text NFKC-normalised and case-folded.

    In Turkish, I is the capital of a dotless i; in Catalan, the dot of "col·lecció" does not part words.
    """
    text = unicodedata.normalize("NFKC", text)
    spellings = _SPELLINGS.get(language)
    return (text.translate(spellings) if spellings else text).casefold()


def stem(word: str, language: str) -> str:
    """Return the Snowball stem of a folded word; words with digits or underscores keep their endings.

    Accents are taken off the stem, see `bare`, and not off the word: Snowball tells endings apart by them.

    Args:
        language: a full name, see `language_named`.
    """
    word = word.replace("’", "'")
    plain = _PLAIN if language == "english" else _MARKED
    if language == NO_STEMMING or not plain.fullmatch(word):
        return bare(word, language)
    if language == "catalan":
        word = _CATALAN_ELISION.sub("", word)  # Snowball does this itself for French, Italian and Irish
    with _ONE_AT_A_TIME:
        stemmed = str(_stemmer(language).stemWord(word))
    return bare(stemmed, language)


def bare(word: str, language: str) -> str:
    """Return a folded word without accents, so that a query typed without them finds it: "Über" as "Uber".

    An accent is a mark on a Latin or Greek letter; "ø", "ł", "æ" and "ё" count as accented too. Marks of
    other scripts are letters. English words keep theirs, as in libraries made before there was a choice;
    so do those of "none", where every word stays as it is.
    """
    if word.isascii() or language in _WITH_ACCENTS:
        return word
    parts = unicodedata.normalize("NFD", word.translate(_LETTERS))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", parts))


_CODES = {
    "arabic": ("ar",),
    "armenian": ("hy",),
    "basque": ("eu",),
    "catalan": ("ca",),
    "czech": ("cs",),
    "danish": ("da",),
    "dutch": ("nl",),
    "english": ("en",),
    "esperanto": ("eo",),
    "estonian": ("et",),
    "finnish": ("fi",),
    "french": ("fr",),
    "german": ("de",),
    "greek": ("el",),
    "hindi": ("hi",),
    "hungarian": ("hu",),
    "indonesian": ("id",),
    "irish": ("ga",),
    "italian": ("it",),
    "lithuanian": ("lt",),
    "nepali": ("ne",),
    "norwegian": ("no", "nb", "nn"),
    "persian": ("fa",),
    "polish": ("pl",),
    "portuguese": ("pt",),
    "romanian": ("ro",),
    "russian": ("ru",),
    "serbian": ("sr",),
    "sesotho": ("st",),
    "spanish": ("es",),
    "swedish": ("sv",),
    "tamil": ("ta",),
    "turkish": ("tr",),
    "yiddish": ("yi",),
}
_WITH_ACCENTS = ("english", NO_STEMMING)
_BY_CODE = {code: language for language, codes in _CODES.items() for code in codes}
# Python's \w leaves out the marks that hold Indic, Hebrew and Arabic words together.
MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff"
)
_PLAIN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_MARKED = re.compile(rf"(?:[^\W\d_]|[{MARKS}])+(?:'(?:[^\W\d_]|[{MARKS}])+)*")
_ACCENTS = re.compile(r"(?<=[a-z\u0370-\u03ff])[\u0300-\u036f]+")
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ё": "е"}
)
_SPELLINGS = {"turkish": str.maketrans({"İ": "i", "I": "ı"}), "catalan": str.maketrans({"·": ""})}
_CATALAN_ELISION = re.compile(r"^[dlmnst]'")
_ONE_AT_A_TIME = threading.Lock()  # a stemmer object is not safe to share between threads


@cache
def _stemmer(language: str) -> Any:
    return Stemmer.Stemmer(language)


@cache
def _algorithms() -> frozenset[str]:
    return frozenset(Stemmer.algorithms())


def _choices() -> str:
    named = (f"{name} ({', '.join(_CODES[name])})" if name in _CODES else name for name in _algorithms())
    return ", ".join([*sorted(named), NO_STEMMING])
