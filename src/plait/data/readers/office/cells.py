"""Rows of cells to tables: where they lie on a sheet, what names their columns, where to cut them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plait.schema import Box, Segment

Row = tuple[str, ...]

ROWS_A_TABLE = 50
_CHARACTERS_A_TABLE = 20_000
_LONGEST_NAME_CHARACTERS = 100
_ROWS_LOOKED_AT = 200
_WIDEST_GAP = 2  # empty rows inside one table
_NUMBER = re.compile(
    r"[-+(]?\s?[$€£¥]?\s?\d[\d.,'\u00a0\u202f ]*(?:[eE][-+]?\d+)?\s?(?:%|[$€£¥])?\)?"
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d\d(?::\d\d)?)?|\d{1,2}:\d\d(?::\d\d)?"
)


@dataclass(slots=True)
class CellBudget:
    """How much of one file's rows is still kept; what comes after is left out.

    Attributes:
        rows, cells, characters: what is left of each.
        places: how many more cells are looked at, the empty ones counted.
        area: what rows and widest row may multiply to: rows are padded to one length.
        spent: whether a row had to be left out.
    """

    rows: int = 100_000
    cells: int = 1_000_000
    characters: int = 50_000_000
    places: int = 20_000_000
    area: int = 8_000_000
    spent: bool = False
    _taken: int = 0
    _widest: int = 0

    def takes(self, row: Sequence[str]) -> bool:
        """Take a row in, or tell that it no longer fits."""
        if self.spent:
            return False
        self.rows -= 1
        self.cells -= sum(map(bool, row))
        self.places -= len(row)
        self.characters -= sum(map(len, row))
        self._taken += 1
        self._widest = max(self._widest, filled_end(row))
        left = min(self.rows, self.cells, self.characters, self.places)
        self.spent = left < 0 or self._taken * self._widest > self.area
        return not self.spent

    def next_sheet(self) -> None:
        """Begin another sheet, whose rows have a length of their own."""
        self._taken = self._widest = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where tables stand: what every segment made of them carries."""

    section: tuple[str, ...] = ()
    page: int | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Cells that stand together, with nothing but empty cells around them.

    Attributes:
        top, left: its first row and column on the sheet, from 0.
        rows: its cells, every row of one length.
    """

    top: int
    left: int
    rows: tuple[Row, ...]

    @property
    def width(self) -> int:
        """How many columns it has."""
        return len(self.rows[0])


def cell_text(value: object) -> str:
    """Return a cell's value as a reader writes it: 3.0 as "3", a date as "2024-05-01"; None as ""."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return format(value, ".15g")
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "seconds").removesuffix(" 00:00:00")
    if isinstance(value, datetime.time):
        return value.isoformat("seconds")
    return "" if value is None else str(value)


def looks_numeric(text: str) -> bool:
    """Tell a number, an amount, a date or a time of day from words."""
    return len(text) <= 40 and _NUMBER.fullmatch(text) is not None


def squared(rows: Sequence[Sequence[str]]) -> tuple[Row, ...]:
    """Return the rows at one length, without the empty columns and rows at their ends."""
    kept = [tuple(row) for row in rows]
    width = max(map(filled_end, kept), default=0)
    kept = [(row + ("",) * (width - len(row)))[:width] for row in kept]
    while kept and not any(kept[-1]):
        kept.pop()
    return tuple(kept)


def filled_end(row: Sequence[str]) -> int:
    """Return the length of a row without the empty cells at its end."""
    end = len(row)
    while end and not row[end - 1]:
        end -= 1
    return end


def header_rows_of(rows: Sequence[Row]) -> int:
    """Return how many rows, from the first, name the columns: 0, 1 or 2.

    Names are words, short and different from each other, over values that are not in the same column as
    theirs: numbers, or words that never repeat the name. Two rows do where the first leaves gaps, as one
    name over several columns does.
    """
    if len(rows) < 2:
        return 0
    if _names(rows[0], rows[1:_ROWS_LOOKED_AT]):
        return 1
    groups = [text for text in rows[0] if text]
    has_gaps = 0 < len(groups) < len(rows[0]) or len(set(groups)) < len(groups)
    over_names = len(rows) > 2 and _has_values(rows[2:_ROWS_LOOKED_AT])
    if has_gaps and over_names and _are_words(rows[0]) and _names(rows[1], rows[2:_ROWS_LOOKED_AT]):
        return 2
    return 0


def table_segments(
    rows: Sequence[Row],
    *,
    place: Place,
    header_rows: int | None = None,
    caption: str = "",
    first_row: int = 1,
) -> Iterator[Segment]:
    """Yield a table as segments of at most `ROWS_A_TABLE` rows, its header repeated in each.

    Args:
        rows: its cells, every row of one length.
        header_rows: how many name the columns; None finds out.
        caption: what it is called; of a table in several parts, each adds which rows it holds.
        first_row: number of the first row, for that.
    """
    count = header_rows_of(rows) if header_rows is None else min(header_rows, len(rows))
    header, body = tuple(rows[:count]), rows[count:]
    parts = list(_parts(body)) or [(0, 0)]
    for start, end in parts:
        span = f"rows {first_row + count + start}-{first_row + count + end - 1}"
        named = caption if len(parts) == 1 else f"{caption}, {span}" if caption else span.capitalize()
        shown = (*header, *body[start:end])
        yield Segment(
            "table",
            text="\n".join(" | ".join(row) for row in shown),
            caption=named,
            rows=shown,
            header_rows=count,
            section=place.section,
            page=place.page,
            box=place.box,
        )


