"""Text to sentences that, joined again, are the text; and how many words a text is worth."""

from __future__ import annotations

import re
from collections.abc import Iterator

# An end of sentence, then space, then something that can begin one. What the look-behind sees before
# the full stop keeps "e.g. ", "Fig. 3", "J. Smith" and "No. 5" whole.
_END = re.compile(
    r"""(?: (?<=[.!?…]) | (?<=[.!?…]["')\]”’»]) )
        (?<!\b[A-Z]\.) (?<!\be\.g\.) (?<!\bi\.e\.) (?<!\b[Ff]ig\.) (?<!\bcf\.) (?<!\bvs\.) (?<!\bNo\.)
        (?<!\b[Ee]q\.) (?<!\bDr\.) (?<!\bMr\.) (?<!\bMrs\.) (?<!\bSt\.) (?<!\bapprox\.) (?<!\bz\.B\.)
        \s+ (?=["'(\[“‘«¿¡]?[A-Z0-9À-ÞА-Я])
      | (?<=[。！？])\s*
      | \n+""",
    re.X,
)
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
# Two ideographs are about one word to a tokenizer; long unbroken strings fall into pieces of six or so.
_LONG_WORD_CHARACTERS = 30
_CHARACTERS_A_PIECE = 6


def sentences(text: str, *, longest: int) -> Iterator[str]:
    """Give the sentences and lines of a text, each with the white space that follows it.

    Args:
        text: any text.
        longest: in words; longer sentences are cut between words, longer words between characters.
    """
    start = 0
    for end in _END.finditer(text):
        if end.end() > start:
            yield from _bounded(text[start : end.end()], longest)
            start = end.end()
    if start < len(text):
        yield from _bounded(text[start:], longest)


def weight(text: str) -> int:
    """Return how many words a text is worth to an encoder."""
    words = text.split()
    count = len(words)
    if not text.isascii():
        count += len(_WIDE.findall(text)) // 2
    if len(text) > count * 9:
        count += sum(
            len(w) // _CHARACTERS_A_PIECE for w in words if len(w) > _LONG_WORD_CHARACTERS and w.isascii()
        )
    return count


def _bounded(sentence: str, longest: int) -> Iterator[str]:
    """Cut a sentence that is too long."""
    if weight(sentence) <= longest:
        yield sentence
        return
    part: list[str] = []
    words = 0
    for word in re.findall(r"\s*\S+\s*", sentence):
        for piece in _word_pieces(word, longest):
            more = weight(piece)
            if part and words + more > longest:
                yield "".join(part)
                part, words = [], 0
            part.append(piece)
            words += more
    if part:
        yield "".join(part)


def _word_pieces(word: str, longest: int) -> Iterator[str]:
    if weight(word) <= longest:
        yield word
        return
    step = max(1, longest)  # ideographs: step of them weigh half of longest, other letters less
    for start in range(0, len(word), step):
        yield word[start : start + step]
