"""Listings of code: their lines as they stand, without the marks that a page sets beside them."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from plait.data.readers.markup.inline_words import TEXT

# What in a listing is more than its words; without these they are taken at once.
_MORE_THAN_WORDS = (
    "img, svg, table, button, math, [class*=lineno], [class*=copyb], script, style, div, h2, h3"
)


def listing_of(tag: str, node: LexborNode) -> str | None:
    """Return the text of a <pre>, or of a block whose lines are elements; None if there is more in it."""
    if tag == "pre":
        return (node.text() or "") if node.css_first(_MORE_THAN_WORDS) is None else None
    lines = [child for child in _children(node) if child.attributes.get("class") == "line"]
    return "\n".join(_without_number(line) for line in lines) if lines else None


def lines_of(text: str) -> str:
    """Return the lines of a listing, without the empty ones around it."""
    lines = [line.rstrip() for line in text.expandtabs(4).splitlines()]
    return "\n".join(lines).strip("\n")


def _children(node: LexborNode) -> Iterator[LexborNode]:
    """Yield the elements directly in an element."""
    child = node.child
    while child is not None:
        if child.tag_id != TEXT:
            yield child
        child = child.next


def _without_number(line: LexborNode) -> str:
    """Return a line of a listing without the number that Doxygen sets before it."""
    number = line.css_first("span.lineno")
    text = line.text() or ""
    return text[len(number.text() or "") :] if number is not None else text
