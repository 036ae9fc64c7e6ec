"""Settings from YAML into frozen dataclasses, strictly: no unknown key, no wrong type, no silent default."""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NewType, TypeVar, get_args, get_origin

from plait.errors import InputError, MissingPathError
from plait.extras import require

# A folder (looked for beside the file that names it), a pip package, or a name on the hub.
ModelName = NewType("ModelName", str)

T = TypeVar("T")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def read_settings(kind: type[T], file: Path, *, changes: Sequence[str] = ()) -> T:
    """Return the settings that a YAML file holds.

    Args:
        kind: a dataclass; its annotations say what is expected.
        file: paths in it are relative to its folder, and nothing in them is expanded.
        changes: "place=value" each, such as "trainer.seed=1" or "data.0.repeat=2"; the value is YAML.

    Raises:
        MissingPathError: there is no such file.
        InputError: not YAML; an unknown, doubled or missing key; a value that is not what is expected.
            The message names the place.
    """
    if not file.is_file():
        raise MissingPathError(f"{file} is not there: give a YAML file; recipes/ holds some to begin with")
    values = _parsed(file)
    for change in changes:
        _change(values, change)
    return _Reader(file).dataclass(kind, values, "")


def to_plain(settings: Any) -> Any:
    """Return settings as YAML and JSON can hold them: dicts, lists, numbers and strings."""
    match settings:
        case Path():
            return str(settings)
        case tuple() | list():
            return [to_plain(one) for one in settings]
        case _ if dataclasses.is_dataclass(settings):
            fields = dataclasses.fields(settings)
            return {field.name: to_plain(getattr(settings, field.name)) for field in fields}
    return settings


def differences(ours: Any, theirs: Any, place: str = "") -> dict[str, tuple[Any, Any]]:
    """Return where two plain settings differ: place -> (ours, theirs); None where one lacks it."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        names = list(dict.fromkeys([*ours, *theirs]))
        parts = [(f"{place}.{name}".lstrip("."), ours.get(name), theirs.get(name)) for name in names]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        parts = [
            (f"{place}.{k}", one, other) for k, (one, other) in enumerate(zip(ours, theirs, strict=True))
        ]
    else:
        return {} if ours == theirs else {place: (ours, theirs)}
    return {name: pair for part in parts for name, pair in differences(part[1], part[2], part[0]).items()}


class _Reader:
    """Reads the values of one file by the annotations of dataclasses."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def dataclass(self, kind: type[T], values: Any, place: str) -> T:
        if not isinstance(values, dict):
            raise self.wrong(place, values, f"settings by name ({', '.join(_names(kind))})")
        for name in values:
            if name not in _names(kind):
                raise InputError(f"{self.file}: unknown key {name!r} {_within(place)}{_nearest(name, kind)}")
        hints = typing.get_type_hints(kind, include_extras=True)
        read = {
            name: self.value(hints[name], value, f"{place}.{name}".lstrip("."))
            for name, value in values.items()
        }
        for field in dataclasses.fields(kind):  # type: ignore[arg-type]
            bare = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if bare and field.name not in read:
                raise InputError(f"{self.file}: {_within(place)} the key {field.name!r} is missing")
        try:
            return kind(**read)
        except InputError as error:
            raise InputError(f"{self.file}: {_within(place)} {error}") from error

    def value(self, kind: Any, value: Any, place: str) -> Any:
        origin, parts = get_origin(kind), get_args(kind)
        if origin in (types.UnionType, typing.Union):
            return self.one_of(parts, value, place)
        if origin is Literal:
            if value not in parts or isinstance(value, bool) != isinstance(parts[0], bool):
                raise self.wrong(place, value, f"one of {', '.join(map(str, parts))}")
            return value
        if origin is tuple:
            if not isinstance(value, list):
                raise self.wrong(place, value, "a list")
            return tuple(self.value(parts[0], one, f"{place}.{k}") for k, one in enumerate(value))
        if dataclasses.is_dataclass(kind):
            return self.dataclass(typing.cast(type, kind), value, place)
        return self.scalar(kind, value, place)

    def one_of(self, parts: tuple[Any, ...], value: Any, place: str) -> Any:
        """Return a value that may be absent, or of one of several dataclasses, told apart by "format"."""
        if value is None and types.NoneType in parts:
            return None
        kinds = [part for part in parts if part is not types.NoneType]
        if len(kinds) == 1:
            return self.value(kinds[0], value, place)
        if all(dataclasses.is_dataclass(kind) for kind in kinds):
            return self.by_format(kinds, value, place)
        for kind in kinds:
            try:
                return self.value(kind, value, place)
            except InputError:
                continue
        raise self.wrong(place, value, " or ".join(_said(kind) for kind in kinds))

    def by_format(self, kinds: list[Any], value: Any, place: str) -> Any:
        known = {get_args(typing.get_type_hints(kind)["format"])[0]: kind for kind in kinds}
        if not isinstance(value, dict):
            raise self.wrong(place, value, "settings by name, one of them its format")
        if value.get("format") not in known:
            raise self.wrong(f"{place}.format", value.get("format"), f"one of {', '.join(known)}")
        return self.dataclass(known[value["format"]], value, place)

    def scalar(self, kind: Any, value: Any, place: str) -> Any:
        if kind is Path:
            return self.path(value, place)
        if kind is ModelName:
            return self.model(value, place)
        if kind is float and isinstance(value, str) and _NUMBER.fullmatch(value):
            return float(value)  # YAML takes 5e-5, without a point, for a text
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(place, value, _said(kind))
        return value

    def path(self, value: Any, place: str) -> Path:
        if not isinstance(value, str) or not value or value.startswith("~"):
            raise self.wrong(place, value, "a path, relative to this file or absolute, without ~")
        return (self.file.parent / value).absolute()

    def model(self, value: Any, place: str) -> ModelName:
        if not isinstance(value, str) or not value:
            raise self.wrong(place, value, "a model: a folder, a pip package, or owner/name on the hub")
        folder = self.file.parent / value
        return ModelName(str(folder.absolute()) if folder.is_dir() else value)

    def wrong(self, place: str, value: Any, expected: str) -> InputError:
        return InputError(f"{self.file}: {place or 'the file'} is {value!r}, expected {expected}")


