"""The rows to mine for, and their distinct queries and documents, kept on disk."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from plait.data.training.entities import content_entity, label_entity
from plait.data.training.examples import Side
from plait.data.whole_files import whole
from plait.encode.side_vectors import kind_of
from plait.extras import require

_AT_ONCE = 1000  # rows or sides in memory
_SIDE = pyarrow.schema([("text", pyarrow.string()), ("image", pyarrow.string())])


@dataclass(frozen=True, slots=True)
class Corpus:
    """R rows, which hold M documents; Q distinct queries and N distinct documents.

    Queries and documents are distinct in their words or their picture's path. Each takes some
    tens of bytes of memory, and so do a row and each of the M; words and pictures stay on disk.

    Attributes:
        rows, queries, documents: `datasets.Dataset`s, the latter two of {"text", "image"}; documents are
            those of the rows, in the order in which they first come, then more candidates.
        query: (R,) number of each row's query.
        starts: (R + 1,) where each row's documents begin among the M.
        held: (M,) their numbers.
        relevant: (M,) whether they answer their row.
        best: (R,) number of each row's most relevant document, the first of them.
        labels: (R,) a hash of each row's label, 0 of none.
        query_kinds: (Q,) TEXT, IMAGE or BOTH.
        kinds: (N,) the same of documents.
        entities: (N,) `content_entity` of each.
        pictures: the deepest folder that holds every picture; "" where there are none.
        digest: tells these rows from others.
    """

    rows: Any
    queries: Any
    documents: Any
    query: NDArray[np.int64]
    starts: NDArray[np.int64]
    held: NDArray[np.int64]
    relevant: NDArray[np.bool_]
    best: NDArray[np.int64]
    labels: NDArray[np.uint64]
    query_kinds: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    entities: NDArray[np.uint64]
    pictures: str
    digest: str
    _of_label: Grouped = field(init=False)
    _of_query: Grouped = field(init=False)

    def __post_init__(self) -> None:
        row = np.repeat(np.arange(len(self.query)), np.diff(self.starts))[self.relevant]
        answers = self.held[self.relevant]
        object.__setattr__(self, "_of_label", Grouped(self.labels[row], answers))
        object.__setattr__(self, "_of_query", Grouped(self.query[row], answers))

    def own(self, row: int) -> NDArray[np.int64]:
        """Return the numbers of a row's documents, in its order."""
        return self.held[self.starts[row] : self.starts[row + 1]]

    def answers(self, row: int) -> NDArray[np.int64]:
        """Return the numbers of all documents known to answer a row: its own, its label's, its query's."""
        found = [self._of_query.of(self.query[row])]
        if self.labels[row]:
            found.append(self._of_label.of(self.labels[row]))
        return np.unique(np.concatenate(found))


class Grouped:
    """Values by key, in two arrays."""

    def __init__(self, keys: NDArray[Any], values: NDArray[np.int64]) -> None:
        order = np.argsort(keys, kind="stable")
        self._keys, self._values = keys[order], values[order]

    def of(self, key: Any) -> NDArray[np.int64]:
        """Return the values of a key."""
        start, stop = (np.searchsorted(self._keys, key, side=side) for side in ("left", "right"))
        return self._values[start:stop]


def read_corpus(rows: Any, more: Iterable[Side], folder: Path) -> Corpus:
    """Return the corpus of rows; its queries and documents are written into the folder, once.

    Args:
        rows: a `datasets.Dataset` of `plait.train.data`.
        more: candidates that are in no row; read twice.
        folder: there already; what it holds is used again when it is of the same rows.
    """
    seen = _Seen()
    for row in _each(rows):
        seen.add(row)
    held = len(seen.documents)
    for side in more:
        seen.add_document(side)
    query_of, _, first_queries = _numbered(seen.queries)
    number_of, entities, first_documents = _numbered(seen.documents)
    digest = seen.digest()
    queries = _sides(
        folder / f"queries-{digest[:16]}.arrow", (r["query"] for r in _each(rows)), first_queries
    )
    documents = _sides(folder / f"documents-{digest[:16]}.arrow", _documents(rows, more), first_documents)
    starts = np.concatenate([[0], np.cumsum(np.frombuffer(seen.counts, dtype=np.int32), dtype=np.int64)])
    places = np.frombuffer(seen.best, dtype=np.int32)
    return Corpus(
        rows=rows,
        queries=queries,
        documents=documents,
        query=query_of,
        starts=starts,
        held=number_of[:held],
        relevant=np.frombuffer(seen.relevant, dtype=np.bool_),
        best=number_of[starts[:-1] + places],
        labels=np.frombuffer(seen.labels, dtype=np.uint64),
        query_kinds=np.frombuffer(seen.query_kinds, dtype=np.uint8)[first_queries],
        kinds=np.frombuffer(seen.kinds, dtype=np.uint8)[first_documents],
        entities=entities,
        pictures=seen.pictures or "",
        digest=digest,
    )


