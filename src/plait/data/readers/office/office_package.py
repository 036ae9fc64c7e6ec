"""What zipped Office and OpenDocument files have in common: parts, relationships, properties, damage."""

from __future__ import annotations

import contextlib
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element
from xml.parsers import expat

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.unpacking import Members, check_zip
from plait.data.readers.xml_trees import BadXmlError, tree_of
from plait.errors import ReadError
from plait.schema import Scalar

# What the parsers of damaged files raise. Running out of memory is not among them: the sandbox reports it.
BROKEN: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,  # with RecursionError, NotImplementedError
    SyntaxError,  # with the XML parsers' own errors
    TypeError,
    ValueError,
    expat.ExpatError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
_PROPERTIES = {
    "creator": "author",
    "initial-creator": "author",
    "title": "title",
    "subject": "subject",
    "description": "description",
    "keywords": "keywords",
    "keyword": "keywords",
    "language": "language",
    "created": "created",
    "creation-date": "created",
    "modified": "modified",
    "date": "modified",
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@contextlib.contextmanager
def damage(task: ReadTask, *more: type[Exception]) -> Iterator[None]:
    """Turn what a parser raises over a damaged file into a ReadError.

    Args:
        more: errors of the library used, beside the usual ones.
    """
    kinds = BROKEN + more
    try:
        yield
    except kinds as error:
        words = " ".join(str(error).split())[:120]
        reason = f"is damaged ({type(error).__name__}{': ' if words else ''}{words})"
        remedy = "open it in the program that made it and save it again"
        raise ReadError(task.source, reason, remedy) from error


@contextlib.contextmanager
def package(task: ReadTask, limits: ReadLimits) -> Iterator[Members]:
    """Open a zipped file, after a check that no library can be hurt by unpacking it.

    Raises:
        ReadError: not within the limits, damaged, encrypted, or with XML that declares entities; or with
            members that lie outside of it or twice in it, which libraries may take for other ones.
    """
    with damage(task):
        check_zip(task, limits)
        members = Members(task, limits)
    with members:
        if members.warnings:
            reason = f"is not as office programs write it ({'; '.join(members.warnings)})"
            raise ReadError(task.source, reason, "open it in the program that made it and save it again")
        yield members


def xml_part(members: Members, name: str) -> Element | None:
    """Return the root of a file's part; None if there is no such part.

    Raises:
        ReadError: the part is damaged.
        BadXmlError: it is not well-formed, or declares entities.
    """
    return tree_of(members.read(name)) if name in members else None


def targets(members: Members, name: str) -> dict[str, tuple[str, str]]:
    """Return what a part refers to: relationship -> the last word of its kind, and a part's name.

    Targets outside the file are left out. For errors see `xml_part`.
    """
    folder, base = posixpath.split(name)
    root = xml_part(members, posixpath.join(folder, "_rels", f"{base}.rels"))
    found: dict[str, tuple[str, str]] = {}
    for relation in root if root is not None else ():
        target = relation.get("Target", "")
        if target and relation.get("TargetMode") != "External":
            path = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
            found[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], path)
    return found


def properties(members: Members, name: str) -> dict[str, Scalar]:
    """Return title, author, dates and the like of a file's own description of itself.

    Args:
        name: of that part, "docProps/core.xml" or "meta.xml"; one that is missing or damaged gives nothing.
    """
    try:
        root = xml_part(members, name)
    except (BadXmlError, ReadError):
        root = None
    found: dict[str, Scalar] = {}
    for element in root.iter() if root is not None else ():
        wanted = _PROPERTIES.get(local(element.tag))
        text = " ".join((element.text or "").split())[:300]
        if wanted in ("created", "modified"):
            date = _DATE.match(text)
            text = date[0] if date else ""
        # An OpenDocument file calls who changed it last its creator, and who made it the initial one.
        if wanted and text and (wanted not in found or local(element.tag) == "initial-creator"):
            found[wanted] = text
    return found


def local(tag: object) -> str:
    """Return the name of an element without its namespace."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
