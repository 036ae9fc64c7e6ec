"""Filters on units: which units may be ranked at all, decided before any score is computed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from threading import Lock
from typing import Generic, TypeVar, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from plait.errors import QueryError
from plait.index.base import Mask
from plait.index.columns import Column, Values, coded, text
from plait.schema import Filter, FilterOperator

_TEXTS = ("source", "title", "document", "section", "tenant")
_BUILT_IN = (*_TEXTS, "page", "version")
_COLUMNS_KEPT, _MASKS_KEPT = 8, 16
_NAMES_SHOWN = 30

T = TypeVar("T")


def passing(filters: Sequence[Filter], units: Filterable) -> Mask:
    """Return (N,) True where every filter holds.

    "=" and "in" ask for the same text, or the same number where both are numbers; "!=" holds if "=" does
    not. A unit that lacks the field passes only "!=". In a "glob", * also crosses slashes. "section" holds
    if it holds for any heading above the unit, or for all of them joined by " > ". Every operator but a
    range takes several values too: one of them must hold, and under "!=" none may be equal.

    In a range two numbers are compared as numbers, two ISO dates as far as both go, anything else as text.
    So created <= 2024 takes in 2024-05-01 and created > 2024 begins with 2025; created = 2024 asks for
    that very text.

    Raises:
        QueryError: an operator that does not exist; a value that is no text, number or boolean; a range
            with several values; a range over a field of nothing but numbers, or nothing but dates, that
            ends in neither; a field that no stored document has, except under "!=".
    """
    conditions = [_checked(one) for one in filters]
    mask = np.ones(len(units), np.bool_)
    for condition in conditions:
        mask &= units.holding(condition)
    return mask


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter whose values are written as text.

    Attributes:
        field, operator: as in `schema.Filter`.
        values: one, or several of which one must hold.
    """

    field: str
    operator: FilterOperator
    values: tuple[str, ...]


class Filterable:
    """What filters look at, for N units; a field is read when a filter first asks for it.

    Keeps the fields asked last, as 4 bytes a document and their distinct values, and N bytes for each of
    the conditions asked last. Safe to use from several threads.

    Args:
        owners: (N,) place of each unit's document among the documents.
        pages: (N,) 1-based page numbers; 0 for a unit without.
        sections: returns N lists of headings, outermost first; empty for a unit under none.
        column: returns a field's value for each document in order, None where it has none; is asked for
            "source", "title", "document", "tenant", "version", and keys of metadata.
        fields: returns the keys of metadata that any document has; asked when a field is not found.
    """

    def __init__(
        self,
        owners: NDArray[np.int32],
        pages: NDArray[np.int32],
        *,
        sections: Callable[[], pa.ListArray | pa.ChunkedArray],
        column: Callable[[str], Values],
        fields: Callable[[], Collection[str]],
    ) -> None:
        self._owners = owners
        self._pages = pages
        self._read_sections = sections
        self._read_column = column
        self._read_fields = fields
        self._reading = Lock()
        self._columns: _Recent[Column] = _Recent(_COLUMNS_KEPT)
        self._masks: _Recent[Mask] = _Recent(_MASKS_KEPT)

    def __len__(self) -> int:
        return len(self._owners)

    def holding(self, condition: Condition) -> Mask:
        """Return (N,) True where a condition holds; read-only.

        Raises:
            QueryError: as in `passing`.
        """
        mask = self._masks.get(condition)
        if mask is None:
            mask = self._equal_or_ordered(condition)
            if condition.operator == "!=":
                mask = ~mask
            mask.setflags(write=False)
            self._masks.keep(condition, mask)
        return mask

    @property
    def owners(self) -> NDArray[np.int32]:
        """(N,) place of each unit's document among the documents."""
        return self._owners

    @property
    def fields(self) -> list[str]:
        """Every field that some unit may have, in order of their names."""
        return sorted({*_BUILT_IN, *self._fields})

    @property
    def read(self) -> list[str]:
        """Names of the fields of documents that were asked last, and are kept."""
        return [str(name) for name in self._columns.names()]

    def prepare(self, fields: Sequence[str]) -> None:
        """Read fields of documents now, so that no filter waits for it."""
        for field in fields:
            self._column(field)

    def valued(self, field: str) -> tuple[Column, NDArray[np.int32], NDArray[np.intp]]:
        """Return a field's column, and pairs: the code of a value, -1 for none, and the unit that has it.

        Raises:
            QueryError: no stored document has the field.
        """
        every = np.arange(len(self))
        if field == "section":
            with self._reading:
                headings, units, _ = self._headings
            return headings, headings.codes, units
        column = self._column(field)
        if not len(column.texts):
            self._check_known(Condition(field, "=", ()), len(column.codes))
        return column, column.codes if field == "page" else column.codes.take(self._owners), every

    def _equal_or_ordered(self, condition: Condition) -> Mask:
        """Return where a condition holds, "!=" taken for "="."""
        if condition.field == "section":
            return self._under(condition)
        column = self._column(condition.field)
        if not len(column.texts):
            self._check_known(condition, len(column.codes))
        mask = column.spread(_holds(condition, column))
        return mask if condition.field == "page" else mask.take(self._owners)

    def _under(self, condition: Condition) -> Mask:
        """Return (N,) True where a condition holds for a heading, or for all of them joined."""
        with self._reading:
            headings, units, joined = self._headings
        mask = joined.spread(_holds(condition, joined))
        mask[units[headings.spread(_holds(condition, headings))]] = True
        return mask

    def _column(self, field: str) -> Column:
        with self._reading:  # two threads would read it twice
            column = self._columns.get(field)
            if column is None:
                column = coded(self._paged() if field == "page" else self._read_column(field))
                self._columns.keep(field, column)
        return column

    def _paged(self) -> pa.Array:
        return pa.array(self._pages, mask=self._pages == 0)

    @cached_property
    def _headings(self) -> tuple[Column, NDArray[np.int64], Column]:
        """Every heading of every unit, the unit that each is of, and each unit's headings joined."""
        lists = self._read_sections()
        if isinstance(lists, pa.ChunkedArray):
            lists = lists.combine_chunks()
        headings = coded(pc.list_flatten(lists))
        units = pc.list_parent_indices(lists).to_numpy()
        there = pc.greater(pc.list_value_length(lists), 0)
        joined = coded(pc.if_else(there, pc.binary_join(lists, " > "), None))
        return headings, units, joined

    def _check_known(self, condition: Condition, documents: int) -> None:
        field = condition.field
        if not documents or condition.operator == "!=" or field in _BUILT_IN or field in self._fields:
            return
        names = sorted({*_BUILT_IN, *self._fields})
        raise QueryError(f"no stored document has a field {field!r}{_near(field, names)}: {_listed(names)}")

    @cached_property
    def _fields(self) -> frozenset[str]:
        return frozenset(self._read_fields())


