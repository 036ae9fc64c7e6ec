"""Where the tables of a page are, and what stands in their cells.

A table is told by its rules: upright and level ones around the cells, or level ones of one width
above, below and under its head. Without rules it is told by a caption that calls it a table, next
to lines that stand in clear columns.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from plait.data.readers.captions import Caption, find_captions
from plait.data.readers.geometry import Rect, overlap, union
from plait.data.readers.lines import Line
from plait.data.readers.pdf.drawn import Drawn
from plait.data.readers.pdf.running_text import is_prose
from plait.data.readers.pdf.table_frames import Frame, frames_of, rules_of

_MOST_LINES = 4000
_MOST_COLUMNS = 40
_MOST_CELLS = 5000
_NARROWEST_GAP = 4.0  # points between columns
_CAPTION_DISTANCE = 40.0  # points
_TEXT_WORDS = 7  # a line of more across the whole width is text
_ASIDE = 150.0  # points from a table to a caption of a figure that it may be part of
_FULLNESS = 0.06  # of a table's area, covered by words
_FEWEST_CELLS = 6  # of a table without a caption
_OF_A_FIGURE = 20.0  # points: a caption of a figure must be closer than a table's to name a table
_NUMBERED_LINE = re.compile(r"\d{1,4}[:.]?$")
_LISTING = re.compile(r"(?:Algorithm\w*|Listing|Code|Procedure|算法|演算法)\s*\d|Algorithm\w*[:.]")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a page.

    Attributes:
        box: around its rules and cells, without its caption.
        rows: the text of its cells, "" for empty ones, every row of one length. A cell that spans several
            columns stands in the first of them.
        header_rows: how many of the rows, from the first, name the columns.
        lines: indices of the lines that are in it.
        caption: index of the line its caption begins with; None if it has none.
        caption_lines: indices of all lines of its caption, in reading order.
    """

    box: Rect
    rows: tuple[tuple[str, ...], ...]
    header_rows: int
    lines: frozenset[int]
    caption: int | None = None
    caption_lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    """Words that stand together in one cell, and the line they are of."""

    text: str
    box: Rect
    line: int


_Row = list[_Piece]


def find_tables(drawn: Sequence[Drawn], lines: Sequence[Line], page: Rect) -> list[Table]:
    """Return the tables of a page, top to bottom.

    Args:
        drawn: its objects, text left out.
        lines: its lines of text.
        page: the page itself.
    """
    if len(lines) > _MOST_LINES:
        return []
    captions = find_captions(lines)
    level, upright = rules_of(drawn, page)
    if len(level) < 2 and not any(caption.of_table for caption in captions):
        return []
    found: list[Table] = []
    for frame in frames_of(level, upright, lines, captions):
        table = _ruled(frame, lines)
        if table is not None and not any(table.box.meets(other.box.grown(-2)) for other in found):
            found.append(table)
    found = _captioned(found, captions, lines)
    named = {table.caption for table in found}
    for caption in captions:
        if caption.of_table and caption.first not in named:
            table = _ruleless(caption, lines, captions, page)
            if table is not None and not any(table.box.meets(other.box) for other in found):
                found.append(table)
    return sorted(found, key=lambda table: (table.box.top, table.box.left))


