"""What a store must show, held against what is in it: whole documents, equal in every lane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from tests.index.soak.steps import FIELDS, Stored, entry, word_of

from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, Snapshot, StoredDocument
from plait.scoring.vectors import VectorField, Vectors

_ONE = np.ones(1, np.float32)


def versions(index: LanceIndex) -> Stored:
    """Return the version of every document that the store lists."""
    return {document.id: int(document.metadata["version"]) for document in index.documents()}


def problems(index: LanceIndex, stored: Stored) -> Iterator[str]:
    """Yield a sentence for everything in which the store differs from what must be stored."""
    expected = {name: entry(name, version) for name, version in stored.items()}
    found = versions(index)
    if found != dict(stored):
        lost = {name: version for name, version in stored.items() if found.get(name) != version}
        yield f"the list of documents differs: expected {lost}, found { ({n: found.get(n) for n in lost}) }"
        yield f"and not expected: { ({n: v for n, v in found.items() if n not in stored}) }"
        return
    snapshot = index.snapshot()
    if list(snapshot.documents_of()) != sorted(stored):
        yield f"a snapshot holds the documents {list(snapshot.documents_of())}, the list {sorted(stored)}"
        return
    for name, whole in expected.items():
        yield from _of_units(snapshot, name, whole)
        yield from _of_words(snapshot, name, stored[name])
        yield from _of_vectors(snapshot, name, whole)
    pictures = {
        picture.sha256 for whole in expected.values() for unit in whole.units for picture in unit.pictures
    }
    if index.pictures() != pictures:
        yield f"its pictures differ by {sorted(index.pictures() ^ pictures)}"


def remains(folder: Path, stored: Stored, ever: Sequence[tuple[str, int]]) -> Iterator[str]:
    """Yield a sentence for every file that holds vectors of a version no longer stored.

    Args:
        ever: (id, version) of every document that was ever stored, or was about to be.
    """
    versions_in: dict[Path, list[str]] = {}
    for file in (file for file in folder.rglob("*") if file.is_file()):
        data = file.read_bytes()
        versions_in[file] = [word_of(*one) for one in ever if any(v in data for v in _bytes_of(*one))]
    live = {word_of(*one) for one in stored.items() if _bytes_of(*one)}
    if unseen := live.difference(*versions_in.values()):
        yield f"no file holds the vectors of {sorted(unseen)}: this looks for the wrong bytes"
    for file, held in versions_in.items():
        if gone := sorted(set(held) - live):
            yield f"once compacted {file.relative_to(folder)} still holds {len(gone)} of before: {gone[:5]}"


@cache
def _bytes_of(name: str, version: int) -> list[bytes]:
    every = [items for unit in entry(name, version).vectors for items in unit.fields.values()]
    return [
        token.astype(np.float16).tobytes() for items in every for token in items.reshape(-1, items.shape[2])
    ]


def _of_units(snapshot: Snapshot, name: str, whole: Entry) -> Iterator[str]:
    rows = snapshot.documents_of()[name]
    found = snapshot.units(rows)
    if [unit for unit, _ in found] != list(whole.units):
        texts = [unit.passages[0].text for unit, _ in found]
        yield f"{name} has the units {texts}, expected {[unit.passages[0].text for unit in whole.units]}"
    document = replace(whole.document, units=len(whole.units))
    for _, owner in found:
        if _uncounted(owner) != _uncounted(document):
            yield f"a unit of {name} belongs to {owner}, expected {document}"


def _of_words(snapshot: Snapshot, name: str, version: int) -> Iterator[str]:
    rows = list(snapshot.documents_of()[name])
    holders = np.flatnonzero(snapshot.bm25([word_of(name, version)], [1.0]) > 0).tolist()
    if holders != rows:
        yield f"BM25 finds the word of {name} in the units {holders}, expected {rows}"


def _of_vectors(snapshot: Snapshot, name: str, whole: Entry) -> Iterator[str]:
    """A unit's own vectors find it, with the score of equals; a unit without any scores nothing."""
    for row, vectors in zip(snapshot.documents_of()[name], whole.vectors, strict=False):
        for field in FIELDS:
            own = vectors.fields.get(field.name, np.empty((0, field.tokens, field.width), np.float32))
            if len(own):
                scores = snapshot.field_scores(field.name, own, np.full(len(own), 1 / len(own), np.float32))
                if np.nanargmax(scores) != row or abs(scores[row] - 1) > 2e-3:
                    yield f"{field.name} of {name}: row {row} scores {scores[row]} by its own vectors"
            rough, _ = snapshot.rough_scores(field.name, _any(field), _ONE)
            exact = snapshot.field_scores(field.name, _any(field), _ONE)
            if {bool(np.isnan(scores[row])) for scores in (rough, exact)} != {not len(own)}:
                seen = f"{rough[row]} roughly, {exact[row]} exactly"
                yield f"{field.name} of {name}: row {row} of {len(own)} items scores {seen}"


def _any(field: VectorField) -> Vectors:
    return np.ones((1, 1, field.width), np.float32)


def _uncounted(document: StoredDocument) -> StoredDocument:
    """Return a document without how often it was stored, which the store counts."""
    return replace(document, version=1)
