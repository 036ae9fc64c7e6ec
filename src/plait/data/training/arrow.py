"""Examples written as one Arrow file, which is then read a row at a time from disk."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from plait.data.training.entities import positive_entity
from plait.data.training.examples import BadRow, Example, TrainingSource
from plait.data.training.report import ReadReport, Tally

_SIDE = pyarrow.struct([("text", pyarrow.string()), ("image", pyarrow.string())])
_NUMBERS = pyarrow.list_(pyarrow.float32())
SCHEMA = pyarrow.schema(
    [
        ("query", _SIDE),
        ("documents", pyarrow.list_(_SIDE)),
        ("label", pyarrow.string()),
        ("grades", _NUMBERS),
        ("teacher", _NUMBERS),
        ("id", pyarrow.string()),
        ("source", pyarrow.string()),
    ]
)
_BATCH_ROWS = 1000

# Takes the name of a source and how many rows of all sources were good and bad so far.
Watch = Callable[[str, int, int], None]


def write_examples(
    sources: Iterable[TrainingSource], file: Path, *, watch: Watch | None = None
) -> ReadReport:
    """Write the examples of all sources, in order, and return what became of their rows.

    Columns are those of `SCHEMA`: an Example's fields, its sides as {"text", "image"}, and the name of its
    source. Memory holds a batch of rows and 8 bytes for each that was written.

    Args:
        file: written as an Arrow stream, which `datasets.Dataset.from_file` opens.
        watch: called after every row.

    Raises:
        OSError: a file cannot be read or written.
    """
    tally, seen = Tally(), _Seen()
    rows = _counted(sources, tally, seen, watch or (lambda *_: None))
    with (
        pyarrow.OSFile(str(file), "wb") as sink,
        pyarrow.ipc.new_stream(sink, SCHEMA) as writer,
    ):
        while batch := _next_batch(rows):
            writer.write_batch(batch)
    repeated = seen.repeated()
    return tally.report(
        repeated=len(repeated), examples=_ids_at(file, repeated[:5]), entities=min(len(seen.entities), 2)
    )


def _counted(
    sources: Iterable[TrainingSource], tally: Tally, seen: _Seen, watch: Watch
) -> Iterator[dict[str, Any]]:
    good = bad = 0
    for source in sources:
        for row in source:
            name = row.source or source.name
            if isinstance(row, BadRow):
                bad += 1
                tally.add_bad(name, row)
            else:
                good += 1
                tally.add_good(name)
                seen.add(name, row)
                yield _columns(row, name)
            watch(name, good, bad)


def _next_batch(rows: Iterator[dict[str, Any]]) -> pyarrow.RecordBatch | None:
    batch = list(islice(rows, _BATCH_ROWS))
    return pyarrow.RecordBatch.from_pylist(batch, schema=SCHEMA) if batch else None


def _columns(example: Example, source: str) -> dict[str, Any]:
    query, *documents = (
        {"text": side.text, "image": side.image} for side in (example.query, *example.documents)
    )
    return {
        "query": query,
        "documents": documents,
        "label": example.label,
        "grades": list(example.grades),
        "teacher": list(example.teacher),
        "id": example.id,
        "source": source,
    }


class _Seen:
    """What must be remembered of rows that were written."""

    def __init__(self) -> None:
        self.ids = array("Q")
        self.entities: set[int] = set()  # two at most

    def add(self, source: str, example: Example) -> None:
        digest = hashlib.blake2b(f"{source}\0{example.id}".encode(), digest_size=8).digest()
        self.ids.append(int.from_bytes(digest, "big"))
        if len(self.entities) < 2:
            self.entities.add(positive_entity(example))

    def repeated(self) -> NDArray[np.intp]:
        """Return the numbers, in order, of rows whose id an earlier one has."""
        _, first = np.unique(np.frombuffer(self.ids, dtype=np.uint64), return_index=True)
        again = np.ones(len(self.ids), dtype=bool)
        again[first] = False
        return np.flatnonzero(again)


def _ids_at(file: Path, numbers: NDArray[np.intp]) -> tuple[str, ...]:
    """Return "source: id" of rows of a written file."""
    if not len(numbers):
        return ()
    with pyarrow.memory_map(str(file)) as source:
        table = pyarrow.ipc.open_stream(source).read_all().select(["source", "id"])
        rows = table.take(pyarrow.array(numbers)).to_pylist()
    return tuple(f"{row['source']}: {row['id']}" for row in rows)
