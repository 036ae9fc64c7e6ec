"""A search as a whole: what is asked, and how the answer shall be made and cut into pages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from plait.errors import InputError, QueryError
from plait.schema.queries import Query

TargetKind = Literal["page", "passage", "figure", "table", "document"]

MAX_HITS = 1000
MAX_DEPTH = 5000
_MAX_CURSOR = 200_000


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A query and how to answer it: the one object that Python, the command line, HTTP and MCP send.

    Attributes:
        query: what is asked.
        k: how many hits, 1 to 1,000.
        kind: what is to be found; None means units: pages of paged documents, sections of others.
        method: how lanes are combined: "gated", "zsum" or "rrf"; None takes the setting.
        lanes: only these lanes speak; None means all that the query asks.
        weights: what each lane counts, 1 where it is not named, 0 to leave it out; None takes the setting.
        recall: the share of the exact best hits to find in a large library; None takes the setting.
        per_group: at most so many hits that share a field's value: {"document": 2, "author": 5}.
        facets: fields whose values shall be counted.
        fold: show hits that are nearly the same once, the others as its `folded`.
        depth: how many hits may be paged through in all; the ranking down to there is fixed when the first
            page is asked, so that nothing comes twice or is passed over when documents are added meanwhile.
        cursor: `Hits.next_cursor` of the page before; "" for the first page. The rest of the request must
            be as it was, but for k.
        distant: also give hits that are probably not good.
        rerank: names of the rerankers to use, see `search.rerank`; None takes the setting, () means none.

    Raises:
        InputError: a number out of range, or a wrong kind.
    """

    query: Query
    k: int = 10
    kind: TargetKind | None = None
    method: str | None = None
    lanes: tuple[str, ...] | None = None
    weights: Mapping[str, float] | None = None
    recall: float | None = None
    per_group: Mapping[str, int] = field(default_factory=dict)
    facets: tuple[str, ...] = ()
    fold: bool = True
    depth: int = 200
    cursor: str = ""
    distant: bool = False
    rerank: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _check_count("k", self.k, MAX_HITS)
        _check_count("depth", self.depth, MAX_DEPTH)
        for group, most in self.per_group.items():
            _check_count(f"per_group of {group}", most, MAX_HITS)
        if self.kind is not None and self.kind not in get_args(TargetKind):
            raise InputError(
                f"kind must be one of {', '.join(get_args(TargetKind))}, or none, got {self.kind!r}"
            )
        if self.recall is not None and not 0 < self.recall <= 1:
            raise InputError(f"recall must be above 0 and at most 1, got {self.recall}")
        if len(self.cursor) > _MAX_CURSOR:
            raise InputError("the cursor is longer than any this plait gives: send it as it came")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; what is at its default is left out."""
        values: dict[str, Any] = {"query": self.query.to_dict()}
        default = SearchRequest(self.query)
        for name in _OPTIONS:
            value = getattr(self, name)
            if value != getattr(default, name):
                values[name] = list(value) if isinstance(value, tuple) else value
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SearchRequest:
        """Return the request that `to_dict` wrote, or that a client sent.

        Raises:
            QueryError: an unknown key, a wrong type, or anything that `Query` refuses.
            InputError: a number out of range.
        """
        if not isinstance(values.get("query"), Mapping):
            raise QueryError('a request must be an object such as {"query": {"texts": ["..."]}, "k": 10}')
        if unknown := set(values) - {"query", *_OPTIONS}:
            raise QueryError(f"unknown key {sorted(unknown)[0]!r}: use query, {', '.join(_OPTIONS)}")
        options = {name: _read(name, values[name]) for name in _OPTIONS if name in values}
        return cls(Query.from_dict(values["query"]), **options)


def _check_count(name: str, count: int, most: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= most:
        raise InputError(f"{name} must be a whole number of at least 1 and at most {most:,}, got {count!r}")


def _read(name: str, value: Any) -> Any:
    """Return an option of its type.

    Raises:
        QueryError: it is of another.
    """
    form, holds = _FORMS[name]
    if value is None and name in _MAY_BE_NONE:
        return None
    if not holds(value):
        raise QueryError(f"{name} must be {form}, got {value!r}"[:400])
    return tuple(value) if isinstance(value, list) else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _are_weights(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_is_number(one) for one in value.values())


def _are_counts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_is_whole(one) for one in value.values())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


_FORMS = {
    "k": ("a whole number", _is_whole),
    "kind": ("a string", _is_text),
    "method": ("a string", _is_text),
    "lanes": ("a list of strings", _are_names),
    "weights": ('an object such as {"bm25": 2, "image": 0.5}', _are_weights),
    "recall": ("a number", _is_number),
    "per_group": ('an object such as {"document": 2}', _are_counts),
    "facets": ("a list of strings", _are_names),
    "fold": ("true or false", _is_truth),
    "depth": ("a whole number", _is_whole),
    "cursor": ("a string", _is_text),
    "distant": ("true or false", _is_truth),
    "rerank": ("a list of strings", _are_names),
}
_MAY_BE_NONE = frozenset({"kind", "method", "lanes", "weights", "recall", "rerank"})
_OPTIONS = tuple(_FORMS)
assert tuple(one.name for one in fields(SearchRequest))[1:] == _OPTIONS
