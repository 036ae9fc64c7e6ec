"""XML that others wrote: parsed without entities, external files, or depth beyond reason."""

from __future__ import annotations

from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

_DEEPEST = 500
_LONGEST_ENTITY = 100


class BadXmlError(ValueError):
    """XML that cannot be used; the message says why, in a few words."""


def tree_of(data: bytes, *, deepest: int = _DEEPEST) -> Element:
    """Return the root element of an XML file; names of other namespaces are "{address}name".

    A document type is skipped, with the files it names. Of entities only short ones are taken that hold no
    others, as drawing programs write for addresses: nested, they unfold to any size.

    Args:
        data: the whole file.
        deepest: how many elements may lie in each other.

    Raises:
        BadXmlError: not well-formed, declares entities, or nests deeper.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > deepest:
            raise BadXmlError(f"nests more than {deepest} deep")
        builder.start(_qualified(name), {_qualified(k): v for k, v in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_qualified(name))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = _refuse_harmful_entity
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, BadXmlError):
            raise
        raise BadXmlError("not well-formed") from error
    return builder.close()


def declares_entities(data: bytes) -> bool:
    """Tell whether an XML file, of which the beginning is enough, declares entities or cannot be told."""
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = _refuse_entity
    parser.StartElementHandler = _stop
    try:
        parser.Parse(data, False)
    except _RootReached:
        return False
    except BadXmlError:
        return True
    except (expat.ExpatError, ValueError, LookupError):
        return False  # who parses it will say what is wrong
    return bool(data.strip())


class _RootReached(Exception):
    """Ends a parse where the document type is past."""


def _stop(name: str, attributes: dict[str, str]) -> NoReturn:
    raise _RootReached


def _refuse_entity(*_declared: object) -> NoReturn:
    raise BadXmlError("declares entities")


def _refuse_harmful_entity(name: str, is_parameter: bool, value: str | None, *_elsewhere: object) -> None:
    if is_parameter or value is None or len(value) > _LONGEST_ENTITY or "&" in value or "%" in value:
        raise BadXmlError("declares entities")


def _qualified(name: str) -> str:
    return "{" + name if "}" in name else name
