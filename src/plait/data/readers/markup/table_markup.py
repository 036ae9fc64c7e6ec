"""HTML tables of data to rows; those that only lay a page out are told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

from plait.data.readers.markup.chrome import SKIPPED_TAGS, is_chrome, is_icon, names
from plait.data.readers.markup.links import Links

Rows = tuple[tuple[str, ...], ...]

# What has a place of its own in the reading order keeps it: such a table is read as running text.
_BLOCKS = "figure, pre, h1, h2, h3, h4, h5, h6, form, svg, iframe, blockquote"
_LAYOUT_CLASSES = re.compile(
    r"(?:^|\s)(?:memname|mlabels|memberdecls|directory|field-list|option-list|highlighttable|rouge-table|"
    r"navbox|footnote|citation|simplelist|hlist|layout)(?=\s|$)"
)
_LONG_CELL = 600  # characters; longer ones, in a table without headings, are paragraphs in columns
_MOST_CELLS = 300_000
_WIDEST = 1000
_WIDEST_SPAN = 100
_LONGEST_REPEATED = 200
_PARTING = names("p div li dt dd br tr td th ul ol dl section")
_PILCROW = "¶"


@dataclass(frozen=True, slots=True)
class TableMarkup:
    """What a table holds.

    Attributes:
        rows: its cells, every row of one length.
        header_rows: how many of them, from the first, name the columns.
        caption: "" if none.
    """

    rows: Rows
    header_rows: int
    caption: str

    @property
    def text(self) -> str:
        """Its rows, a line each."""
        return "\n".join(" | ".join(row) for row in self.rows)


@dataclass(slots=True)
class _Cell:
    text: str
    heading: bool
    columns: int
    rows: int


def table_of(node: LexborNode, links: Links) -> TableMarkup | None:
    """Return what a <table> holds; None if it lays out a page, or is too large to be one.

    A cell over several rows is repeated in each, one over several columns only where it names them: each
    row is then readable by itself.

    Args:
        node: the table.
        links: takes the links in it.
    """
    attributes = node.attributes
    if attributes.get("role") in ("presentation", "none"):
        return None
    if _LAYOUT_CLASSES.search((attributes.get("class") or "")[:300]):
        return None
    if len(node.css("table")) > 1 or node.css_first(_BLOCKS) is not None or _shows_pictures(node):
        return None
    rows, in_head = _read(node)
    if rows is None or len(rows) < 2:
        return None
    header_rows = _header_rows(rows, in_head)
    headed = any(cell.heading for row in rows for cell in row)
    if not headed and any(len(cell.text) > _LONG_CELL for row in rows for cell in row):
        return None
    grid = _grid(rows, header_rows)
    if grid is None or len(grid[0]) < 2:
        return None
    for link in node.css("a[href]"):
        links.note(link, link.attributes)
    return TableMarkup(grid, min(header_rows, len(grid)), _caption(node))


def words_of(node: LexborNode) -> str:
    """Return the words in an element, with spaces where its blocks part them."""
    child = node.child
    if child is None:
        return ""
    if child.next is None and child.tag == "-text":
        return " ".join((child.text_content or "").split())
    return " ".join("".join(_pieces(node)).split())


def _pieces(root: LexborNode) -> Iterator[str]:
    """Yield the texts below an element, and a space where a block begins or ends, without recursion."""
    open_nodes = [root.child]
    while open_nodes:
        node = open_nodes.pop()
        if node is None:
            yield " "
            continue
        tag = node.tag or "-"
        if node.next is not None:
            open_nodes.append(node.next)
        if tag == "-text":
            yield node.text_content or ""
        elif tag == "img":
            yield node.attributes.get("alt") or ""
        elif tag[0] in "-!#" or tag in SKIPPED_TAGS or _is_left_out(tag, node):
            continue
        elif tag in _PARTING:
            open_nodes += [None, node.child, None]
        elif node.child is not None:
            open_nodes.append(node.child)


def _is_left_out(tag: str, node: LexborNode) -> bool:
    attributes = node.attributes
    return bool(attributes) and (
        "headerlink" in (attributes.get("class") or "") or is_chrome(tag, attributes)
    )


def _shows_pictures(node: LexborNode) -> bool:
    """Tell whether there are pictures in it that are not known to be icons."""
    return any(not is_icon(image.attributes) for image in node.css("img"))


def _read(table: LexborNode) -> tuple[list[list[_Cell]] | None, list[bool]]:
    """Return the rows of a table as they are written, and for each whether it lies in the head."""
    rows: list[list[_Cell]] = []
    in_head: list[bool] = []
    count = 0
    for row in table.css("tr"):
        cells = []
        node = row.child
        while node is not None:
            if node.tag in ("td", "th"):
                attributes = node.attributes
                columns, deep = _span(attributes.get("colspan")), _span(attributes.get("rowspan"))
                cells.append(_Cell(words_of(node), node.tag == "th", min(columns, _WIDEST_SPAN), deep))
            node = node.next
        count += len(cells)
        if count > _MOST_CELLS or len(cells) > _WIDEST:
            return None, []
        if cells:
            rows.append(cells)
            parent = row.parent
            in_head.append(parent is not None and parent.tag == "thead")
    return rows, in_head


def _header_rows(rows: list[list[_Cell]], in_head: list[bool]) -> int:
    """Return how many rows name the columns: those of the head, or else those of heading cells alone."""
    if in_head[0]:
        return in_head.index(False) if False in in_head else len(rows)
    count = 0
    for row in rows:
        if not all(cell.heading for cell in row) or len(row) < 2:
            break
        count += 1
    return count if count < len(rows) else 0


def _grid(rows: list[list[_Cell]], header_rows: int) -> Rows | None:
    """Return the cells at their columns, in rows of one length; None if they would be too many."""
    grid: list[list[str]] = []
    under: dict[int, tuple[str, int]] = {}  # column -> a cell from above, and how many rows it goes on
    most = 0
    for number, row in enumerate(rows):
        line: dict[int, str] = {}
        going: dict[int, tuple[str, int]] = {}
        for column, (text, left) in under.items():
            line[column] = text
            if left > 1:
                going[column] = (text, left - 1)
        column = 0
        for cell in row:
            while column in line:
                column += 1
            for place in range(column, column + cell.columns):
                text = cell.text if place == column or number < header_rows else ""
                line[place] = text
                if cell.rows > 1:
                    going[place] = (text if len(text) <= _LONGEST_REPEATED else "", cell.rows - 1)
            column += cell.columns
        under = going
        most = max(most, max(line) + 1)
        if most > _WIDEST or most * len(rows) > _MOST_CELLS:
            return None
        grid.append([line.get(place, "") for place in range(max(line) + 1)])
    return _squared(grid, most)


def _squared(grid: list[list[str]], width: int) -> Rows:
    """Return the rows at one length, without columns in which there is nothing."""
    full = [(*row, *[""] * (width - len(row))) for row in grid]
    used = [i for i in range(width) if any(row[i] for row in full)]
    return tuple(tuple(row[i] for i in used) for row in full)


def _span(value: str | None) -> int:
    digits = (value or "").strip()[:6]
    return max(1, int(digits)) if digits.isascii() and digits.isdigit() else 1


def _caption(table: LexborNode) -> str:
    node = table.child
    while node is not None and node.tag != "caption":
        node = node.next
    return words_of(node).rstrip(_PILCROW).strip() if node is not None else ""
