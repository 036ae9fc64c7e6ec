"""Collections as a folder of lines: corpus.jsonl, queries.jsonl, qrels.tsv, and pictures.

corpus.jsonl    {"id", "title", "segments": [{"type": "text", "text"} |
                {"type": "image", "path", "caption"}]}; also "source" and "metadata", and of a segment
                "section" (a list of headings), "page", and of an image "text" (alternative text)
queries.jsonl   {"id", "text" | null, "image" | null, "kind"}; without a kind: what it asks with
qrels.tsv       query 0 document grade

Paths are relative to the folder and stay inside it. A folder in BEIR's form is read as well: "_id" for
"id", a document's "text" for its only segment, and qrels/test.tsv with the columns query-id, corpus-id and
score.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from plait.data.collections.base import Collection
from plait.data.collections.problems import Problems
from plait.data.collections.rows import RowError, picture_at, queries, rows, text_of
from plait.data.collections.trec import Report, judgements
from plait.errors import MissingPathError
from plait.schema import Document, Qrels, Segment

_SCALARS = (str, int, float, bool)
_QRELS = ("qrels.tsv", "qrels/test.tsv")


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
    qrels = next((root / name for name in _QRELS if (root / name).is_file()), root / _QRELS[0])
    for file in (root / "corpus.jsonl", root / "queries.jsonl", qrels):
        if not file.is_file():
            raise MissingPathError(
                f"{root}: holds no {file.name}; a collection has corpus, queries and qrels"
            )
    problems = Problems(strict=strict)
    documents = {row["id"] for _, row in rows(root / "corpus.jsonl", report=problems.report)}
    found = [query for query, _ in queries(root / "queries.jsonl", root=root, report=problems.report)]
    judged = _known(qrels, {query.id for query in found}, documents, problems.report)
    return Collection(root.resolve().name, found, judged, lambda: _documents(root, problems.report), problems)


def _known(path: Path, queries: Container[str], documents: Container[str], report: Report) -> Qrels:
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
    for place, row in rows(root / "corpus.jsonl", report=report):
        try:
            yield _document(root, row, partial(report, place))
        except RowError as error:
            report(place, str(error))


def _document(root: Path, row: Mapping[str, Any], leave_out: Callable[[str], None]) -> Document:
    """Return a document; a segment that cannot be used is left out, and said."""
    segments: list[Segment] = []
    for number, values in enumerate(_parts(row)):
        try:
            segments.append(_segment(root, values))
        except RowError as error:
            leave_out(f"segment {number} of document {row['id']!r}: {error}")
    metadata = row.get("metadata") or {}
    if not isinstance(metadata, dict) or not all(isinstance(v, _SCALARS) for v in metadata.values()):
        raise RowError('expected "metadata", an object of texts, numbers and booleans')
    return Document(
        id=row["id"],
        title=text_of(row, "title"),
        source=text_of(row, "source") or row["id"],
        metadata=metadata,
        segments=tuple(segments),
    )


def _parts(row: Mapping[str, Any]) -> list[Any]:
    """Return the segments of a row as written; a row of BEIR's form has one, its "text", or none."""
    parts = row.get("segments")
    if parts is None and "text" in row:
        return [{"type": "text", "text": row["text"]}] if text_of(row, "text").strip() else []
    if not isinstance(parts, list):
        raise RowError(f'expected "segments", a list, or "text", got {type(parts).__name__}')
    return parts


def _segment(root: Path, values: Any) -> Segment:
    kind = values.get("type") if isinstance(values, dict) else values
    section = values.get("section") or [] if isinstance(values, dict) else []
    if kind not in ("text", "image"):
        raise RowError(f'expected "type": "text" or "image", got {kind!r}')
    if not isinstance(section, list) or not all(isinstance(heading, str) for heading in section):
        raise RowError(f'expected "section", a list of headings, got {section!r}')
    page = values.get("page")
    if page is not None and (not isinstance(page, int) or isinstance(page, bool) or page < 1):
        raise RowError(f'expected "page", a number from 1, got {page!r}')
    if kind == "text" and not text_of(values, "text").strip():
        raise RowError('expected "text", a string that is not empty')
    side: Literal["text", "image"] = kind
    return Segment(
        side,
        text=text_of(values, "text"),
        picture=picture_at(root, text_of(values, "path")) if kind == "image" else None,
        caption=text_of(values, "caption"),
        section=tuple(section),
        page=page,
    )