def _ruled(frame: Frame, lines: Sequence[Line]) -> Table | None:
    """Return the table in a frame, or None if what is in it is none."""
    pieces = [
        piece
        for i, line in enumerate(lines)
        if frame.box.grown(3).holds_centre_of(line.box)
        for piece in _pieces(i, line)
    ]
    if not 3 < len(pieces) < _MOST_CELLS:
        return None
    rows = _printed_rows(pieces)
    edges = _columns(rows, _uprights(frame))
    if not 1 <= len(edges) < _MOST_COLUMNS:
        return None
    bands = _bands(rows, frame.level)
    boxed = _is_boxed(frame, bands)
    cells: list[list[_Row]] = []
    header_rows = 0
    for band in bands:
        cells += _logical_rows(band, edges, whole=boxed and _is_one_row(band, edges))
        if not header_rows:
            header_rows = len(cells)
    texts = _texts(cells)
    if boxed and header_rows == len(texts):
        header_rows = 0
    if len(bands) < 2 or header_rows > max(3, len(texts) // 3):
        header_rows = 0
    if not _is_table(texts, rows, edges, frame.box):
        return None
    box = union([frame.box, *(piece.box for piece in pieces)])
    return Table(box, texts, header_rows, frozenset(piece.line for piece in pieces))


def _pieces(index: int, line: Line) -> list[_Piece]:
    """Return the parts of a line that a gap parts, as far as the line tells them."""
    parts: Sequence[tuple[str, Rect]] = getattr(line, "parts", ())
    if len(parts) < 2:
        return [_Piece(line.text, line.box, index)]
    return [_Piece(text, box, index) for text, box in parts]


def _printed_rows(pieces: Sequence[_Piece]) -> list[_Row]:
    """Group pieces that stand beside each other, top to bottom, each row left to right."""
    rows: list[_Row] = []
    bottom = 0.0
    for piece in sorted(pieces, key=lambda piece: (piece.box.top + piece.box.bottom) / 2):
        middle = (piece.box.top + piece.box.bottom) / 2
        if rows and middle < bottom:
            rows[-1].append(piece)
            bottom = min(bottom, piece.box.bottom - 0.2 * piece.box.height)
        else:
            rows.append([piece])
            bottom = piece.box.bottom - 0.2 * piece.box.height
    for row in rows:
        row.sort(key=lambda piece: piece.box.left)
    return rows


def _uprights(frame: Frame) -> list[float]:
    """Return where upright rules part the columns of a frame."""
    heights: dict[int, float] = {}
    for rule in frame.upright:
        if frame.box.left + 3 < rule.left < frame.box.right - 3:
            heights[round(rule.left / 2)] = heights.get(round(rule.left / 2), 0.0) + rule.height
    return [2.0 * place for place, height in sorted(heights.items()) if height > 0.5 * frame.box.height]


def _columns(rows: Sequence[_Row], uprights: Sequence[float]) -> list[float]:
    """Return the x of the gaps between columns: strips that the fullest rows leave free."""
    most = max(len(row) for row in rows)
    full = [row for row in rows if len(row) >= max(2, 0.6 * most)]
    if not full:
        return []
    strips = _strips([piece.box for row in full for piece in row])
    rest = [
        piece.box
        for row in rows
        if len(row) < max(2, 0.6 * most)
        for piece in row
        if not any(piece.box.left < low and high < piece.box.right for low, high in strips)
    ]
    strips = _strips([piece.box for row in full for piece in row] + rest)
    free = [
        (low + high) / 2
        for low, high in strips
        if high - low >= _NARROWEST_GAP and not any(low - 3 <= x <= high + 3 for x in uprights)
    ]
    return sorted([*free, *uprights])


def _strips(boxes: Sequence[Rect]) -> list[tuple[float, float]]:
    """Return the intervals of x between the first and the last box that none covers."""
    strips: list[tuple[float, float]] = []
    reach = float("inf")
    for box in sorted(boxes):
        if box.left > reach:
            strips.append((reach, box.left))
        reach = box.right if reach == float("inf") else max(reach, box.right)
    return strips


def _bands(rows: Sequence[_Row], level: Sequence[float]) -> list[list[_Row]]:
    """Part printed rows by the level rules between them."""
    bands: dict[int, list[_Row]] = {}
    for row in rows:
        middle = median((piece.box.top + piece.box.bottom) / 2 for piece in row)
        bands.setdefault(bisect_right(level, middle), []).append(row)
    return [bands[place] for place in sorted(bands)]


def _is_boxed(frame: Frame, bands: Sequence[Sequence[_Row]]) -> bool:
    """Tell whether each row of a table has rules of its own, so that what is between two is one row."""
    single = sum(len(band) == 1 for band in bands)
    return len(bands) >= 3 and (single >= 0.5 * len(bands) or bool(frame.upright))


def _is_one_row(band: Sequence[_Row], edges: Sequence[float]) -> bool:
    """Tell whether what is between two rules is one row: at most half of its cells have several lines."""
    lines = Counter(place for row in band for place in {bisect_right(edges, p.box.left + 1) for p in row})
    return sum(count > 1 for count in lines.values()) <= max(1, len(lines) // 2)


def _logical_rows(band: Sequence[_Row], edges: Sequence[float], *, whole: bool) -> list[list[_Row]]:
    """Return the rows of a band as cells; lines that go on with a cell join it."""
    rows: list[list[_Row]] = []
    for printed in band:
        cells: list[_Row] = [[] for _ in range(len(edges) + 1)]
        for piece in printed:
            cells[bisect_right(edges, piece.box.left + 1)].append(piece)
        if rows and (whole or _goes_on(rows[-1], cells, edges)):
            for cell, more in zip(rows[-1], cells, strict=True):
                cell += more
        else:
            rows.append(cells)
    return rows


def _goes_on(above: Sequence[_Row], cells: Sequence[_Row], edges: Sequence[float]) -> bool:
    """Tell whether a printed row only goes on with cells above it: they were full."""
    if cells[0] or not any(cells):
        return False
    for place, cell in enumerate(cells):
        if not cell:
            continue
        if not above[place]:
            return False
        last = above[place][-1].box
        first = cell[0]
        word = first.box.width * (len(first.text.split(maxsplit=1)[0]) + 1) / (len(first.text) + 1)
        end = edges[place] if place < len(edges) else max(last.right, first.box.right)
        close = first.box.top - last.bottom < 0.6 * last.height
        if not close or last.right + word < end - 2 * _NARROWEST_GAP:
            return False
    return True


def _texts(cells: Sequence[Sequence[_Row]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(" ".join(piece.text for piece in cell) for cell in row) for row in cells)


def _is_table(
    texts: Sequence[Sequence[str]], rows: Sequence[_Row], edges: Sequence[float], box: Rect
) -> bool:
    """Tell a table from framed text, a listing with numbered lines, or columns of text between rules."""
    if len(texts) < 2 or len(rows) < 2 or _LISTING.match(" ".join(piece.text for piece in rows[0])):
        return False
    filled = [sum(bool(cell) for cell in row) for row in texts]
    if sum(count > 1 for count in filled) < max(2, 0.5 * len(texts)):
        return False
    if sum(filled) < 0.35 * len(texts) * (len(edges) + 1):
        return False
    if sum(piece.box.area for row in rows for piece in row) < _FULLNESS * box.area:
        return False  # a drawing with few words in it
    if len(edges) > 1:
        return True
    first = [row[0] for row in texts if row[0]]
    numbered = [int(text.rstrip(":.")) for text in first if _NUMBERED_LINE.match(text)]
    if (
        len(numbered) > 2
        and len(numbered) > 0.6 * len(first)
        and numbered[-1] - numbered[0] < 2 * len(numbered)
    ):
        return False
    return not _is_running_text(rows, edges[0], box)


def _is_running_text(rows: Sequence[_Row], edge: float, box: Rect) -> bool:
    """Tell whether both of two columns are filled like text."""
    sides = ((box.left, edge), (edge, box.right))
    pieces = [piece for row in rows for piece in row]
    for left, right in sides:
        mine = [piece.box for piece in pieces if left <= (piece.box.left + piece.box.right) / 2 < right]
        wide = [box for box in mine if box.width > 0.8 * (right - left)]
        if len(mine) < 4 or len(wide) < 0.6 * len(mine) or right - left < 100:
            return False
    return True


def _captioned(tables: Sequence[Table], captions: Sequence[Caption], lines: Sequence[Line]) -> list[Table]:
    """Give each table the caption next to it; one that a figure's caption names is none."""
    pairs = sorted(
        (distance + (0 if caption.of_table else _OF_A_FIGURE), place, caption.first)
        for place, table in enumerate(tables)
        for caption in captions
        if (distance := _distance(table.box, lines[caption.first].box, caption)) < _CAPTION_DISTANCE
    )
    by_first = {caption.first: caption for caption in captions}
    owner: dict[int, Caption] = {}
    used: set[int] = set()
    for _, place, first in pairs:
        if place not in owner and first not in used:
            owner[place] = by_first[first]
            used.add(first)
    return [
        _with_caption(table, owner[place], lines) if place in owner else table
        for place, table in enumerate(tables)
        if (owner[place].of_table if place in owner else _stands_alone(table, captions, lines))
    ]


def _stands_alone(table: Table, captions: Sequence[Caption], lines: Sequence[Line]) -> bool:
    """Tell whether a table without a caption is one; not a small grid, nor part of a captioned figure."""
    if len(table.rows) * len(table.rows[0]) < _FEWEST_CELLS:
        return False
    box = table.box
    below = [
        caption.box.top
        for caption in captions
        if not caption.of_table
        and caption.box.top > box.bottom
        and overlap(caption.box.left, caption.box.right, box.left, box.right) > -_ASIDE
    ]
    if not below:
        return True
    return any(
        box.bottom < line.box.top < min(below) - 1
        and overlap(line.box.left, line.box.right, box.left, box.right) > 0
        and is_prose(line.text)
        for line in lines
    )


def _distance(table: Rect, first: Rect, caption: Caption) -> float:
    """Return the space between a table and a caption above or below it, in points."""
    if overlap(table.left, table.right, caption.box.left, caption.box.right) <= 0:
        return float("inf")
    if first.top >= table.bottom - 3:
        return first.top - table.bottom
    return max(0.0, table.top - caption.box.bottom) if first.bottom <= table.top + 3 else float("inf")


def _with_caption(table: Table, caption: Caption, lines: Sequence[Line]) -> Table:
    members = tuple(i for i in caption.lines if i not in table.lines)
    return Table(table.box, table.rows, table.header_rows, table.lines, caption.first, members)


def _ruleless(
    caption: Caption, lines: Sequence[Line], captions: Sequence[Caption], page: Rect
) -> Table | None:
    """Return the table without rules that a caption names, below it or above; None if there is none."""
    taken = {i for other in captions for i in (other.lines if other is not caption else (caption.first,))}
    for below in (True, False):
        pieces = _next_to(caption, lines, taken, page, below=below)
        if not 5 < len(pieces) < _MOST_CELLS:
            continue
        rows = _printed_rows(pieces)
        edges = _columns(rows, ())
        if not 1 <= len(edges) < _MOST_COLUMNS or len(rows) < 3:
            continue
        box = union(piece.box for piece in pieces)
        cells = _logical_rows(rows, edges, whole=False)
        texts = _texts(cells)
        several = sum(sum(bool(cell) for cell in row) > 1 for row in texts)
        if several >= 0.7 * len(texts) and len(texts) > 2 and _is_table(texts, rows, edges, box):
            members = frozenset(piece.line for piece in pieces)
            return _with_caption(Table(box, texts, 0, members), caption, lines)
    return None


def _next_to(
    caption: Caption, lines: Sequence[Line], taken: Iterable[int], page: Rect, *, below: bool
) -> list[_Piece]:
    """Return the pieces of the rows next to a caption, up to running text or a wide space."""
    left, right = _column_of(caption.box, lines, page)
    away = set(taken)
    free = [
        piece
        for i, line in enumerate(lines)
        if i not in away and left <= (line.box.left + line.box.right) / 2 <= right
        for piece in _pieces(i, line)
    ]
    edge = lines[caption.first].box.bottom if below else caption.box.top
    rows = _printed_rows([p for p in free if (p.box.top > edge - 2 if below else p.box.bottom < edge + 2)])
    found: list[_Piece] = []
    for row in rows if below else reversed(rows):
        box = union(piece.box for piece in row)
        if (box.top - edge if below else edge - box.bottom) > 2.5 * box.height:
            break
        if len(row) == 1 and len(row[0].text.split()) > _TEXT_WORDS:
            if found or row[0].line not in caption.lines:
                break
        else:
            found += row
        edge = box.bottom if below else box.top
    return found


def _column_of(box: Rect, lines: Sequence[Line], page: Rect) -> tuple[float, float]:
    """Return the half of a page in two columns that a caption is in, or the whole page."""
    middle = page.width / 2
    crossing = sum(line.box.left < middle - 10 and line.box.right > middle + 10 for line in lines)
    if crossing > 0.2 * len(lines) or box.left < middle < box.right:
        return page.left, page.right
    return (page.left, middle) if box.right <= middle else (middle, page.right)
