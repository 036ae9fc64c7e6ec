"""Hashes of what an evaluation reads, so that a stored result and a kept copy know what they are of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from plait.data.collections.base import LabelledQuery
from plait.library.gather import sha256_of
from plait.schema import Image, Qrels

_PICTURE = re.compile(rb'"path"\s*:\s*("(?:[^"\\]|\\.)*")')


def of_values(*values: Any) -> str:
    """Return a hash of JSON values, 64 hex digits."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def of_corpus(folder: Path) -> str:
    """Return a hash of a corpus.jsonl and of the pictures in its folder that it names."""
    digest, root = hashlib.sha256(), folder.resolve()
    with (folder / "corpus.jsonl").open("rb") as lines:
        for line in lines:
            digest.update(line)
            for address in _PICTURE.findall(line):
                picture = (root / _decoded(address)).resolve()
                if picture.is_relative_to(root):
                    digest.update(_of_file(picture).encode())
    return digest.hexdigest()


def of_files(files: Iterable[tuple[str, Path]]) -> str:
    """Return a hash of some files' names and bytes, in their order."""
    return of_values([(name, _of_file(path)) for name, path in files])


def of_labels(queries: Sequence[LabelledQuery], qrels: Qrels) -> str:
    """Return a hash of queries, their pictures and their judgements."""
    asked = [
        (query.id, query.kind, query.query.texts, [_of_image(image) for image in query.query.images])
        for query in queries
    ]
    return of_values(asked, [(query, list(grades.items())) for query, grades in qrels.items()])


def _of_image(image: Image) -> str:
    return hashlib.sha256(image).hexdigest() if isinstance(image, bytes) else _of_file(Path(image))


def _of_file(path: Path) -> str:
    """Return the digest of a file, "" if it cannot be read: readers name it then."""
    try:
        return sha256_of(path)
    except (OSError, ValueError):
        return ""


def _decoded(quoted: bytes) -> str:
    """Return the text of a JSON string, "" if it is none."""
    try:
        return str(json.loads(quoted))
    except ValueError:
        return ""
