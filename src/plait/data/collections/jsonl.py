"""Collections as a folder of lines: corpus.jsonl, queries.jsonl, qrels.tsv, and pictures.

corpus.jsonl    {"id", "title", "segments": [{"type": "text", "text"} |
                {"type": "image", "path", "caption"}]}; also "source" and "metadata", and of a segment
                "section" (a list of headings), "page", and of an image "text" (alternative text)
queries.jsonl   {"id", "text" | null, "image" | null, "kind"}; without a kind: what it asks with
qrels.tsv       query 0 document grade

Paths are relative to the folder and stay inside it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from plait.data.collections.base import Collection, LabelledQuery, Problem
from plait.data.collections.trec import Report, decoded_lines, judgements
from plait.data.readers.pictures import BadPictureError, opened
from plait.errors import InputError, MissingPathError
from plait.schema import Document, Picture, Qrels, Query, Segment

_MAX_PIXELS = 50_000_000
_SCALARS = (str, int, float, bool)


class _RowError(Exception):
    """One row, or a part of it, cannot be used; the message says why."""


def read_jsonl(folder: str | Path, *, strict: bool = False) -> Collection:
    """Return the collection in a folder; its corpus is read again, line by line, whenever it is asked for.

    A line that cannot be used, a second one of the same id, a judgement of an unknown query or document,
    and a missing or damaged picture are left out and listed in `problems`; those of pictures in the
    corpus only when its documents are read.

    Args:
        strict: stop at the first problem.

    Raises:
        MissingPathError: the folder or one of its three files does not exist.
        InputError: `strict`, and there is a problem; the message begins with file and line.
    """
    root = Path(folder)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"):
        if not (root / name).is_file():
            raise MissingPathError(f"{root}: holds no {name}; a collection has corpus, queries and qrels")
    problems: list[Problem] = []

    def report(place: str, message: str) -> None:
        problem = Problem(place, message)
        if strict:
            raise InputError(str(problem))
        if problem not in problems:
            problems.append(problem)

    documents = {row["id"] for _, row in _rows(root / "corpus.jsonl", report)}
    queries = tuple(_queries(root, report))
    qrels = _known(root / "qrels.tsv", {query.id for query in queries}, documents, report)
    return Collection(root.name, queries, qrels, lambda: _documents(root, report), problems)


def _rows(path: Path, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield "file:line" and the object of each line that has an id of its own."""
    seen: set[str] = set()
    for place, line in decoded_lines(path, report=report):
        try:
            row = _row(line)
            if row["id"] in seen:
                raise _RowError(f"the id {row['id']!r} was used on an earlier line")
        except _RowError as error:
            report(place, str(error))
        else:
            seen.add(row["id"])
            yield place, row


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _RowError(f"not JSON ({error})") from error
    if not isinstance(row, dict):
        raise _RowError(f"expected an object, got {type(row).__name__}")
    name = row.get("id")
    if isinstance(name, int) and not isinstance(name, bool):
        name = row["id"] = str(name)  # ids are compared as strings, like those of qrels.tsv
    if not isinstance(name, str) or not name.strip():
        raise _RowError(f'expected "id", a string that is not empty, got {name!r}')
    return row


def _queries(root: Path, report: Report) -> Iterator[LabelledQuery]:
    for place, row in _rows(root / "queries.jsonl", report):
        try:
            yield _query(root, row)
        except _RowError as error:
            report(place, str(error))


def _query(root: Path, row: Mapping[str, Any]) -> LabelledQuery:
    text = _text(row, "text").strip()
    address = _text(row, "image")
    if not text and not address:
        raise _RowError(f'query {row["id"]!r} is empty: expected "text", "image" or both')
    if address:
        _picture(root, address)
    sides = "+".join(side for side, asked in (("text", text), ("image", address)) if asked)
    image = root / address if address else None
    return LabelledQuery(row["id"], Query.of(text, image), _text(row, "kind").strip() or sides)


def _known(path: Path, queries: set[str], documents: set[str], report: Report) -> Qrels:
    """Return the judgements of queries and documents that are there."""
    kept: dict[str, dict[str, int]] = {}
    for place, query, document, grade in judgements(path, report=report):
        if query not in queries:
            report(place, f"judges the query {query!r}, which queries.jsonl does not have")
        elif document not in documents:
            report(place, f"judges the document {document!r}, which corpus.jsonl does not have")
        else:
            kept.setdefault(query, {})[document] = grade
    return kept


def _documents(root: Path, report: Report) -> Iterator[Document]:
    for place, row in _rows(root / "corpus.jsonl", report):
        try:
            yield _document(root, row, partial(report, place))
        except _RowError as error:
            report(place, str(error))


def _document(root: Path, row: Mapping[str, Any], leave_out: Callable[[str], None]) -> Document:
    """Return a document; a segment that cannot be used is left out, and said."""
    rows = row.get("segments")
    if not isinstance(rows, list):
        raise _RowError(f'expected "segments", a list, got {type(rows).__name__}')
    segments: list[Segment] = []
    for number, values in enumerate(rows):
        try:
            segments.append(_segment(root, values))
        except _RowError as error:
            leave_out(f"segment {number} of document {row['id']!r}: {error}")
    metadata = row.get("metadata") or {}
    if not isinstance(metadata, dict) or not all(isinstance(v, _SCALARS) for v in metadata.values()):
        raise _RowError('expected "metadata", an object of texts, numbers and booleans')
    return Document(
        id=row["id"],
        title=_text(row, "title"),
        source=_text(row, "source") or row["id"],
        metadata=metadata,
        segments=tuple(segments),
    )


def _segment(root: Path, values: Any) -> Segment:
    kind = values.get("type") if isinstance(values, dict) else values
    section = values.get("section") or [] if isinstance(values, dict) else []
    if kind not in ("text", "image"):
        raise _RowError(f'expected "type": "text" or "image", got {kind!r}')
    if not isinstance(section, list) or not all(isinstance(heading, str) for heading in section):
        raise _RowError(f'expected "section", a list of headings, got {section!r}')
    page = values.get("page")
    if page is not None and (not isinstance(page, int) or isinstance(page, bool) or page < 1):
        raise _RowError(f'expected "page", a number from 1, got {page!r}')
    if kind == "text" and not _text(values, "text").strip():
        raise _RowError('expected "text", a string that is not empty')
    side: Literal["text", "image"] = kind
    return Segment(
        side,
        text=_text(values, "text"),
        picture=_picture(root, _text(values, "path")) if kind == "image" else None,
        caption=_text(values, "caption"),
        section=tuple(section),
        page=page,
    )


def _picture(root: Path, address: str) -> Picture:
    """Return the picture at an address inside the folder, decoded once to be sure of it."""
    path = root / address
    if not address or not path.resolve().is_relative_to(root.resolve()):
        raise _RowError(f"expected the path of a picture inside {root}, got {address!r}")
    try:
        data = path.read_bytes()
        opened(data, max_pixels=_MAX_PIXELS).close()
    except OSError as error:
        raise _RowError(f"cannot read the picture {address!r}: {error.strerror or error}") from error
    except BadPictureError as error:
        raise _RowError(f"the picture {address!r} cannot be used: {error}") from error
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    return Picture(str(path), hashlib.sha256(data).hexdigest(), width, height)


def _text(row: Mapping[str, Any], key: str) -> str:
    """Return a text of a row, "" where it is null or not there."""
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _RowError(f'expected "{key}", a string or null, got {value!r}')
    return value
