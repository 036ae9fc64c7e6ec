"""Sentences and the words that carry their meaning, for quoting."""

from __future__ import annotations

import re
from functools import cache

from plait.index.lexical import words

# Words that say how a question is asked and not what it asks for.
_FUNCTION_WORDS = """
    a about after all also am an and any are as at be been before but by can could d did do does doing don for
    from get give had has have he her here him his how i if in into is it its just like ll me mean may might
    more most much must my no not of on one or our out over please re s she should show so some such t tell
    than that the their them then there these they this those to too up us use ve very was we were what when
    where which while who why will with would you your"""

# A full stop ends a sentence when a space and something that can begin one follow; citations that
# stand behind the stop stay with it.
_BREAK = re.compile(r"(?<=[.!?])((?:\s*\[\d[\d,;\s]*\])*)\s+(?=(?:\[(?!\d)|[\"'“(*])*\w)|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|cf|ca|approx|no|nos|fig|figs|eq|vs|dr|mr|mrs|etc|bzw|z\.B|[a-z])\.$",
    re.IGNORECASE,
)


def content_words(text: str) -> list[str]:
    """Return the terms of a text that carry meaning, as the index counts them, in order, repeats kept."""
    return [term for term in words(text) if term not in _function_terms()]


@cache
def _function_terms() -> frozenset[str]:
    return frozenset(words(_FUNCTION_WORDS))


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
