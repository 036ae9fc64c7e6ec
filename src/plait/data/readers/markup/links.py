"""Links of a page: the words that carry them, and where they lead."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

from plait.data.readers.markup.chrome import Attributes
from plait.schema import Link

MOST_LINKS = 100  # of one segment
_MOST_CHARACTERS = 20_000_000  # links nest by mistake or malice: their words are then taken many times
_LONGEST_TEXT = 200
_LONGEST_TARGET = 2000
_IGNORED = re.compile(r"[\x00-\x20\x7f]+")  # browsers take them out of an address before they read it
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)
_SCHEMES = ("http:", "https:", "mailto:", "ftp:", "doi:", "tel:")
_MARKS = "¶↩↑^⏎\ufe0e# "


class Links:
    """Gathers the links of one page, a segment at a time."""

    def __init__(self) -> None:
        self._found: dict[Link, None] = {}
        self._left = _MOST_CHARACTERS

    def note(self, node: LexborNode, attributes: Attributes) -> None:
        """Note a link for the segment under way, if it has words and leads somewhere."""
        address = attributes.get("href")
        if not address or len(self._found) >= MOST_LINKS or self._left < 0:
            return
        target = safe_target(address)
        if not target:
            return
        words = node.text() or ""
        self._left -= len(words) + 100
        text = " ".join(words[: 4 * _LONGEST_TEXT].split())[:_LONGEST_TEXT]
        if text.strip(_MARKS):
            self._found[Link(text, target)] = None

    def take(self) -> tuple[Link, ...]:
        """Return the links noted since the last call, each once."""
        if not self._found:
            return ()
        found = tuple(self._found)
        self._found.clear()
        return found


def safe_target(address: str) -> str:
    """Return an address that may be shown as a link; "" for scripts, data, local files and the like."""
    if len(address) > _LONGEST_TARGET:
        return ""
    target = address if address.isprintable() and " " not in address else _IGNORED.sub("", address)
    if ":" not in target:
        return target
    scheme = _SCHEME.match(target)
    return "" if scheme is not None and scheme[0].lower() not in _SCHEMES else target
