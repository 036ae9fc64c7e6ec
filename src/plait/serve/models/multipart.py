"""Forms in which pictures come as files, as OpenAPI tells them."""

from __future__ import annotations

from typing import get_args

from plait.schema import TargetKind
from plait.search.fusion import Method
from plait.serve.models.described import Schema, reference
from plait.serve.models.requests import MAX_HITS, MAX_PARTS

_FILES: Schema = {
    "type": "array",
    "items": {"type": "string", "format": "binary"},
    "maxItems": MAX_PARTS,
    "description": 'pictures, which the request names by their place, as {"upload": 0}',
}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}, "maxItems": MAX_PARTS}


def _form(description: str, required: list[str], **fields: Schema) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": fields,
        "required": required,
        "additionalProperties": False,
    }


SEARCH_FIELDS: Schema = {
    "anyOf": [
        _form("A request as JSON.", ["request"], request=reference("SearchForm"), image=_FILES),
        _form(
            "A simple question, as a page's form sends it.",
            [],
            text=_TEXTS,
            image=_FILES,
            filters={"type": "string", "contentMediaType": "application/json"},
            k={"type": "integer", "minimum": 1, "maximum": MAX_HITS},
            kind={"enum": list(get_args(TargetKind))},
            method={"enum": list(get_args(Method))},
            lane=_TEXTS,
        ),
    ]
}
EXPLAIN_FIELDS: Schema = _form(
    "A request and the id of one of its hits.",
    ["request", "id"],
    request=reference("SearchForm"),
    id={"type": "string", "minLength": 1},
    image=_FILES,
)
