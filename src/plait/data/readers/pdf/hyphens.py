"""Hyphens at the ends of lines: kept or not, as the same document writes the word elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from plait.data.readers.pdf.paragraphs import HYPHEN_AT_END

_BROKEN = re.compile(rf"([\w-]{{0,60}}\w){HYPHEN_AT_END}(\w[\w-]{{0,60}})")
_WORD = re.compile(r"\w[\w-]*")
_ALWAYS = re.compile(r"(?:^|-)self$", re.I)


class Hyphens:
    """Settles the hyphens that `pdf_paragraphs` has marked.

    A word is written as the document writes it elsewhere, whole or with its hyphen, whichever is more
    frequent. One that is found nowhere else is made whole, unless it has another hyphen already
    ("state-of-the-art").

    Args:
        texts: all of the document, marks included.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        kept = list(texts)
        forms = {
            form
            for text in kept
            if HYPHEN_AT_END in text
            for first, second in _BROKEN.findall(text)
            for form in (f"{first}{second}".lower(), f"{first}-{second}".lower())
        }
        self._counts: Counter[str] = Counter()
        if forms:
            for text in kept:
                self._counts.update(forms.intersection(_WORD.findall(text.lower())))

    def settled(self, text: str) -> str:
        """Return a text without marks."""
        if HYPHEN_AT_END not in text:
            return text
        return _BROKEN.sub(self._whole, text).replace(HYPHEN_AT_END, "")

    def _whole(self, broken: re.Match[str]) -> str:
        first, second = broken.groups()
        whole, parted = f"{first}{second}", f"{first}-{second}"
        times, times_parted = self._counts[whole.lower()], self._counts[parted.lower()]
        if times != times_parted:
            return whole if times > times_parted else parted
        return parted if "-" in first or _ALWAYS.search(first) else whole
