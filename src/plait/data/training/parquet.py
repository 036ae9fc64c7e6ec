"""Rows of Parquet files, a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow
from pyarrow import parquet

from plait.data.training.examples import BadRow
from plait.data.training.lines import Row

_BATCH_ROWS = 1000


def parquet_rows(
    file: Path, *, needed: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[Row | BadRow]:
    """Yield the rows of a file, their places "file:row N" counted from 1.

    Only the columns named are read. A file that is no Parquet, or lacks a needed column, gives one BadRow;
    one that is damaged somewhere, a BadRow for each row of that part.
    """
    try:
        with parquet.ParquetFile(file) as opened:
            there = opened.schema_arrow.names
            if missing := [name for name in needed if name not in there]:
                reason = f"no column {', '.join(missing)}: expected {', '.join(needed)}; it has "
                yield BadRow(str(file), reason + ", ".join(there))
                return
            columns = [name for name in (*needed, *optional) if name in there]
            first = 1
            for group in range(opened.num_row_groups):
                yield from _group_rows(opened, group, columns, place=f"{file}:row", first=first)
                first += opened.metadata.row_group(group).num_rows
    except (pyarrow.ArrowException, OSError) as error:
        yield BadRow(str(file), f"cannot be read as Parquet ({error})")


def _group_rows(
    file: parquet.ParquetFile, group: int, columns: Sequence[str], *, place: str, first: int
) -> Iterator[Row | BadRow]:
    """Yield the rows of a row group, numbered from `first`."""
    number, end = first, first + file.metadata.row_group(group).num_rows
    try:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group], columns=columns):
            for values in batch.to_pylist():
                yield Row(f"{place} {number}", values, number)
                number += 1
    except (pyarrow.ArrowException, OSError) as error:
        yield from (BadRow(f"{place} {lost}", f"damaged Parquet ({error})") for lost in range(number, end))


def write_lines(rows: Iterable[Row | BadRow], target: Path) -> list[BadRow]:
    """Write rows as JSON Lines, and return those that are bad."""
    bad: list[BadRow] = []
    with target.open("w", encoding="utf-8") as file:
        for row in rows:
            if isinstance(row, BadRow):
                bad.append(row)
            else:
                file.write(json.dumps(row.values) + "\n")
    return bad
