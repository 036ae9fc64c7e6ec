"""Bytes to text: byte order mark, then what the file declares, then UTF-8, then Windows-1252."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

# Longest first: the mark of UTF-32 little-endian begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(
    rb"""(?:<meta[^>]{0,200}?charset|<\?xml[^>]{0,100}?encoding)\s*=\s*["']?([\w.:-]+)""", re.I
)
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x08\x1b"))


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, the encoding that gave it, and whether bytes had to be replaced."""

    text: str
    encoding: str
    damaged: bool = False


def decode(data: bytes, *, declared: bool = False) -> Decoded:
    """Return the text of a file.

    Args:
        data: the whole file.
        declared: look for an HTML or XML declaration of the encoding in the first 4 kB.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _lenient(data, encoding)
    found = _DECLARED.search(data[:4096]) if declared else None
    name = _known(found[1].decode("ascii")) if found else None
    # A browser reads Latin-1 as Windows-1252 too: the codes 128-159 are never control characters here.
    name = "cp1252" if name in ("iso8859-1", "ascii") else name
    for encoding in dict.fromkeys((name or "utf-8", "utf-8")):
        try:
            return Decoded(data.decode(encoding), encoding)
        except (UnicodeDecodeError, UnicodeError):
            continue
    return _lenient(data, name if name and name != "utf-8" else "cp1252")


def looks_binary(data: bytes) -> bool:
    """Tell whether the beginning of a file cannot be text in any encoding that `decode` knows."""
    head = data[:8192]
    if not head or any(head.startswith(mark) for mark, _ in _MARKS):
        return False
    controls = len(head) - len(head.translate(None, _CONTROL))
    return b"\0" in head or controls > len(head) // 100


def _known(name: str) -> str | None:
    try:
        found = codecs.lookup(name).name
        "".encode(found)  # refuses codecs that are not text encodings, such as "hex"
    except (LookupError, ValueError, TypeError):
        return None
    return found


def _lenient(data: bytes, encoding: str) -> Decoded:
    try:
        return Decoded(data.decode(encoding), encoding)
    except UnicodeError:
        return Decoded(data.decode(encoding, "replace"), encoding, damaged=True)
