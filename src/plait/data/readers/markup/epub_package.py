"""What an EPUB book says of itself: its title and authors, its chapters, and their order."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from selectolax.lexbor import LexborHTMLParser

from plait.data.readers.base import ReadTask
from plait.data.readers.decoding import decode
from plait.data.readers.unpacking import Members
from plait.data.readers.xml_trees import BadXmlError, tree_of
from plait.errors import ReadError
from plait.schema import Scalar

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_RIGHTS = ("META-INF/rights.xml", "META-INF/sinf.xml", "META-INF/license.lcpl")
# Publishers scramble embedded fonts so that they cannot be taken from the book; that locks nothing else.
_FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_PAGES = frozenset({"application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document"})
_PAGE_SUFFIXES = (".xhtml", ".html", ".htm", ".xml")
_LARGEST_XML_MB = 32
_LONGEST_FIELD = 300
_MOST_AUTHORS = 10


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a book: its file in the archive, and its title in the table of contents ("" if none)."""

    name: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """A book's own description.

    Attributes:
        metadata: "author", "language", "created", "publisher", "description", each if known.
        chapters: in reading order.
    """

    title: str
    metadata: Mapping[str, Scalar]
    chapters: tuple[Chapter, ...]
    warnings: tuple[str, ...] = field(default=())


def package_of(members: Members, task: ReadTask) -> Package:
    """Return the description of the book in an archive.

    Where it is missing or damaged, the chapters are the pages in the archive, in the order of their names.

    Raises:
        ReadError: the book is locked, or there are no pages in it.
    """
    locked = _locked(members)
    try:
        where = _package_path(members)
        root = _tree(members, where)
    except (BadXmlError, KeyError) as error:
        pages = tuple(
            Chapter(name) for name in sorted(members.names) if name.lower().endswith(_PAGE_SUFFIXES[:3])
        )
        if not pages:
            raise ReadError(task.source, "not an EPUB book", "check where it came from") from error
        return Package(
            "", {}, pages, ("its package file is damaged: chapters are in the order of their names",)
        )
    items = {
        item.get("id", ""): (member_path(where, unquote(item.get("href", ""))), item)
        for item in root.iterfind("{*}manifest/{*}item")
    }
    chapters = _spine(root, items)
    if chapters and all(name in locked for name in chapters):
        raise ReadError(task.source, "locked by its publisher (DRM)", "get it without a lock, or as PDF")
    titles = _titles(members, root, items)
    warnings = [f"left out {len(locked)} locked files"] if locked else []
    return Package(
        title=_text(root, "title"),
        metadata=_metadata(root),
        chapters=tuple(Chapter(name, titles.get(name, "")) for name in chapters if name not in locked),
        warnings=tuple(warnings),
    )


def member_path(base: str, address: str) -> str:
    """Return the member that an address in another member means; fragments are left out."""
    path = address.partition("#")[0]
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), path)).lstrip("/") if path else base


def _tree(members: Members, name: str) -> Element:
    return tree_of(members.read(name, max_mb=_LARGEST_XML_MB))


def _package_path(members: Members) -> str:
    root = _tree(members, _CONTAINER)
    for file in root.iter():
        if file.tag.endswith("rootfile") and file.get("full-path"):
            return posixpath.normpath(str(file.get("full-path")))
    raise KeyError(_CONTAINER)


def _locked(members: Members) -> frozenset[str]:
    """Return the members that only the publisher's own program can read."""
    if _ENCRYPTION not in members:
        return frozenset()
    try:
        root = _tree(members, _ENCRYPTION)
    except BadXmlError:
        return frozenset()
    locked = set()
    for data in root.iter("{http://www.w3.org/2001/04/xmlenc#}EncryptedData"):
        method = data.find("{*}EncryptionMethod")
        target = data.find(".//{*}CipherReference")
        if target is not None and (method is None or method.get("Algorithm") not in _FONT_SCRAMBLING):
            locked.add(posixpath.normpath(unquote(target.get("URI", ""))))
    return frozenset(locked)


_Items = Mapping[str, tuple[str, Element]]


def _spine(root: Element, items: _Items) -> list[str]:
    """Return the names of the chapters in reading order, each once; the table of contents is none of them."""
    names = []
    for reference in root.iterfind("{*}spine/{*}itemref"):
        found = items.get(reference.get("idref", ""))
        if found is None:
            continue
        name, item = found
        is_page = item.get("media-type") in _PAGES or name.lower().endswith(_PAGE_SUFFIXES)
        if is_page and "nav" not in item.get("properties", "").split():
            names.append(name)
    return list(dict.fromkeys(names))


def _titles(members: Members, root: Element, items: _Items) -> dict[str, str]:
    """Return the title that the table of contents gives each file: the first that points into it."""
    titles: dict[str, str] = {}
    for name, item in items.values():
        is_nav = "nav" in item.get("properties", "").split()
        is_ncx = item.get("media-type") == "application/x-dtbncx+xml"
        if not (is_nav or is_ncx):
            continue
        try:
            data = members.read(name, max_mb=_LARGEST_XML_MB)
            found = _from_nav(data) if is_nav else _from_ncx(data)
        except (KeyError, ReadError, BadXmlError):
            continue
        for address, title in found:
            titles.setdefault(member_path(name, unquote(address)), title[:_LONGEST_FIELD])
    return titles


def _from_nav(data: bytes) -> list[tuple[str, str]]:
    tree = LexborHTMLParser(decode(data, declared=True).text)
    links = tree.css("nav li a[href]")
    return [(link.attributes.get("href") or "", " ".join((link.text() or "").split())) for link in links]


def _from_ncx(data: bytes) -> list[tuple[str, str]]:
    found = []
    for point in tree_of(data).iter():
        if point.tag.endswith("navPoint"):
            words, content = point.find("{*}navLabel/{*}text"), point.find("{*}content")
            if words is not None and content is not None:
                found.append((content.get("src", ""), " ".join((words.text or "").split())))
    return found


def _metadata(root: Element) -> dict[str, Scalar]:
    authors = [_plain(element) for element in root.iterfind("{*}metadata/{*}creator")]
    found: dict[str, Scalar] = {
        "author": ", ".join(author for author in authors[:_MOST_AUTHORS] if author),
        "language": _text(root, "language"),
        "created": _text(root, "date"),
        "publisher": _text(root, "publisher"),
        "description": _without_tags(_text(root, "description")),
    }
    return {name: value for name, value in found.items() if value}


def _text(root: Element, name: str) -> str:
    element = root.find(f"{{*}}metadata/{{*}}{name}")
    return _plain(element) if element is not None else ""


def _plain(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())[:_LONGEST_FIELD]


def _without_tags(text: str) -> str:
    """Return a description without the HTML that shops write into it."""
    return " ".join((LexborHTMLParser(text).text() or "").split()) if "<" in text else text
