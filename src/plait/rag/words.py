"""Sentences and the words that carry their meaning, for quoting."""

from __future__ import annotations

import re
import unicodedata

import Stemmer

# Words that say how a question is asked and not what it asks for.
_FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a about after all also am an and any are as at be been before but by can could did do does doing
        for from get give had has have he her here him his how i if in into is it its just like me mean may
        might more most much must my no not of on one or our out over please she should show so some such
        tell than that the their them then there these they this those to too up us use very was we were
        what when where which while who why will with would you your""",
    )
)
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")

# A full stop ends a sentence when a space and something that can begin one follow; citations that
# stand behind the stop stay with it.
_BREAK = re.compile(r"(?<=[.!?])((?:\s*\[\d[\d,;\s]*\])*)\s+(?=[\"'“(\[*]*[\w])|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|cf|ca|approx|no|nos|fig|figs|eq|vs|dr|mr|mrs|etc|bzw|z\.B|\w)\.$", re.IGNORECASE
)


def content_words(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in order, repeats kept.

    Scripts without spaces give one word a character.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = [w for w in _WORD.findall(folded) if w not in _FUNCTION_WORDS]
    return list(Stemmer.Stemmer("english").stemWords(words))


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, each on one line, in order."""
    found: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        pieces = _pieces(" ".join(block.split()))
        found += [p for p in pieces if p]
    return found


def _pieces(line: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    for match in _BREAK.finditer(line):
        end = match.end(1) if match.group(1) else match.start()
        if _ABBREVIATION.search(line[start : match.start()]):
            continue
        pieces.append(line[start:end].strip())
        start = match.end()
    return [*pieces, line[start:].strip()]
