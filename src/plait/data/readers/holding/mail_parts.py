"""The parts of an e-mail message: which of them are its text, which are pictures in it, which are files."""

from __future__ import annotations

import email
import mimetypes
from collections import Counter
from dataclasses import dataclass, field
from email import message
from email.errors import HeaderParseError
from email.header import decode_header
from email.policy import Compat32
from typing import Literal

from plait.data.readers.decoding import decode

_LONGEST_HEADER = 8000
_DEEPEST = 20
_MOST_PARTS = 50_000
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
_LOCKED = ("application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted")
_TEXTS = ("text/html", "text/plain")
_WRAPPED = ("application/ms-tnef", "application/vnd.ms-tnef")
_SUFFIXES = {"message/rfc822": ".eml", "image/jpeg": ".jpg", "text/plain": ".txt", "text/html": ".html"}


@dataclass(frozen=True, slots=True)
class Body:
    """A text of a message."""

    kind: Literal["html", "text"]
    text: str
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a message.

    Attributes:
        name: as the message has it, or made of its type; nothing in it is checked.
        content_id: what the text calls it by ("cid:..."); "" if nothing.
    """

    name: str
    data: bytes
    content_id: str


@dataclass(slots=True)
class Parts:
    """What a message holds.

    Attributes:
        left_out: reason -> how many parts.
    """

    bodies: list[Body] = field(default_factory=list)
    files: list[Part] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


class _Brief(Compat32):
    """Headers as they are written, cut where no honest one goes on: their parameters cost the square."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_LONGEST_HEADER]


def message_of(data: bytes) -> message.Message:
    """Return a message; what is wrong in it is read as far as it goes.

    Raises:
        RecursionError: its parts nest hundreds deep.
    """
    return email.message_from_bytes(data, policy=_Brief())


def header(part: message.Message, name: str) -> str:
    """Return a header as one line, decoded; "" if there is none."""
    wanted = name.lower()
    for found, value in part.raw_items():
        if found.lower() == wanted:
            return decoded(str(value))
    return ""


def decoded(value: str) -> str:
    """Return the words of a header: "=?utf-8?q?S=C3=A4ge?=" as "Säge"; bytes of no known code are guessed."""
    raw = value.encode("utf-8", "surrogateescape")
    plain = decode(raw).text
    if "=?" in plain:
        try:
            pieces = decode_header(plain)
            plain = "".join(
                words if isinstance(words, str) else _in_charset(words, charset) for words, charset in pieces
            )
        except (HeaderParseError, ValueError):
            pass
    return " ".join("".join(c if c.isprintable() else " " for c in plain).split())


def parts_of(root: message.Message) -> Parts:
    """Return the parts of a message, in its order, sorted by what they are for."""
    found = Parts()
    open_parts = [(root, 0)]
    count = 0
    while open_parts:
        part, depth = open_parts.pop()
        count += 1
        if count > _MOST_PARTS:
            found.left_out["there are too many"] += len(open_parts) + 1
            break
        children = _children(part)
        if children is None:
            _sort(part, found)
        elif part.get_content_subtype() == "encrypted":
            found.left_out["encrypted"] += 1
        elif depth >= _DEEPEST:
            found.left_out[f"nested more than {_DEEPEST} deep"] += 1
        else:
            open_parts += [(child, depth + 1) for child in reversed(_wanted(part, children))]
    return found


def _children(part: message.Message) -> list[message.Message] | None:
    """Return the parts of a multipart; None for a part by itself, an attached message among them."""
    return _held(part) if part.get_content_maintype() == "multipart" and part.is_multipart() else None


def _held(part: message.Message) -> list[message.Message]:
    payload = part.get_payload()
    return (
        [held for held in payload if isinstance(held, message.Message)] if isinstance(payload, list) else []
    )


def _wanted(part: message.Message, children: list[message.Message]) -> list[message.Message]:
    subtype = part.get_content_subtype()
    if subtype == "signed":
        return children[:1]
    if subtype != "alternative":
        return children
    # The last is the richest, but HTML keeps its pictures in place, and calendars and the like come last.
    for wanted in ("text/html", "text/plain"):
        chosen = [child for child in children if _begins_with(child) == wanted]
        if chosen:
            return chosen[-1:]
    return children[-1:]


def _begins_with(part: message.Message) -> str:
    """Return the type of the text that a part is, or that a multipart is read as."""
    for _ in range(_DEEPEST):
        children = _children(part)
        if not children:
            break
        if part.get_content_subtype() == "alternative":
            types = [child.get_content_type() for child in children]
            return "text/html" if "text/html" in types else types[0]
        part = children[0]
    return part.get_content_type()


def _sort(part: message.Message, found: Parts) -> None:
    """Add a part that is no multipart to what it is for."""
    kind = part.get_content_type()
    name = decoded(part.get_filename() or "")
    is_file = bool(name) or part.get_content_disposition() == "attachment"
    if kind in _SIGNATURES:
        return
    if kind in _LOCKED:
        found.left_out["encrypted, or sealed as S/MIME"] += 1
    elif kind in _WRAPPED or name.lower() == "winmail.dat":
        found.left_out["packed as winmail.dat, which only Outlook reads"] += 1
    elif kind == "message/rfc822":
        data = _attached_message(part)
        if data:
            found.files.append(Part(name or _subject_of(part), data, ""))
        else:
            found.left_out["damaged"] += 1
    elif not is_file and (kind in _TEXTS or part.get_content_maintype() in ("message", "multipart")):
        words = _in_charset_of(part)
        found.bodies.append(Body("html" if kind == "text/html" else "text", words.text, words.damaged))
    else:
        content_id = header(part, "Content-ID").strip("<> ")
        found.files.append(Part(_named(name, kind, len(found.files) + 1), _bytes(part), content_id))


def _named(name: str, kind: str, number: int) -> str:
    """Return a file's name with a suffix that says its type, if one is known."""
    suffix = _SUFFIXES.get(kind) or mimetypes.guess_extension(kind) or ""
    if not name:
        return f"part-{number}{suffix}"
    return name if "." in name[-12:] else name + suffix


def _bytes(part: message.Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _in_charset_of(part: message.Message) -> Body:
    data = _bytes(part)
    charset = part.get_param("charset")
    if isinstance(charset, str):
        try:
            return Body("text", data.decode(charset))
        except (LookupError, ValueError):
            pass
    words = decode(data, declared=part.get_content_subtype() == "html")
    return Body("text", words.text, words.damaged)


def _in_charset(data: bytes, charset: str | None) -> str:
    try:
        return data.decode(charset or "utf-8")
    except (LookupError, ValueError):
        return decode(data).text


def _attached_message(part: message.Message) -> bytes:
    held = _held(part)
    if not held:
        return _bytes(part)
    try:
        return bytes(held[0].as_bytes())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, HeaderParseError):
        return b""


def _subject_of(part: message.Message) -> str:
    held = _held(part)
    subject = header(held[0], "Subject") if held else ""
    return f"{subject[:100].replace('/', ' ') or 'message'}.eml"
