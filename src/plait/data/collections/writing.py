"""Write a collection as a folder that `jsonl.read_jsonl` reads, pictures and all, or its labels alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from plait.data.collections.base import LabelledQuery
from plait.data.collections.trec import write_qrels
from plait.errors import InputError
from plait.schema import Document, Image, Qrels, Segment

_PICTURES = "pictures"
_MAGIC = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"RIFF": ".webp"}


def write_jsonl(
    folder: str | Path, documents: Iterable[Document], queries: Sequence[LabelledQuery], qrels: Qrels
) -> None:
    """Write a collection; pictures are copied into its folder "pictures" under their sha256.

    Documents are written one by one, so they may be more than memory holds. Boxes, anchors and page
    images are not part of the format and are left out.

    Raises:
        InputError: a query of several texts or pictures, of weights or filters, which the format cannot
            hold; or an id that qrels.tsv cannot hold.
        OSError: a picture cannot be read, or the folder not written.
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    _write_rows(root / "corpus.jsonl", (_document_row(root, document) for document in documents))
    write_labels(root, queries, qrels)


def write_labels(
    folder: str | Path,
    queries: Sequence[LabelledQuery],
    qrels: Qrels,
    *,
    paths_from: str | Path | None = None,
) -> None:
    """Write the queries and judgements of a collection; pictures are copied as in `write_jsonl`.

    Args:
        paths_from: what the paths of pictures are relative to; None: the folder itself.

    Raises:
        InputError: as of `write_jsonl`.
        OSError: a picture cannot be read, or the folder not written.
    """
    root = Path(folder)
    rows = [_query_row(root, query) for query in queries]
    if paths_from is not None:
        lead = root.relative_to(paths_from)
        rows = [{**row, "image": row["image"] and (lead / row["image"]).as_posix()} for row in rows]
    _write_rows(root / "queries.jsonl", rows)
    write_qrels(root / "qrels.tsv", qrels)


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _document_row(root: Path, document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "title": document.title,
        "source": document.source,
        "metadata": dict(document.metadata),
        "segments": [_segment_row(root, segment) for segment in document.segments],
    }


def _segment_row(root: Path, segment: Segment) -> dict[str, Any]:
    row: dict[str, Any] = {"type": segment.kind, "text": segment.text}
    if segment.picture is not None:
        row["path"] = _kept(root, segment.picture.path)
    optional = {"caption": segment.caption, "section": list(segment.section), "page": segment.page}
    return row | {name: value for name, value in optional.items() if value}


def _query_row(root: Path, labelled: LabelledQuery) -> dict[str, Any]:
    query = labelled.query
    if len(query.texts) > 1 or len(query.images) > 1 or query.filters:
        raise InputError(
            f"query {labelled.id!r} has {len(query.texts)} texts, {len(query.images)} pictures and "
            f"{len(query.filters)} filters: the format holds one text and one picture"
        )
    return {
        "id": labelled.id,
        "text": query.texts[0] if query.texts else None,
        "image": _kept(root, query.images[0]) if query.images else None,
        "kind": labelled.kind,
    }


def _kept(root: Path, image: Image) -> str:
    """Copy a picture into the folder; return its path there."""
    data = image if isinstance(image, bytes) else Path(image).read_bytes()
    suffix = next((s for magic, s in _MAGIC.items() if data.startswith(magic)), ".img")
    (root / _PICTURES).mkdir(parents=True, exist_ok=True)
    target = root / _PICTURES / f"{hashlib.sha256(data).hexdigest()}{suffix}"
    if isinstance(image, bytes):
        target.write_bytes(data)
    elif not target.exists():
        shutil.copyfile(image, target)
    return target.relative_to(root).as_posix()
