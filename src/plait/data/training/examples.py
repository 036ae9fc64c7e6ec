"""One training example, and what takes its place where a row cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from plait.errors import InputError


@dataclass(frozen=True, slots=True)
class Side:
    """A query or a document: words, a picture, or both.

    Attributes:
        text: "" if it has none.
        image: absolute path of a picture, "" if it has none.
    """

    text: str = ""
    image: str = ""

    def __bool__(self) -> bool:
        """Whether there is anything to read."""
        return bool(self.text.strip() or self.image)


@dataclass(frozen=True, slots=True)
class Example:
    """A query with documents that answer it, and hard negatives that look as if they did.

    Attributes:
        id: unique within its source, for reports.
        query: what is asked.
        documents: relevant ones and hard negatives; without grades, the first is the relevant one.
        label: what both sides are about; rows with equal labels are never each other's negatives. "":
            nothing else is known to be about the same.
        grades: relevance of each document, 0 or more; (): 1, 0, 0, ...
        teacher: score a teacher gives each document; (): none.
        source: what it was read from, where its source mixes several; "": that source itself.

    Raises:
        InputError: no query or document to read, grades or teacher scores that do not fit the
            documents, a negative grade, or none above 0.
    """

    id: str
    query: Side
    documents: tuple[Side, ...]
    label: str = ""
    grades: tuple[float, ...] = ()
    teacher: tuple[float, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        if not self.query:
            raise InputError("the query has neither text nor image")
        if not self.documents or not all(self.documents):
            raise InputError("a document has neither text nor image, or there is none")
        for name, values in (("grades", self.grades), ("teacher scores", self.teacher)):
            if values and len(values) != len(self.documents):
                raise InputError(f"{len(values)} {name} for {len(self.documents)} documents")
        if self.grades and (min(self.grades) < 0 or max(self.grades) <= 0):
            raise InputError(f"grades {self.grades}: expected 0 or more each, and one above 0")

    @property
    def relevance(self) -> tuple[float, ...]:
        """The grades, spelt out."""
        return self.grades or (1.0, *(0.0 for _ in self.documents[1:]))


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        place: file and line, or what else finds it.
        reason: what was seen and what was expected.
        source: as of an Example.
    """

    place: str
    reason: str
    source: str = ""


class TrainingSource(Protocol):
    """A source of examples that can be read any number of times, each time in the same order."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def __iter__(self) -> Iterator[Example | BadRow]:
        """Yield a row at a time; memory does not grow with their number, but for indexes of documents."""
        ...
