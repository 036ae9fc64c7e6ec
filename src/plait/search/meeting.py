"""Queries that come at once, encoded and compared roughly as one: most of what that costs is shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from plait.encode.base import Encoder
from plait.index.base import Scores, Snapshot
from plait.schema import Query
from plait.scoring.together import Together
from plait.scoring.vectors import QueryVectors

Asking = tuple[Query, tuple[str, ...]]  # a query of wanted parts, and the lanes to ask

_LONGEST = 1000  # characters of all texts; the others of a call would wait for longer ones
_MOST = 8  # queries of one call


@runtime_checkable
class EncodesMany(Protocol):
    """An encoder for which several queries cost less than each for itself."""

    def encode_queries(self, queries: Sequence[Query]) -> list[QueryVectors]:
        """Return what `encode_query` returns for each."""
        ...


@dataclass(frozen=True, slots=True)
class Compared:
    """A query encoded, and what some vector lanes roughly say of it.

    Attributes:
        vectors: in the fields that were asked.
        rough: lane -> (N,) scores without any filter, and whether they are exact; nothing for a query with
            filters, which leave less to compare.
    """

    vectors: QueryVectors
    rough: Mapping[str, tuple[Scores, bool]]


@dataclass(frozen=True)
class Meeting:
    """Where queries to one snapshot meet.

    A query is encoded and compared by whoever is at work, with all that came meanwhile; who finds nobody at
    work begins at once. What one gets does not depend on the others. Were only the encoding shared, queries
    would have parted again before they are compared.

    Attributes:
        encoder, snapshot: as of a searcher.
    """

    encoder: Encoder
    snapshot: Snapshot
    _together: Together[Asking, Compared] = field(
        default_factory=lambda: Together(most=_MOST), init=False, repr=False, compare=False
    )
    _ahead: list[tuple[Asking, Compared]] = field(default_factory=list, init=False, repr=False, compare=False)

    def ahead(self, asked: Sequence[Asking]) -> None:
        """Encode and compare some queries that `compared` will be asked for next, as one.

        For whoever answers several in turn on one thread; what was done ahead before is forgotten.

        Raises:
            QueryError: one of them cannot be encoded.
        """
        self._ahead.clear()
        several = [one for one in asked if self._shares(one[0])]
        if len(several) > 1:
            self._ahead.extend(zip(several, self._together.each(self._compared, several), strict=True))

    def compared(self, query: Query, lanes: tuple[str, ...]) -> Compared:
        """Return a query of wanted parts, encoded and compared in some vector lanes.

        Raises:
            QueryError: an image that cannot be opened.
        """
        for asked, compared in self._ahead:
            if asked == (query, lanes):
                return compared
        if self._shares(query):
            return self._together(self._compared, (query, lanes))
        return Compared(_only(self.encoder.encode_query(query), lanes), {})

    def _shares(self, query: Query) -> bool:
        is_short = not query.images and sum(map(len, query.texts)) <= _LONGEST
        return is_short and isinstance(self.encoder, EncodesMany)

    def _compared(self, asked: Sequence[Asking]) -> list[Compared]:
        assert isinstance(self.encoder, EncodesMany)
        encoded = self.encoder.encode_queries([query for query, _ in asked])
        every = [_only(vectors, lanes) for vectors, (_, lanes) in zip(encoded, asked, strict=True)]
        rough: list[dict[str, tuple[Scores, bool]]] = [{} for _ in asked]
        for name in dict.fromkeys(name for vectors in every for name in vectors.fields):
            places = [
                place
                for place, (query, _) in enumerate(asked)
                if name in every[place].fields and not query.filters
            ]
            vectors = [(every[place].fields[name], every[place].weights[name]) for place in places]
            for place, scores in zip(places, self.snapshot.rough_scores_of(name, vectors), strict=True):
                rough[place][name] = scores
        return [Compared(vectors, said) for vectors, said in zip(every, rough, strict=True)]


def _only(vectors: QueryVectors, lanes: tuple[str, ...]) -> QueryVectors:
    """Return the fields that are among some lanes."""
    fields = {name: there for name, there in vectors.fields.items() if name in lanes}
    return QueryVectors(fields, {name: vectors.weights[name] for name in fields})