def _parsed(file: Path) -> dict[str, Any]:
    yaml = require("yaml")

    class Strict(yaml.SafeLoader):  # type: ignore[name-defined, misc]  # PyYAML is not typed
        """The safe loader, but of a key that is there twice it takes neither."""

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        names = [loader.construct_object(key) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"{file}, line {node.start_mark.line + 1}: the key {name!r} is there twice")
        return dict(loader.construct_mapping(node, deep=True))

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        values = yaml.load(file.read_text(encoding="utf-8"), Loader=Strict)
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        raise InputError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise InputError(f"{file} holds a {type(values).__name__}, expected settings by name")
    return values


def _change(values: dict[str, Any], change: str) -> None:
    """Put one "place=value" into parsed settings."""
    yaml = require("yaml")
    place, equals, value = change.partition("=")
    *path, last = place.split(".")
    if not equals or not all((*path, last)):
        raise InputError(f"{change!r} changes nothing: expected place=value, such as trainer.seed=1")
    inner: Any = values
    for name in path:
        inner = _step(inner, name, change)
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(f"{change!r}: {value!r} is not YAML ({' '.join(str(error).split())})") from error
    if isinstance(inner, list):
        _step(inner, last, change)
        inner[int(last)] = read
    else:
        inner[last] = read


def _step(inner: Any, name: str, change: str) -> Any:
    """Return what lies one step within parsed settings; settings that are not there yet begin empty."""
    if isinstance(inner, list):
        if not name.isdecimal() or int(name) >= len(inner):
            raise InputError(f"{change!r}: the list has the places 0 to {len(inner) - 1}, not {name!r}")
        return inner[int(name)]
    if inner.get(name) is None:
        inner[name] = {}
    if not isinstance(inner[name], dict | list):
        raise InputError(f"{change!r}: {name} is {inner[name]!r}, which holds nothing further")
    return inner[name]


def _names(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _nearest(name: Any, kind: Any) -> str:
    near = difflib.get_close_matches(str(name), _names(kind), n=1)
    return f": did you mean {near[0]!r}?" if near else f": use one of {', '.join(_names(kind))}"


def _within(place: str) -> str:
    return f"in {place}" if place else "at the top"


def _said(kind: Any) -> str:
    names: Mapping[Any, str] = {
        int: "a whole number",
        float: "a number",
        str: "a text",
        bool: "true or false",
    }
    return names.get(kind, f"one of {', '.join(map(str, get_args(kind)))}" if get_args(kind) else str(kind))