class _Recent(Generic[T]):
    """The values used last, for several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> T | None:
        """Return the value kept under a key; None if there is none."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def names(self) -> list[Hashable]:
        """Return what values are kept under, the one not used for longest first."""
        with self._lock:
            return list(self._values)

    def keep(self, key: Hashable, value: T) -> None:
        """Keep a value, and let go of the one not used for longest if there are too many."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._size:
                self._values.popitem(last=False)


def _checked(condition: Filter) -> Condition:
    """Return the condition of a filter that may come from anywhere."""
    field, operator, value = condition.field, condition.operator, condition.value
    if operator not in get_args(FilterOperator):
        raise QueryError(
            f"unknown filter operator {operator!r}: use one of {' '.join(get_args(FilterOperator))}"
        )
    if not isinstance(field, str):
        raise QueryError(f"the field of a filter is a name, got {field!r}")
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    for one in values:
        if not isinstance(one, str | int | float):
            raise QueryError(f"a filter compares text, numbers or true and false: {field!r} got {one!r}")
    if operator in ("<", "<=", ">", ">=") and isinstance(value, tuple | list):
        raise QueryError(f"{field} {operator} takes one value, got a list of {len(values)}")
    return Condition(field, operator, tuple(text(one) for one in values))


def _holds(condition: Condition, column: Column) -> Mask:
    """Return for which distinct values of a column a condition holds, "!=" taken for "="."""
    match condition.operator:
        case "=" | "in" | "!=":
            return column.equal(condition.values)
        case "glob":
            fitting = np.zeros(len(column.texts), np.bool_)
            for pattern in condition.values:
                fitting |= column.like(pattern)
            return fitting
        case _:
            end = coded(condition.values)
            if condition.field not in _TEXTS:
                _check_end(condition, column, end)
            return column.ordered(condition.operator, end)


def _check_end(condition: Condition, column: Column, end: Column) -> None:
    wanted = column.kind_missed(end)
    if wanted is not None:
        example = "2024, 2024-05 or 2024-05-01" if wanted == "date" else "2024 or 0.5"
        raise QueryError(
            f"every {condition.field} is a {wanted}, such as {column.texts[0]}, and {condition.values[0]!r} "
            f"is none: after {condition.operator} write a {wanted} like {example}"
        )


def _near(field: str, names: Sequence[str]) -> str:
    """Return a guess at what was meant: names that look like it, whatever their case."""
    folded = {name.casefold(): name for name in names}
    near = [folded[one] for one in get_close_matches(field.casefold(), folded)]
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return f"known are {', '.join(names[:_NAMES_SHOWN])}" + (f" and {more} more" if more > 0 else "")
