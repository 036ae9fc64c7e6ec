"""JSON Lines one at a time: each row with its place, and what is no row with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from plait.data.training.examples import BadRow, Example
from plait.errors import InputError

MAX_LINE_BYTES = 64 << 20  # a longer line is no row, but a file without line breaks
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a training file.

    Attributes:
        place: "file:line", or what else finds it.
        values: its fields by name.
        offset: byte at which its line begins, or its number; with its id, tells it from its repetitions
            on every machine.
    """

    place: str
    values: dict[str, Any]
    offset: int


def json_rows(file: Path) -> Iterator[Row | BadRow]:
    """Yield the object of every line that is not blank; one line is in memory at a time.

    A line that is not UTF-8, not JSON, no object, or longer than `MAX_LINE_BYTES` is a BadRow.
    """
    with file.open("rb") as stream:
        offset = 0
        for number, (raw, size) in enumerate(_lines(stream), 1):
            place = f"{file}:{number}"
            if size > MAX_LINE_BYTES:
                yield BadRow(place, f"longer than {MAX_LINE_BYTES:,} bytes: expected one JSON object a line")
            elif line := raw.removeprefix(_BYTE_ORDER_MARK).strip():
                try:
                    row: Row | BadRow = Row(place, parsed(line), offset)
                except InputError as error:
                    row = BadRow(place, str(error))
                yield row
            offset += size


def examples(rows: Iterable[Row | BadRow], make: Callable[[Row], Example]) -> Iterator[Example | BadRow]:
    """Yield what `make` makes of each row; where it raises an InputError, a BadRow with its message."""
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            example: Example | BadRow = make(row)
        except InputError as error:
            example = BadRow(row.place, str(error))
        yield example


def parsed(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line.

    Raises:
        InputError: not UTF-8, not JSON, or no object.
    """
    try:
        values = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 ({error.reason} at byte {error.start}): convert it") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"expected a JSON object, got {type(values).__name__}")
    return values


def _lines(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield each line and its size in bytes; of one that is too long, only the beginning."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        size = len(line)
        more = line
        while not more.endswith(b"\n") and (more := stream.readline(MAX_LINE_BYTES)):
            size += len(more)
        yield line, size