def side_of(values: Mapping[str, str]) -> Side:
    """Return a side out of its columns."""
    return Side(values["text"], values["image"])


@dataclass(slots=True)
class _Seen:
    """What must be remembered of rows: numbers, and the folder of their pictures."""

    queries: array[int] = field(default_factory=lambda: array("Q"))
    documents: array[int] = field(default_factory=lambda: array("Q"))
    query_kinds: array[int] = field(default_factory=lambda: array("B"))
    kinds: array[int] = field(default_factory=lambda: array("B"))
    relevant: array[int] = field(default_factory=lambda: array("B"))
    counts: array[int] = field(default_factory=lambda: array("i"))
    best: array[int] = field(default_factory=lambda: array("i"))
    labels: array[int] = field(default_factory=lambda: array("Q"))
    pictures: str | None = None
    _told: Any = field(default_factory=hashlib.sha256)

    def add(self, row: Mapping[str, Any]) -> None:
        query = side_of(row["query"])
        grades = grades_of(row)
        self.queries.append(content_entity(query))
        self.query_kinds.append(kind_of(query))
        self._place(query)
        for document in row["documents"]:
            self.add_document(side_of(document))
        self.relevant.extend(grade > 0 for grade in grades)
        self.counts.append(len(grades))
        self.best.append(grades.index(max(grades)))
        self.labels.append(label_entity(row["label"]) if row["label"] else 0)
        self._told.update(repr((row["source"], row["id"], row["grades"], row["teacher"])).encode())

    def add_document(self, side: Side) -> None:
        self.documents.append(content_entity(side))
        self.kinds.append(kind_of(side))
        self._place(side)

    def digest(self) -> str:
        told = self._told.copy()
        for values in (self.queries, self.documents, self.counts, self.labels):
            told.update(len(values).to_bytes(8, "big") + values.tobytes())
        return str(told.hexdigest())

    def _place(self, side: Side) -> None:
        if side.image:
            folder = os.path.dirname(side.image)
            if self.pictures is None:
                self.pictures = folder
            elif folder != self.pictures:
                self.pictures = os.path.commonpath((self.pictures, folder))


def sides_from(sides: Any, start: int) -> Iterator[Side]:
    """Yield the sides of a `datasets.Dataset` of {"text", "image"} from a place on."""
    for place in range(start, len(sides), _AT_ONCE):
        yield from map(side_of, sides.select(range(place, min(place + _AT_ONCE, len(sides)))).to_list())


def grades_of(row: Mapping[str, Any]) -> list[float]:
    """Return the grades of a row's documents, spelt out."""
    return list(row["grades"]) or [1.0, *(0.0 for _ in row["documents"][1:])]


def _numbered(
    hashes: array[int],
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
    """Return each one's number, the distinct hashes by number, and where each first comes."""
    given = np.frombuffer(hashes, dtype=np.uint64)
    distinct, first, which = np.unique(given, return_index=True, return_inverse=True)
    order = np.argsort(first)  # numbers go up in the order in which they first come
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    return number[which], distinct[order], first[order]


def _each(rows: Any) -> Iterator[dict[str, Any]]:
    for table in rows.with_format("arrow").iter(batch_size=_AT_ONCE):
        yield from table.to_pylist()


def _documents(rows: Any, more: Iterable[Side]) -> Iterator[Mapping[str, str]]:
    for row in _each(rows):
        yield from row["documents"]
    for side in more:
        yield {"text": side.text, "image": side.image}


def _sides(file: Path, sides: Iterator[Mapping[str, str]], first: NDArray[np.int64]) -> Any:
    """Return sides as a dataset: those at the places in `first`, written into a file unless it is there."""
    if not file.exists():
        wanted = _at(sides, first)
        with (
            whole(file) as part,
            pyarrow.OSFile(str(part), "wb") as sink,
            pyarrow.ipc.new_stream(sink, _SIDE) as writer,
        ):
            while batch := list(islice(wanted, _AT_ONCE)):
                writer.write_batch(pyarrow.RecordBatch.from_pylist(batch, schema=_SIDE))
    return require("datasets").Dataset.from_file(str(file))


def _at(sides: Iterator[Mapping[str, str]], places: NDArray[np.int64]) -> Iterator[Mapping[str, str]]:
    """Yield the sides at some places, which go up."""
    ahead = iter(places.tolist())
    wanted = next(ahead, None)
    for place, side in enumerate(sides):
        if place == wanted:
            yield side
            wanted = next(ahead, None)
