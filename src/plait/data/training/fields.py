"""Fields of a row, each of the type that its format promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.errors import InputError

_LARGEST = 3.4e38  # and NaN is not less than it


def text_of(row: Mapping[str, Any], key: str) -> str:
    """Return a text, "" where it is null or not there.

    Raises:
        InputError: something else is there, or half a character.
    """
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f'expected "{key}", a string or null, got {value!r:.80}')
    return _whole(value, key)


def id_of(row: Mapping[str, Any], key: str) -> str:
    """Return an id, a string or a whole number, as a string.

    Raises:
        InputError: it is missing, empty, or something else.
    """
    return _id(row.get(key), key)


def ids_of(row: Mapping[str, Any], key: str) -> list[str]:
    """Return the ids of a field that holds one or a list of them; [] where it is null or not there.

    Raises:
        InputError: one of them is no id.
    """
    return [_id(value, key) for value in several(row.get(key))]


def texts_of(row: Mapping[str, Any], key: str) -> list[str]:
    """Return the texts of a field that holds one or a list, "" for a null; [] where it is not there.

    Raises:
        InputError: one of them is no text.
    """
    return [text_of({key: value}, key) for value in several(row.get(key))]


def numbers_of(row: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """Return a list of finite numbers; () where it is null or not there.

    Raises:
        InputError: something else is there.
    """
    value = row.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(_is_finite(number) for number in value):
        raise InputError(f'expected "{key}", a list of finite numbers or null, got {value!r:.80}')
    return tuple(float(number) for number in value)


def several(value: Any) -> list[Any]:
    """Return a list as it is, one value as a list of it, and null as []."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def only(row: Mapping[str, Any], expected: Sequence[str]) -> None:
    """Check that a row has no other fields than expected: a mistyped one would be passed over.

    Raises:
        InputError: it has.
    """
    unknown = sorted(set(row) - set(expected))
    if unknown:
        raise InputError(f"unknown field {', '.join(map(repr, unknown))}: expected {', '.join(expected)}")


def _id(value: Any, key: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f'expected "{key}", a string that is not empty or a whole number, got {value!r:.80}')
    return _whole(value, key)


def _whole(value: str, key: str) -> str:
    r"""Return a text that UTF-8 can hold: JSON may spell half a surrogate pair, as "\ud83d"."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f'"{key}" holds half a character at position {error.start}: repair it') from error
    return value


def _is_finite(value: Any) -> bool:
    """Tell whether it is a number that 32 bits can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
