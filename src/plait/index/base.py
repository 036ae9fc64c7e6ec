"""What an index is: a durable store of units, and the read view that a search ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from plait.schema import Facet, FieldInfo, Filter, Metadata, Unit
from plait.scoring.vectors import UnitVectors, Vectors

Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]
ItemKind = Literal["passage", "figure", "table"]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One document as the index keeps it.

    Attributes:
        id, title, source, metadata: as in `schema.Document`.
        content_sha256: hex digest of the file it was read from; tells whether it changed.
        warnings: what its reader left out.
        units, figures: how many of each it has.
        tenant: whose it is; "" where a library has one owner.
        version: how often it has been stored, from 1; the store counts.
    """

    id: str
    title: str
    source: str
    metadata: Metadata
    content_sha256: str
    warnings: tuple[str, ...] = ()
    units: int = 0
    figures: int = 0
    tenant: str = ""
    version: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One document ready to store: its units, and the vectors of each unit in the same order."""

    document: StoredDocument
    units: tuple[Unit, ...]
    vectors: tuple[UnitVectors, ...]


class Index(Protocol):
    """A durable store. Every call that changes it is all or nothing, and lasting once it returns."""

    def add(self, entries: Sequence[Entry]) -> None:
        """Store documents; one with an id already stored replaces all of its units."""
        ...

    def remove(self, document_ids: Sequence[str]) -> int:
        """Remove documents; return how many were there."""
        ...

    def documents(self) -> list[StoredDocument]:
        """Return what is stored, ordered by source."""
        ...

    def snapshot(self) -> Snapshot:
        """Return a read view of this moment; later writes do not change it."""
        ...

    def optimize(self) -> None:
        """Merge small pieces and drop versions no longer needed; safe to interrupt."""
        ...

    def pictures(self) -> set[str]:
        """Return the sha256 of every picture that a stored unit refers to."""
        ...

    def close(self) -> None: ...


class Snapshot(Protocol):
    """N units in a fixed order, ready to be scored."""

    def __len__(self) -> int: ...

    @property
    def language(self) -> str:
        """Whose stems the stored words are; see `languages`."""
        ...

    @property
    def owners(self) -> NDArray[np.int32]:
        """(N,) which document each unit belongs to, as the place of its id in `documents_of`."""
        ...

    def mask(self, filters: Sequence[Filter]) -> Mask | None:
        """Return (N,) True where every filter holds; None when there are no filters.

        Raises:
            QueryError: a filter that cannot be meant, or on a field that no stored document has.
        """
        ...

    def facet(self, field: str, filters: Sequence[Filter], *, most: int = 50) -> Facet:
        """Return the values of a field among the units that the filters on other fields let through.

        Raises:
            QueryError: as in `mask`, or no stored document has the field.
        """
        ...

    def count(self, filters: Sequence[Filter]) -> tuple[int, int]:
        """Return how many units, and how many documents of theirs, the filters let through.

        Raises:
            QueryError: as in `mask`.
        """
        ...

    def filterable_fields(self) -> list[FieldInfo]:
        """Return the fields that filters and facets may name, by name."""
        ...

    def field_scores(self, field: str, query: Vectors, weights: Vectors, mask: Mask | None = None) -> Scores:
        """Score every unit by one vector field.

        Args:
            query: (parts, tokens, width).
            weights: (parts,), summing to 1.
            mask: units to score; None means all.

        Returns:
            (N,) weighted sum over the query's parts of the best item's MaxSim divided by the number
            of query tokens, so in [-1, 1]; NaN for a unit without items and outside the mask.
        """
        ...

    def rough_scores(
        self, field: str, query: Vectors, weights: Vectors, mask: Mask | None = None
    ) -> tuple[Scores, bool]:
        """Return what `field_scores` does or approximations of it, and whether they are exact.

        Approximations are given where exact scores of all units would take much longer, and only where
        `exact_scores` of the best of them is quick.
        """
        ...

    def rough_scores_of(
        self, field: str, asked: Sequence[tuple[Vectors, Vectors]]
    ) -> list[tuple[Scores, bool]]:
        """Return what `rough_scores` says for each of some queries and their weights, at the cost of few."""
        ...

    def pools(self, field: str) -> bool:
        """Return whether approximations are of pooled vectors, which score lower than exact ones."""
        ...

    def exact_scores(self, field: str, query: Vectors, weights: Vectors, rows: NDArray[np.intp]) -> Scores:
        """Return (rows,) what `field_scores` says of some units, at a cost that is theirs alone."""
        ...

    def bm25(self, texts: Sequence[str], weights: Sequence[float], mask: Mask | None = None) -> Scores:
        """Return (N,) weighted BM25 scores, 0 where no word matches; NaN outside the mask."""
        ...

    def item_scores(self, field: str, query: Vectors, weights: Vectors, rows: Sequence[int]) -> list[Scores]:
        """Return, for each row, (items,) what each of its items scores in a field.

        `exact_scores` says of a unit what its best item scores, or more where parts of the query find
        different items.
        """
        ...

    def best_items(
        self, field: str, query: Vectors, weights: Vectors, rows: Sequence[int]
    ) -> list[int | None]:
        """Return, for each row, which of its items scored best in a field; None where it has none."""
        ...

    def item_vectors(self, field: str, rows: Sequence[int]) -> list[Vectors]:
        """Return, for each row, (items, tokens, width) its vectors in a field, unit length."""
        ...

    def groups(self, field: str) -> NDArray[np.int32]:
        """Return (N,) a number for each unit's value of a field of its document; -1 for none.

        Raises:
            QueryError: no stored document has the field, or it is one of units: a section or a page.
        """
        ...

    def keys(self, rows: Sequence[int]) -> NDArray[np.uint64]:
        """Return (rows,) what names the content of units, in every later snapshot too."""
        ...

    def rows_of(self, keys: Sequence[int]) -> NDArray[np.intp]:
        """Return (keys,) the units that keys name; -1 for one that is not there as it was."""
        ...

    def word_weights(self, texts: Sequence[str], weights: Sequence[float]) -> Mapping[str, float]:
        """Return what each word of a query counts in `bm25`: its texts' weights times how rare it is.

        Words, as `lexical.words` gives them, that no unit has are not there.
        """
        ...

    def holding(self, items: ItemKind) -> Mask:
        """Return (N,) True for the units that have passages, figures or tables; read-only."""
        ...

    def units(self, rows: Sequence[int]) -> list[tuple[Unit, StoredDocument]]:
        """Return the stored units of some rows, in that order."""
        ...

    def documents_of(self) -> Mapping[str, Sequence[int]]:
        """Return document id -> the rows of its units; also documents that have none."""
        ...
