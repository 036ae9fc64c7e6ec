"""The head of a Markdown file: what it says of itself between "---" or "+++" lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

from plait.schema import Scalar

_YAML = re.compile(r"\A---[ \t]*\n(.*?)\n?^(?:---|\.\.\.)[ \t]*$\n?", re.S | re.M)
_TOML = re.compile(r"\A\+\+\+[ \t]*\n(.*?)\n?^\+\+\+[ \t]*$\n?", re.S | re.M)
_FIRST_FIELD = re.compile(r"(?:\s*#[^\n]*\n)*\s*(?:[\w-]+[ \t]*:|\Z)")
_FIELDS = {
    "title": "title",
    "author": "author",
    "authors": "author",
    "date": "created",
    "description": "description",
    "summary": "description",
    "keywords": "keywords",
    "tags": "keywords",
    "lang": "language",
    "language": "language",
}
_LONGEST = 300


def split_front_matter(text: str) -> tuple[dict[str, Scalar], str]:
    """Return what the head of a Markdown file says, as fields of metadata and "title", and the rest."""
    if (match := _YAML.match(text)) is not None and _FIRST_FIELD.match(match[1]):
        return _known(_yaml_fields(match[1])), text[match.end() :]
    if (match := _TOML.match(text)) is not None:
        return _known(_toml_fields(match[1])), text[match.end() :]
    return {}, text


def _known(fields: Iterable[tuple[str, str]]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for name, value in fields:
        known = _FIELDS.get(name.lower())
        if known and value:
            found.setdefault(known, " ".join(value.split())[:_LONGEST])
    return found


def _yaml_fields(head: str) -> Iterable[tuple[str, str]]:
    """Yield the plain fields of the outermost level, and lists of words; nothing is resolved or expanded."""
    name, items = "", list[str]()
    for line in head.split("\n"):
        item = re.match(r"\s*-\s+(.*)", line)
        if item is not None and name:
            items.append(_unquoted(item[1]))
            continue
        field = re.match(r"([\w-]{1,40}):(?:\s+(.*))?$", line)
        if field is not None:
            yield name, ", ".join(items)
            name, items = field[1], _listed(field[2] or "")
    yield name, ", ".join(items)


def _toml_fields(head: str) -> Iterable[tuple[str, str]]:
    try:
        values = tomllib.loads(head)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    for name, value in values.items():
        several = value if isinstance(value, list) else [value]
        yield name, ", ".join(str(one) for one in several if not isinstance(one, dict | list))


def _listed(value: str) -> list[str]:
    value = value.strip()
    if value.startswith("[") and value.endswith("]"):
        return [_unquoted(part) for part in value[1:-1].split(",") if part.strip()]
    if value in ("|", ">", "|-", ">-") or value[:1] in ("{", "&", "*"):
        return []
    return [_unquoted(value)] if value else []


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return re.sub(r"\s#.*$", "", value)
