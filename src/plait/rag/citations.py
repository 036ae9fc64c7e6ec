"""Checking [n] marks: numbers that do not exist go, sentences that name no source are flagged."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plait.rag.prompt import NOT_IN_DOCUMENTS
from plait.rag.words import content_words, sentences

_MARK = re.compile(r"[ \t]*\[(\d{1,6}(?:\s*[,;]\s*\d{1,6})*)\]")


@dataclass(frozen=True, slots=True)
class Checked:
    """A text with only citations that exist.

    Attributes:
        numbers: the sources it names, in order of first mention.
        uncited: its sentences that name no source.
        removed: numbers taken out, in order of first mention.
    """

    text: str
    numbers: tuple[int, ...]
    uncited: tuple[str, ...]
    removed: tuple[int, ...]


def check_citations(text: str, *, sources: int) -> Checked:
    """Keep the marks [1] to [sources], take out all others, and name the sentences left without one.

    A heading, or a lead-in that ends in a colon, makes no statement and needs no source; nor does
    the sentence that says the documents hold no answer.
    """
    kept: dict[int, None] = {}
    removed: dict[int, None] = {}

    def real(match: re.Match[str]) -> str:
        numbers = [int(n) for n in re.findall(r"\d+", match[1])]
        removed.update(dict.fromkeys(n for n in numbers if not 1 <= n <= sources))
        good = dict.fromkeys(n for n in numbers if 1 <= n <= sources)
        kept.update(good)
        space = match[0][: match[0].index("[")]
        return space + "".join(f"[{n}]" for n in good) if good else ""

    clean = _MARK.sub(real, text.strip())
    return Checked(clean, tuple(kept), tuple(_uncited(clean)), tuple(removed))


def _uncited(text: str) -> list[str]:
    flagged: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        for sentence in sentences(re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", line)):
            if _states_something(sentence) and not _MARK.search(sentence):
                flagged.append(sentence)
    return flagged


def _states_something(sentence: str) -> bool:
    bare = sentence.strip("*_ ")
    if bare.endswith(":") or bare.rstrip(".") == NOT_IN_DOCUMENTS.rstrip("."):
        return False
    return bool(content_words(bare))
