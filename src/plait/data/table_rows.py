"""A table as lines, a row each, and a long one as several tables of whole rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from plait.data.sentences import weight
from plait.schema import Segment


def lines_of(table: Segment) -> tuple[str, ...]:
    """Return a table's rows as lines, the cells parted by " | "; of one without cells, its text's lines."""
    if not table.rows:
        return tuple(table.text.splitlines())
    return tuple(" | ".join(" ".join(cell.split()) for cell in row) for row in table.rows)


def tables_of(table: Segment, *, max_words: int) -> Iterator[Segment]:
    """Give a table that is longer than a unit as several, each under the caption and the header rows.

    A row longer than a unit is not cut.

    Args:
        max_words: the words of each, about, those of its header rows left out.
    """
    lines = lines_of(table)
    header, body = range(table.header_rows), range(table.header_rows, len(lines))
    part: list[int] = []
    words = 0
    for row in body:
        more = weight(lines[row])
        if part and words + more > max_words:
            yield _with_rows(table, lines, [*header, *part])
            part, words = [], 0
        part.append(row)
        words += more
    yield _with_rows(table, lines, [*header, *part])


def _with_rows(table: Segment, lines: tuple[str, ...], kept: list[int]) -> Segment:
    rows = tuple(table.rows[row] for row in kept) if table.rows else ()
    return replace(table, rows=rows, text="\n".join(lines[row] for row in kept))
