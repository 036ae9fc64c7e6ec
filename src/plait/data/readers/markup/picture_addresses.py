"""Where the picture of an <img> may lie: `src`, what scripts would put there later, and `srcset`."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

from plait.data.readers.markup.chrome import Attributes

_LATER = ("data-src", "data-original", "data-lazy-src", "data-fallback-src", "data-image-src")
_SETS = ("srcset", "data-srcset", "data-lazy-srcset")
_REMOTE = re.compile(r"(?:https?:)?//", re.I)
_LONGEST_SET = 8000
_MOST = 4
_SOURCES = 20  # of a <picture>, with the spaces between them


def addresses_of(node: LexborNode, attributes: Attributes) -> list[str]:
    """Return where the picture of an <img> may lie, the likeliest first.

    A page that was saved keeps the address of a picture elsewhere and one beside it: what lies beside it
    goes first. An address within the page ("data:") stands for the picture only where no other is given.
    """
    source = attributes.get("src") or ""
    if len(attributes) == 1 + ("alt" in attributes) and source:
        return [source]
    found = [attributes.get(name) or "" for name in _LATER]
    found.append(source)
    for name in _SETS:
        found += in_set(attributes.get(name))
    parent = node.parent
    if parent is not None and parent.tag == "picture":
        other = node.prev
        for _ in range(_SOURCES):
            if other is None:
                break
            if other.tag == "source":
                found += in_set(other.attributes.get("srcset"))
            other = other.prev
    kept = [address for address in dict.fromkeys(found) if address]
    return sorted(kept, key=_rank)[:_MOST]


def in_set(value: str | None) -> list[str]:
    """Return the addresses of a `srcset`, the one of the largest picture first."""
    found = []
    for part in (value or "")[:_LONGEST_SET].split(","):
        fields = part.split()
        if fields:
            size = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)[wx]", fields[1]) if len(fields) > 1 else None
            found.append((float(size[1]) if size else 1.0, fields[0]))
    return [address for _, address in sorted(found, key=lambda one: -one[0])]


def _rank(address: str) -> int:
    if _REMOTE.match(address):
        return 2
    return 1 if address[:5].lower() == "data:" else 0
