"""Rows of corpus.jsonl and queries.jsonl, one by one, each with its place or what is wrong with it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from plait.data.collections.base import LabelledQuery
from plait.data.collections.trec import Report, decoded_lines
from plait.data.readers.pictures import BadPictureError, opened
from plait.schema import Picture, Query, asked_with

_MAX_PIXELS = 50_000_000


class RowError(Exception):
    """One row, or a part of it, cannot be used; the message says why."""


def rows(path: Path, *, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield "file:line" and the object of each line that has an id of its own, under "id".

    Ids are texts, without white space around them, as those of qrels.tsv are; "_id" is taken for "id".
    """
    seen: set[str] = set()
    for place, line in decoded_lines(path, report=report):
        try:
            row = _row(line)
            if row["id"] in seen:
                raise RowError(f"the id {row['id']!r} was used on an earlier line")
        except RowError as error:
            report(place, str(error))
        else:
            seen.add(row["id"])
            yield place, row


def queries(path: Path, *, root: Path, report: Report) -> Iterator[tuple[LabelledQuery, str]]:
    """Yield each query and the path of its picture below `root`, "" if it has none."""
    for place, row in rows(path, report=report):
        try:
            yield _query(root, row)
        except RowError as error:
            report(place, str(error))


def picture_at(root: Path, address: str) -> Picture:
    """Return the picture at an address inside a folder, decoded once to be sure of it.

    Raises:
        RowError: it is elsewhere, cannot be read, or is no picture.
    """
    path = root / address
    if not address or not _is_inside(path, root):
        raise RowError(f"expected the path of a picture inside {root}, got {address!r}")
    try:
        data = path.read_bytes()
        opened(data, max_pixels=_MAX_PIXELS).close()
    except OSError as error:
        raise RowError(f"cannot read the picture {address!r}: {error.strerror or error}") from error
    except BadPictureError as error:
        raise RowError(f"the picture {address!r} cannot be used: {error}") from error
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    return Picture(str(path), hashlib.sha256(data).hexdigest(), width, height)


def text_of(row: Mapping[str, Any], key: str) -> str:
    """Return a text of a row, "" where it is null or not there.

    Raises:
        RowError: it is something else.
    """
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowError(f'expected "{key}", a string or null, got {value!r}')
    return value


def _is_inside(path: Path, root: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (ValueError, RuntimeError):  # a name that cannot be one, a circle of links
        return False


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        if r"\ud" in line.lower():  # half a surrogate pair is JSON, and no text
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise RowError(f"not JSON in UTF-8 ({error})") from error
    if not isinstance(row, dict):
        raise RowError(f"expected an object, got {type(row).__name__}")
    name = row.get("id", row.get("_id"))
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not name.strip():
        raise RowError(f'expected "id", a string that is not empty, got {name!r}')
    return row | {"id": name.strip()}


def _query(root: Path, row: Mapping[str, Any]) -> tuple[LabelledQuery, str]:
    text = text_of(row, "text").strip()
    address = text_of(row, "image")
    if not text and not address:
        raise RowError(f'query {row["id"]!r} is empty: expected "text", "image" or both')
    if address:
        picture_at(root, address)
    kind = text_of(row, "kind").strip() or asked_with(text, address)
    if kind == "all":
        raise RowError('the kind "all" is what reports call all queries together: expected another "kind"')
    return LabelledQuery(row["id"], Query.of(text, root / address if address else None), kind), address
