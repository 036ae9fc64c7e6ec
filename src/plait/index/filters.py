"""Filters on units: which units may be ranked at all, decided before any score is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import ge, gt, le, lt
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from plait.errors import QueryError
from plait.index.base import Mask, StoredDocument
from plait.schema import Filter, FilterOperator, Scalar


@dataclass(frozen=True, slots=True)
class Filterable:
    """What filters look at, for N units.

    Attributes:
        documents: every document.
        owners: (N,) position of each unit's document among them.
        sections: N headings, outermost first; () for a unit under none.
        pages: (N,) 1-based page numbers; 0 for a unit without.
    """

    documents: Sequence[StoredDocument]
    owners: NDArray[np.int32]
    sections: Sequence[tuple[str, ...]]
    pages: NDArray[np.int32]


def passing(filters: Sequence[Filter], units: Filterable) -> Mask:
    """Return (N,) True where every filter holds.

    A condition is tried once for each distinct document, section or page. "section" holds if it holds
    for any heading above the unit, or for all of them joined by " > "; "!=" holds if "=" does not. A
    unit that lacks the field passes only "!=". In a "glob", * also crosses slashes.

    Raises:
        QueryError: an operator that does not exist.
    """
    mask = np.ones(len(units.owners), np.bool_)
    for condition in filters:
        mask &= _holds(condition, units)
    return mask


def _holds(condition: Filter, units: Filterable) -> Mask:
    if condition.operator not in get_args(FilterOperator):
        raise QueryError(
            f"unknown filter operator {condition.operator!r}: use one of {' '.join(get_args(FilterOperator))}"
        )
    if condition.field == "section":
        return _each(units.sections, lambda section: _passes(condition, _headings(section)))
    if condition.field == "page":
        return _each(units.pages.tolist(), lambda page: _passes(condition, [page] if page else []))
    values = [_value(condition.field, document) for document in units.documents]
    return _each(values, lambda value: _passes(condition, [] if value is None else [value]))[units.owners]


def _each(values: Sequence[Any], holds: Callable[[Any], bool]) -> Mask:
    """Return whether each value holds, asking once for each distinct one; True is not 1."""
    keys = [(type(value), value) for value in values]
    known = {key: holds(key[1]) for key in dict.fromkeys(keys)}
    return np.fromiter((known[key] for key in keys), np.bool_, len(keys))


def _headings(section: tuple[str, ...]) -> list[Scalar]:
    return list(dict.fromkeys((*section, " > ".join(section)))) if section else []


def _value(field: str, document: StoredDocument) -> Scalar | None:
    match field:
        case "source":
            return document.source
        case "title":
            return document.title
        case "document":
            return document.id
        case _:
            return document.metadata.get(field)


def _passes(condition: Filter, values: Sequence[Scalar]) -> bool:
    wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    match condition.operator:
        case "=" | "in":
            return any(_equal(value, one) for value in values for one in wanted)
        case "!=":
            return not any(_equal(value, one) for value in values for one in wanted)
        case "glob":
            return any(fnmatchcase(_text(value), _text(one)) for value in values for one in wanted)
        case _:
            compare = _ORDERED[condition.operator]
            return any(_ordered(compare, value, one) for value in values for one in wanted)


_ORDERED: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def _equal(left: Scalar, right: Scalar) -> bool:
    numbers = _number(left), _number(right)
    return _text(left) == _text(right) or (numbers[0] is not None and numbers[0] == numbers[1])


def _ordered(compare: Callable[[Any, Any], bool], left: Scalar, right: Scalar) -> bool:
    numbers = _number(left), _number(right)
    if None not in numbers:
        return compare(*numbers)
    return compare(_text(left), _text(right))


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Scalar) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
