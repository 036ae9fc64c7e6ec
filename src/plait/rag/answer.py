"""Answers whose every statement names its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from plait.rag.citations import check_citations
from plait.rag.generate import Generator
from plait.rag.prompt import NOT_IN_DOCUMENTS, build_messages
from plait.rag.quote import quote_answer
from plait.schema import Hit, Query


@dataclass(frozen=True, slots=True)
class Citation:
    """One source that an answer names.

    Attributes:
        number: the n of [n]; the rank of the hit it stands for.
        place: where to look, in words ("page 3, Filters > Blur").
        picture: path of the hit's figure; None if it has none.
        page_picture: path of the page's image; None if there is none.
    """

    number: int
    unit_id: str
    document_id: str
    title: str
    source: str
    place: str = ""
    page: int | None = None
    anchor: str = ""
    picture: str | None = None
    caption: str = ""
    page_picture: str | None = None

    @classmethod
    def of(cls, number: int, hit: Hit) -> Citation:
        """Return the citation of a hit."""
        return cls(
            number=number,
            unit_id=hit.unit_id,
            document_id=hit.document_id,
            title=hit.title,
            source=hit.source,
            place=hit.place,
            page=hit.page,
            anchor=hit.anchor,
            picture=hit.picture,
            caption=hit.caption,
            page_picture=hit.page_picture,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the documents say to a question.

    Attributes:
        text: sentences with [n] behind what source n says.
        citations: the sources that the text names, by number.
        found: False when the documents do not answer; the text then says so.
        uncited: sentences of the text that name no source, as they stand: do not trust them.
        removed: numbers the model cited that do not exist; they are gone from the text.
        written_by: name of the model that wrote the text; "" when it is quoted.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    found: bool = True
    uncited: tuple[str, ...] = ()
    removed: tuple[int, ...] = ()
    written_by: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def answer(query: Query, hits: Sequence[Hit], *, generator: Generator | None = None) -> Answer:
    """Answer a query from its hits.

    Without a generator the answer quotes the sentences that share most with the question. With one,
    the model writes; its citations are checked against the hits and it is asked to say when the
    documents hold no answer. Nothing is asked of a model when there are no hits.

    Args:
        query: what was asked; its pictures go to the model too.
        hits: what the search found, best first; hit k is source [k].
        generator: who writes; None quotes.

    Raises:
        GenerateError: the model cannot be reached, or sends something unreadable.
        QueryError: a picture of the query cannot be opened.
    """
    if not hits:
        return Answer(NOT_IN_DOCUMENTS, found=False)
    if generator is None:
        quoted = quote_answer(query, hits)
        return Answer(quoted.text, _cited(quoted.numbers, hits), found=quoted.found)
    checked = check_citations(generator.write(build_messages(query, hits)), sources=len(hits))
    return Answer(
        text=checked.text,
        citations=_cited(checked.numbers, hits),
        found=not _declines(checked.text, checked.numbers),
        uncited=checked.uncited,
        removed=checked.removed,
        written_by=generator.name,
    )


def _cited(numbers: Sequence[int], hits: Sequence[Hit]) -> tuple[Citation, ...]:
    return tuple(Citation.of(n, hits[n - 1]) for n in sorted(set(numbers)))


def _declines(text: str, numbers: Sequence[int]) -> bool:
    """Tell whether the model used the sentence it was given for "no answer here"."""
    said = text.strip().casefold().rstrip(".")
    return not numbers and said.startswith(NOT_IN_DOCUMENTS.casefold().rstrip("."))
