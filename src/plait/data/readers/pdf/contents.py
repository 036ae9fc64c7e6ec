"""How much content each page of a PDF has, told from the file's bytes and not by its parser."""

from __future__ import annotations

import re
from collections.abc import Iterator

from plait.data.readers.pdf.declared import Bytes

_OBJECT = re.compile(rb"(?<![\d.])(\d{1,9})\s+\d{1,5}\s+obj\b")
_REFERENCE = re.compile(rb"(\d{1,9})\s+\d{1,5}\s+R\b")
_KIDS = re.compile(rb"/Kids\s*\[([^\]]*)\]")
_CONTENTS = re.compile(rb"/Contents\s*(?:\[([^\]]*)\]|(\d{1,9}\s+\d{1,5}\s+R))")
_LENGTH = re.compile(rb"/Length\s+(\d{1,9})\b(?!\s+\d+\s+R)")
_PAGES = re.compile(rb"/Type\s*/Pages\b")
_LONGEST_NODE_BYTES = 2**20
_MOST_NODES = 200_000

_Nodes = dict[int, tuple[int, int]]


def page_contents(data: Bytes) -> list[int]:
    """Return the bytes of content of each page in order, as stored.

    Returns:
        [] where that cannot be told without unpacking the page tree.
    """
    nodes = _nodes(data)
    roots = {
        number
        for number, place in nodes.items()
        if _PAGES.search(data, *place) and b"/Parent" not in _node(data, place)
    }
    if len(roots) != 1:
        return []
    return [_content_bytes(data, nodes, page) for page in _leaves(data, nodes, roots.pop())]


def _nodes(data: Bytes) -> _Nodes:
    """Return where the text of each object begins and ends, by number; the last one of a number holds."""
    found = [(int(match[1]), match.end()) for match in _OBJECT.finditer(data)]
    ends = [start for _, start in found[1:]] + [len(data)]
    return {
        number: (start, min(end, start + _LONGEST_NODE_BYTES))
        for (number, start), end in zip(found, ends, strict=True)
    }


def _leaves(data: Bytes, nodes: _Nodes, root: int) -> Iterator[bytes]:
    """Give the pages below a node of the page tree, in order, each node once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting and len(seen) < _MOST_NODES:
        number = waiting.pop()
        if number in seen or number not in nodes:
            continue
        seen.add(number)
        node = _node(data, nodes[number])
        kids = _KIDS.search(node) if _PAGES.search(node) else None
        if kids is None:
            yield node
        else:
            waiting += reversed([int(kid) for kid in _REFERENCE.findall(kids[1])])


def _content_bytes(data: Bytes, nodes: _Nodes, page: bytes) -> int:
    """Return the stored bytes of a page's streams; those of unknown length count as none."""
    contents = _CONTENTS.search(page)
    if contents is None:
        return 0
    total = 0
    for number in map(int, _REFERENCE.findall(contents[1] or contents[2])):
        length = _LENGTH.search(_node(data, nodes[number])) if number in nodes else None
        total += int(length[1]) if length is not None else 0
    return total


def _node(data: Bytes, place: tuple[int, int]) -> bytes:
    """Return an object's text without what it streams."""
    return data[place[0] : place[1]].split(b"stream", 1)[0]
