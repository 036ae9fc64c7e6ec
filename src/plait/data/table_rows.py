"""A table as lines, a row each, and a long one as several tables of whole rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from plait.data.sentences import weight
from plait.schema import Segment

# Of a unit or a passage, what a caption or a header may take that is said again where the rows go on.
REPEATED_SHARE = 1 / 3


def lines_of(table: Segment) -> tuple[str, ...]:
    """Return a table's rows as lines, the cells parted by " | ", "" for one of empty cells.

    Those of a table without cells are its text's lines.
    """
    if not table.rows:
        return tuple(table.text.splitlines())
    rows = ([" ".join(cell.split()) for cell in row] for row in table.rows)
    return tuple(" | ".join(cells) if any(cells) else "" for cells in rows)


def tables_of(table: Segment, *, max_words: int) -> Iterator[Segment]:
    """Give a table that is longer than a unit as several of whole rows, each under caption and header.

    A caption or a header that is itself long is only the first's. A row longer than a unit is not cut.

    Args:
        max_words: the words of each, about, caption and header left out.
    """
    lines = lines_of(table)
    short = weight("\n".join(lines[: table.header_rows])) <= REPEATED_SHARE * max_words
    header = list(range(table.header_rows)) if short else []
    part: list[int] = []
    words = 0
    for row in range(len(header), len(lines)):
        more = weight(lines[row])
        if part and words + more > max_words:
            yield _with_rows(table, lines, header, part)
            table = replace(table, caption=_short(table.caption, max_words), picture=None)
            part, words = [], 0
        part.append(row)
        words += more
    yield _with_rows(table, lines, header, part)


def _short(caption: str, max_words: int) -> str:
    return caption if weight(caption) <= REPEATED_SHARE * max_words else ""


def _with_rows(table: Segment, lines: tuple[str, ...], header: list[int], part: list[int]) -> Segment:
    kept = [*header, *part]
    return replace(
        table,
        rows=tuple(table.rows[row] for row in kept) if table.rows else (),
        text="\n".join(lines[row] for row in kept),
        header_rows=len(header),
    )
