"""JSON schemas of our dataclasses: their fields by their types, in the words of their docstrings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from inspect import getdoc
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Schema = dict[str, Any]

_PLAIN: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
}
_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*)$")


def described(kind: type, schemas: dict[str, Schema], **others: Schema) -> Schema:
    """Return a reference to the schema of a dataclass's JSON form, every field always there.

    Args:
        schemas: name -> schema; that of the dataclass, and those it refers to, are put in.
        others: schemas of fields that the JSON form has beside the dataclass's, or in their place.
    """
    name = kind.__name__
    if name not in schemas:
        schemas[name] = {}  # so that one that holds itself comes to an end
        said, words = _words(kind)
        hints = get_type_hints(kind)
        own = [f.name for f in fields(kind) if f.name not in others]
        properties = {field: _schema(hints[field], schemas) for field in own}
        for field, schema in properties.items():
            if field in words:
                schema["description"] = words[field]
        schemas[name] |= record(said, **properties, **others)
    return reference(name)


def record(description: str, **properties: Schema) -> Schema:
    """Return the schema of an object that has each of these fields, and no other."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def reference(name: str) -> Schema:
    """Return what stands for a schema elsewhere."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(items: Schema, description: str = "") -> Schema:
    """Return the schema of a list."""
    said = {"description": description} if description else {}
    return {"type": "array", "items": items, **said}


def _schema(kind: Any, schemas: dict[str, Schema]) -> Schema:
    """Return the schema of the JSON form of a type."""
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return described(kind, schemas)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(one, schemas) for one in inner]}
    if origin is tuple:
        return listed(_schema(inner[0], schemas))
    if kind is Any:
        return {}
    assert issubclass(origin, Mapping), kind
    return {"type": "object", "additionalProperties": _schema(inner[1], schemas)}


def _words(kind: type) -> tuple[str, dict[str, str]]:
    """Return the first line of a class's docstring, and what it says of each attribute."""
    text = getdoc(kind) or ""
    _, _, attributes = text.partition("Attributes:\n")
    words: dict[str, str] = {}
    names: list[str] = []
    for line in attributes.partition("\n\n")[0].splitlines():
        if entry := _ENTRY.match(line):
            names = entry[1].split(", ")
            words |= dict.fromkeys(names, entry[2])
        else:
            words |= {name: f"{words[name]} {line.strip()}" for name in names}
    return text.partition("\n")[0], words
