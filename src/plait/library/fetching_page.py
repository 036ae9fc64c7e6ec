"""The pictures that a page shows: their addresses, and the page with them replaced by names of files.

The markup is never parsed here, in the process that holds the library: tags are found by expressions that
take a time linear in its length, and whatever else is wrong with it is left to the reading process.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import urljoin

_LONGEST_TAG = 8000
_TAG = re.compile(rf"<img\b[^<>]{{0,{_LONGEST_TAG}}}+>", re.I)
_BASE = re.compile(rf"<base\b[^<>]{{0,{_LONGEST_TAG}}}+>", re.I)
# Begins where a name does, so that no long one is tried from each of its letters.
_ATTRIBUTE = re.compile(r"(?<![\w-])([\w-]++)\s*+=\s*+(\"[^\"]*+\"|'[^']*+'|[^\s\"'>]++)")
_ADDRESSES = ("src", "data-image-src", "data-fallback-src", "data-lazy-src", "data-original", "data-src")
_CANDIDATES = ("srcset", "data-srcset", "data-lazy-srcset")
_SHOWN = frozenset({*_ADDRESSES, *_CANDIDATES})


def picture_addresses(markup: str, address: str) -> Iterator[str]:
    """Yield the addresses of the pictures of a page, in their order, absolute; each once.

    Args:
        markup: the page.
        address: its own.
    """
    base = _base_of(markup, address)
    seen = set()
    for tag in _TAG.finditer(markup):
        shown = _shown(tag[0], base)
        if shown and shown not in seen:
            seen.add(shown)
            yield shown


def with_pictures(markup: str, address: str, names: dict[str, str]) -> str:
    """Return a page that shows files: each picture whose address is in `names` has that name instead."""
    base = _base_of(markup, address)

    def renamed(tag: re.Match[str]) -> str:
        name = names.get(_shown(tag[0], base))
        return tag[0] if name is None else _ATTRIBUTE.sub(_naming(name), tag[0])

    return _TAG.sub(renamed, markup)


def _naming(name: str) -> Callable[[re.Match[str]], str]:
    def named(attribute: re.Match[str]) -> str:
        return f'{attribute[1]}="{name}"' if attribute[1].lower() in _SHOWN else attribute[0]

    return named


def _base_of(markup: str, address: str) -> str:
    """Return what the relative addresses of a page begin at."""
    for tag in _BASE.finditer(markup):
        if "href" in (attributes := _attributes(tag[0])):
            return _absolute(attributes["href"], address) or address
    return address


def _shown(tag: str, base: str) -> str:
    """Return the address of the picture that a tag shows; "" if there is none to fetch."""
    attributes = _attributes(tag)
    # What loads late has a placeholder in "src".
    late = [attributes[name] for name in reversed(_ADDRESSES) if name in attributes]
    several = [_largest(attributes[name]) for name in _CANDIDATES if name in attributes]
    return next((found for each in (*late, *several) if (found := _absolute(each, base))), "")


def _attributes(tag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for attribute in _ATTRIBUTE.finditer(tag):
        value = attribute[2][1:-1] if attribute[2][0] in "\"'" else attribute[2]
        found.setdefault(attribute[1].lower(), html.unescape(value).strip())
    return found


def _largest(candidates: str) -> str:
    """Return the address with the greatest width or density of a "srcset"."""
    best, size = "", -1.0
    for candidate in re.split(r",\s", candidates):
        address, _, descriptor = candidate.strip().partition(" ")
        number = descriptor.strip()[:-1]
        value = float(number) if number.replace(".", "", 1).isdecimal() else 0.0
        if value > size:
            best, size = address, value
    return best


def _absolute(address: str, base: str) -> str:
    """Return an address of the web in full; "" if it is none."""
    try:
        joined = urljoin(base, address).partition("#")[0] if address else ""
    except ValueError:
        return ""
    return joined if joined[:7].lower() == "http://" or joined[:8].lower() == "https://" else ""