def sheet_segments(rows: Sequence[Sequence[str]], *, place: Place, first_row: int = 1) -> Iterator[Segment]:
    """Yield the tables of a sheet, parted by empty rows and columns; what is no table as text.

    Args:
        rows: the sheet's cells; they may differ in length.
        first_row: number of the first of them.
    """
    for block in blocks(squared(rows)):
        yield from block_segments(block, place=place, first_row=first_row)


def block_segments(block: Block, *, place: Place, first_row: int = 1) -> Iterator[Segment]:
    """Yield one block as a table captioned by the title lines over it; a column of words as text."""
    is_list = block.width == 1 and len(block.rows) <= ROWS_A_TABLE
    if is_list and not any(looks_numeric(row[0]) for row in block.rows):
        text = "\n".join(row[0] for row in block.rows)
        yield Segment("text", text=text, section=place.section, page=place.page, box=place.box)
        return
    titles = _title_lines(block.rows)
    yield from table_segments(
        block.rows[titles:],
        place=place,
        caption=" ".join(text for row in block.rows[:titles] for text in row if text),
        first_row=first_row + block.top + titles,
    )


def blocks(rows: Sequence[Row]) -> list[Block]:
    """Return the blocks of a sheet, from top to bottom, then from left to right.

    A block that continues the columns of the one above without naming them anew belongs to it: many leave a
    row empty inside a table.
    """
    found: list[_Growing] = []
    for top, band in _bands(rows):
        for left, columns in _columns(band):
            for below, part in _bands(columns):
                if not (found and found[-1].takes(top + below, left, part)):
                    found.append(_Growing(top + below, left, part))
    return [Block(one.top, one.left, tuple(one.rows)) for one in found]


class _Growing:
    """A block to which rows below may belong."""

    def __init__(self, top: int, left: int, rows: tuple[Row, ...]) -> None:
        self.top = top
        self.left = left
        self.rows = list(rows)

    def takes(self, top: int, left: int, rows: tuple[Row, ...]) -> bool:
        """Take in the rows of a block below, if they continue its columns without naming them anew."""
        width = len(self.rows[0])
        gap = top - self.top - len(self.rows)
        if width < 2 or (left, len(rows[0])) != (self.left, width) or not 0 <= gap <= _WIDEST_GAP:
            return False
        if header_rows_of(rows) or _title_lines(rows):
            return False
        self.rows += [("",) * width] * gap
        self.rows += rows
        return True


def _names(row: Row, below: Sequence[Row]) -> bool:
    filled = [text for text in row if text]
    if not filled or not _are_words(row) or len(set(filled)) < len(filled):
        return False
    # One empty name is usual: the column of the rows' own names.
    if len(filled) < len(row) - 1 or max(map(len, filled)) > _LONGEST_NAME_CHARACTERS:
        return False
    if any(name and name in (other[i] for other in below) for i, name in enumerate(row)):
        return False
    return len(row) > 1 or _has_values(below)


def _are_words(row: Row) -> bool:
    return not any(looks_numeric(text) for text in row)


def _has_values(rows: Sequence[Row]) -> bool:
    return any(looks_numeric(text) for row in rows for text in row)


def _parts(body: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Yield the first and the end of each part that rows are cut into."""
    start, characters = 0, 0
    for i, row in enumerate(body):
        size = sum(map(len, row))
        if i > start and (i - start >= ROWS_A_TABLE or characters + size > _CHARACTERS_A_TABLE):
            yield start, i
            start, characters = i, 0
        characters += size
    if body:
        yield start, len(body)


def _title_lines(rows: Sequence[Row]) -> int:
    """Return how many rows at the top hold one cell of words over a table of three columns or more."""
    count = 0
    while count < min(3, len(rows) - 2) and len(rows[0]) > 2:
        filled = [text for text in rows[count] if text]
        if len(filled) != 1 or not rows[count][0] or looks_numeric(filled[0]):
            break
        count += 1
    return count if sum(map(bool, rows[count])) > 1 else 0


def _bands(rows: Sequence[Row]) -> Iterator[tuple[int, tuple[Row, ...]]]:
    """Yield the runs of rows that are not empty, each after the number of its first row."""
    start: int | None = None
    for i, row in enumerate(rows):
        if any(row):
            start = i if start is None else start
        elif start is not None:
            yield start, tuple(rows[start:i])
            start = None
    if start is not None:
        yield start, tuple(rows[start:])


def _columns(rows: Sequence[Row]) -> Iterator[tuple[int, tuple[Row, ...]]]:
    """Yield the runs of columns that are not empty, each after the number of its first column."""
    used = [False] * len(rows[0])
    for row in rows:
        for i, text in enumerate(row):
            if text:
                used[i] = True
    start: int | None = None
    for i, filled in enumerate((*used, False)):
        if filled:
            start = i if start is None else start
        elif start is not None:
            yield start, tuple(row[start:i] for row in rows)
            start = None
