"""Sentences to fill a sample with: real ones of unpacked manuals, or ones made of a built-in vocabulary."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

_SUBJECTS = """
measurement approximation instrument observation calibration comparison configuration description
distribution environment experiment explanation foundation implementation interpretation laboratory
manufacturer mechanism representation temperature transformation arrangement consequence combination
characteristic development documentation equipment estimation information investigation maintenance
"""
_PLACES = """
workshop valley harbour archive orchard museum market station river bridge tower meadow kitchen furnace
garden corridor village mountain
"""
_QUALITIES = """
careful narrow independent considerable particular reliable preliminary satisfactory mechanical continuous
ordinary experimental approximate significant temporary permanent alternative remarkable well-known
two-sided long-term
"""
_VERBS = """
determines describes influences demonstrates precedes contradicts accompanies illustrates requires
produces limits improves replaces confirms resembles supports reduces
"""
_MANNERS = """
usually considerably independently occasionally approximately consequently immediately carefully
particularly necessarily
"""
_FORMS = (
    "The {q} {s} {v} every {s2} of the {p}.",
    "In the {p}, {m}, the {s} {v} a {q} {s2}.",
    "Although its {s} {m} {v} the {q2} {s2}, no {p} has a {q} one.",
    "Whoever visits the {p} finds that the {s} {m} {v} another {s2}.",
    "A {q} {s} of the {p} {v} the {s2}, and it {m} {v2} the {q2} {s3} as well.",
    "It is the {q} {s} that {v} the {s2} between the {p} and the {p2}.",
    "Of {n} {p}s that were compared, {n2} have a {q} {s}, which {m} {v} the {s2}.",
)
_PLAIN = re.compile(r"[A-Z][A-Za-z ,;'’()-]+\.")
_NAMES = """
Ada Aske Berit Cyrus Dorothea Edvin Farida Goran Hanneke Ilse Jamal Katarina Ludovic Marguerite Nadira
Oskar Philippa Rosalind Sigrid Tobias
"""
_SURNAMES = """
Abernathy Bergstrom Castellano Dubrovsky Eriksen Fairbanks Galloway Hartmann Ivanova Jankowski Kowalczyk
Lindqvist Montgomery Nakamura Oyelaran Petersen Quintero Rasmussen Sandoval Thorvald
"""


class Prose:
    """A source of English words, the same ones for one seed.

    Args:
        seed: of everything that is drawn.
        sentences: real ones to draw from; none makes them of the built-in vocabulary.
    """

    def __init__(self, seed: int, sentences: Sequence[str] = ()) -> None:
        self._random = random.Random(seed)
        self._sentences = sentences

    def sentence(self) -> str:
        if self._sentences:
            return self._random.choice(self._sentences)
        return self._made()

    def sentences(self, fewest: int, most: int) -> list[str]:
        return [self.sentence() for _ in range(self._random.randint(fewest, most))]

    def heading(self) -> str:
        """Return two to six words, as over a section."""
        draw = self._word
        subject = draw(_SUBJECTS)
        forms = (
            f"{draw(_QUALITIES)} {subject}",
            f"{subject} of the {draw(_QUALITIES)} {draw(_PLACES)}",
            f"{subject} and {draw(_SUBJECTS)}",
            f"what a {draw(_PLACES)} {draw(_VERBS)}",
        )
        made = self._random.choice(forms)
        return made[0].upper() + made[1:]

    def title(self) -> str:
        return f"{self.heading()}: {self.heading()} in the {self._word(_PLACES)}"

    def caption(self) -> str:
        """Return what stands beside a label: a heading, and often a sentence."""
        return f"{self.heading()}. {self._made()}" if self._random.random() < 0.6 else f"{self.heading()}."

    def name(self) -> str:
        return f"{self._word(_NAMES)} {self._word(_SURNAMES)}"

    def word(self) -> str:
        return self._word(_SUBJECTS)

    def place(self) -> str:
        return self._word(_PLACES)

    def _made(self) -> str:
        draw = self._word
        words = {"m": draw(_MANNERS), "v": draw(_VERBS), "v2": draw(_VERBS)}
        words |= {"n": str(self._random.randint(20, 90)), "n2": str(self._random.randint(2, 20))}
        words |= {"p": draw(_PLACES), "p2": draw(_PLACES), "q": draw(_QUALITIES), "q2": draw(_QUALITIES)}
        words |= {name: draw(_SUBJECTS) for name in ("s", "s2", "s3")}
        return self._random.choice(_FORMS).format(**words)

    def _word(self, of: str) -> str:
        return self._random.choice(of.split())


def real_sentences(folder: Path, *, most: int = 20_000) -> list[str]:
    """Return sentences of letters and plain punctuation from the HTML files below a folder."""
    found: dict[str, None] = {}
    for file in sorted(folder.rglob("*.html")):
        for paragraph in LexborHTMLParser(file.read_bytes()).css("p"):
            text = " ".join(paragraph.text().split())
            for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", text):
                if 8 <= len(sentence.split()) <= 35 and _PLAIN.fullmatch(sentence):
                    found[sentence] = None
        if len(found) >= most:
            break
    return list(found)[:most]
