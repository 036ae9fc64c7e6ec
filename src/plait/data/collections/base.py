"""What a benchmark is: documents to search, queries to ask, and which documents answer them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from plait.errors import InputError
from plait.schema import Document, Qrels, Query


class AnyQuery(Protocol):
    """What scoring knows of a query."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...


AnyQueryT_co = TypeVar("AnyQueryT_co", bound=AnyQuery, covariant=True)


class Labels(Protocol[AnyQueryT_co]):
    """Queries and which documents answer them: all that scoring needs of a collection, or of a task."""

    @property
    def name(self) -> str: ...
    @property
    def queries(self) -> Sequence[AnyQueryT_co]: ...
    @property
    def qrels(self) -> Qrels: ...


@dataclass(frozen=True, slots=True)
class LabelledQuery:
    """A query of a collection.

    Attributes:
        kind: what sort of query it is ("text", "image", "text+image", ...); measures are reported
            for each kind apart.
    """

    id: str
    query: Query
    kind: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a collection's files that could not be used, and was left out.

    Attributes:
        place: "file:line".
        message: what was seen and what was expected.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Collection:
    """A corpus, its queries and their judgements.

    Attributes:
        name: for reports.
        queries: ids are distinct.
        qrels: query id -> document id -> grade; 0 and less mean "not relevant".
        read: gives the documents, from the first one each time it is called; they are never all in
            memory unless the reader keeps them.
        problems: what was left out of queries, judgements and the corpus.
    """

    name: str
    queries: Sequence[LabelledQuery]
    qrels: Qrels
    read: Callable[[], Iterator[Document]]
    problems: Sequence[Problem] = field(default=())

    def __post_init__(self) -> None:
        check_ids(self)

    def documents(self) -> Iterator[Document]:
        """Yield the documents of the corpus."""
        return self.read()

    def judged(self) -> list[LabelledQuery]:
        """Return the queries that have a relevant document, in order: the others measure nothing."""
        return judged(self)


def judged(labels: Labels[AnyQueryT_co]) -> list[AnyQueryT_co]:
    """Return the queries that have a relevant document, in order: the others measure nothing."""
    relevant = {query for query, grades in labels.qrels.items() if any(g > 0 for g in grades.values())}
    return [query for query in labels.queries if query.id in relevant]


def check_ids(labels: Labels[AnyQuery]) -> None:
    """Check that no two queries share an id.

    Raises:
        InputError: two do.
    """
    seen: set[str] = set()
    for query in labels.queries:
        if query.id in seen:
            raise InputError(f"collection {labels.name!r} has two queries with the id {query.id!r}")
        seen.add(query.id)
