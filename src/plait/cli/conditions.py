"""Filters as they are written on the command line: type=pdf, page>=3, source~guide/*."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.errors import QueryError
    from plait.schema import Filter

_CONDITION = re.compile(r"""([^\s=!<>~,"']*)\s*(<=|>=|!=|=|<|>|~)\s*(.*)""", re.DOTALL)
_QUOTED = r"""("[^"]*"|'[^']*')"""
_VALUE = re.compile(rf"""\s*(?:{_QUOTED}|([^\s"',=!<>~][^",]*?))\s*(?:,|\Z)""")
_PATTERN = re.compile(rf"""(?:{_QUOTED}|([^"'=!<>~][^"]*))\Z""")


def condition(text: str) -> Filter:
    """Return the filter that "field=value" means; "~" is a shell pattern, "a,b" after "=" or "!=" a set.

    A value in quotes is text, whatever it holds: title="On, off".

    Raises:
        InputError: it is not of that form.
    """
    from plait.schema import Filter

    match = _CONDITION.fullmatch(text.strip())
    if match is None:
        why = "it does not begin with a field and an operator" if text.strip() else "it is empty"
        raise _unreadable(text, why)
    field, operator, written = match.groups()
    if not field:
        raise _unreadable(text, f"no field stands before {operator}")
    if not written:
        raise _unreadable(text, f"no value stands after {operator}")
    if operator == "~":
        return Filter(field, "glob", _pattern(text, written))
    values = _values(text, written)
    if len(values) == 1:
        return Filter(field, operator, values[0])  # type: ignore[arg-type]
    if operator in ("=", "!="):
        return Filter(field, "in" if operator == "=" else "!=", tuple(values))
    raise _unreadable(text, f"{operator} takes one value")


def _pattern(text: str, written: str) -> str:
    match = _PATTERN.match(written)
    if match is None:
        raise _unreadable(text, f"{written} is no pattern")
    return match[2] or match[1][1:-1]


def _values(text: str, written: str) -> list[str | int | float]:
    """Return the values between the commas of what stands after the operator."""
    values: list[str | int | float] = []
    end, ended = 0, False
    while not ended:
        match = _VALUE.match(written, end)
        if match is None:
            raise _unreadable(text, f"{written[end:].strip() or 'nothing'} is no value")
        values.append(match[1][1:-1] if match[1] else _number(match[2]))
        end, ended = match.end(), not match[0].endswith(",")
    return values


def _number(value: str) -> str | int | float:
    """Return the number that a text is, unless that would be written otherwise."""
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        if str(number) == value and math.isfinite(number):
            return number
    return value


def _unreadable(text: str, why: str) -> QueryError:
    from plait.errors import QueryError

    return QueryError(
        f"cannot read the condition {text!r}: {why}; write field=value, field>=value or field~pattern, as in "
        "type=pdf, lang=en,de or source~guide/*; what is empty or holds a comma, a quote or an operator goes "
        'in quotes, as in title="On, off"'
    )
