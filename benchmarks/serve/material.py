"""A library of 100,000 units with plait-mini's vectors, and queries about it; made once, kept in the cache.

    OMP_NUM_THREADS=1 nice -n 10 python -m benchmarks.serve.material --units 100000

The documents of `seeds` as they are, and then further rounds of them: in each, a unit keeps half of its
passages and figures, and takes the others from units of the same manual. Vectors go with what they are of,
turned a little (to a cosine of 0.9), so that no two are alike. So the words, the figures, the sizes of units
and the scores are those of manuals, while near-duplicates are more frequent than they would be.

Queries are drawn from the seeds, all distinct: sentences, runs of words as people type, headings, and some
with a picture beside the words or alone. A part of them has a filter.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.real_input.fetch import CACHE
from benchmarks.serve.seeds import FOLDER, Seed, seeds
from plait import Library
from plait.data.sentences import sentences
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.library.folder import LibraryFolder
from plait.schema import Document, Passage, Picture, Segment, Unit
from plait.scoring.vectors import UnitVectors, VectorField, Vectors

_COSINE = 0.9  # of a turned vector with what it was
_STAYS = 0.5
_AT_A_TIME = 64  # documents of one commit
_QUERIES = 4000
_PICTURE_PX = 320
_KINDS = {"words": 0.4, "sentence": 0.35, "heading": 0.15, "both": 0.08, "picture": 0.02}

Item = tuple[Passage | Segment, dict[str, Vectors]]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--units", type=int, default=100_000)
    options.add_argument("--cache", type=Path, default=CACHE)
    asked = options.parse_args()
    print(prepare(asked.cache, asked.units))


def prepare(cache: Path, units: int) -> Path:
    """Return the folder of the library, with queries.jsonl beside it; makes what is not there."""
    folder = cache / FOLDER / f"library-{units}"
    if not (folder / "queries.jsonl").is_file():
        every = list(seeds(cache))
        if not every:
            sys.exit("no units are encoded: run  python -m benchmarks.serve.seeds  first")
        _fill(folder, every, units)
        queries = list(_queries(every, np.random.default_rng(1)))
        lines = "".join(json.dumps(query) + "\n" for query in queries)
        (folder / "queries.jsonl").write_text(lines, encoding="utf-8")
    return folder


def queries_in(folder: Path) -> list[dict[str, Any]]:
    """Return the bodies of requests to /search, in an order drawn at random."""
    lines = (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _fill(folder: Path, every: Sequence[Seed], units: int) -> None:
    with Library(folder) as library:
        library.add_documents([Document("start", "", "start.txt", segments=(Segment("text", "start"),))])
        fields = library.encoder().fields
        index = LanceIndex(library.folder / "store", fields)
        index.remove(["start"])
        keep = _Pictures(LibraryFolder(library.folder))
        batch: list[Entry] = []
        done, began = 0, time.perf_counter()
        for entry in _entries(every, fields, units):
            batch.append(replace(entry, units=tuple(u.with_pictures(keep) for u in entry.units)))
            done += len(entry.units)
            if len(batch) == _AT_A_TIME or done == units:
                index.add(batch)
                batch = []
                print(f"{done:,} units, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        index.optimize(keep_seconds=0)


class _Pictures:
    """Links pictures into a library: thousands of copies, each flushed to disk, would take long."""

    def __init__(self, folder: LibraryFolder) -> None:
        self._folder = folder

    def __call__(self, picture: Picture) -> Picture:
        relative = self._folder.picture_path(picture.sha256, Path(picture.path).suffix)
        target = self._folder.path / relative
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(picture.path, target)
        return replace(picture, path=str(relative))


def _entries(every: Sequence[Seed], fields: Sequence[VectorField], units: int) -> Iterator[Entry]:
    """Give documents with so many units in all: the seeds, then rounds of them."""
    pools = {
        package: _Pool([seed for seed in every if seed.package == package], fields)
        for package in dict.fromkeys(seed.package for seed in every)
    }
    rng = np.random.default_rng(0)
    left, number = units, 0
    while left:
        for seed in every:
            made = seed if number == 0 else pools[seed.package].mixed(seed, number, rng)
            made = replace(made, units=made.units[:left], vectors=made.vectors[:left])
            left -= len(made.units)
            yield _entry(made, number)
            if not left:
                return
        number += 1


def _entry(seed: Seed, number: int) -> Entry:
    first = seed.units[0]
    document = StoredDocument(
        id=first.document_id,
        title=first.title,
        source=f"{seed.package}/{first.document_id}.html",
        metadata={"type": "html", "package": seed.package, "year": 2000 + int(first.document_id, 16) % 25},
        content_sha256=hashlib.sha256(first.document_id.encode()).hexdigest(),
        units=len(seed.units),
        figures=sum(len(unit.figures) for unit in seed.units),
    )
    return Entry(document, seed.units, seed.vectors)


class _Pool:
    """The passages and figures of a manual, to make other units of."""

    def __init__(self, of_package: Sequence[Seed], fields: Sequence[VectorField]) -> None:
        self._fields = fields
        pairs = [pair for seed in of_package for pair in zip(seed.units, seed.vectors, strict=True)]
        self._passages = [item for unit, vectors in pairs for item in self._of("passage", unit, vectors)]
        self._figures = [item for unit, vectors in pairs for item in self._of("figure", unit, vectors)]

    def mixed(self, seed: Seed, number: int, rng: np.random.Generator) -> Seed:
        """Return another document of the same form."""
        document = hashlib.sha256(f"{seed.units[0].document_id} {number}".encode()).hexdigest()[:16]
        pairs = zip(seed.units, seed.vectors, strict=True)
        made = [self._unit(document, unit, vectors, rng) for unit, vectors in pairs]
        return Seed(seed.package, tuple(unit for unit, _ in made), tuple(vectors for _, vectors in made))

    def _unit(
        self, document: str, unit: Unit, vectors: UnitVectors, rng: np.random.Generator
    ) -> tuple[Unit, UnitVectors]:
        passages = self._drawn(self._of("passage", unit, vectors), self._passages, rng)
        figures = self._drawn(self._of("figure", unit, vectors), self._figures, rng)
        fields = dict(vectors.fields)
        for items in (passages, figures):
            for name in items[0][1] if items else ():
                fields[name] = _turned(np.stack([of_item[name] for _, of_item in items]), rng)
        made = replace(
            unit,
            id=f"{document}:{unit.ordinal}",
            document_id=document,
            passages=tuple(item for item, _ in passages if isinstance(item, Passage)),
            figures=tuple(item for item, _ in figures if isinstance(item, Segment)),
        )
        return made, UnitVectors(fields)

    def _drawn(self, own: Sequence[Item], others: Sequence[Item], rng: np.random.Generator) -> list[Item]:
        return [item if rng.random() < _STAYS else others[int(rng.integers(len(others)))] for item in own]

    def _of(self, kind: str, unit: Unit, vectors: UnitVectors) -> list[Item]:
        items: Sequence[Passage | Segment] = unit.passages if kind == "passage" else unit.figures
        of_kind = {field.name: vectors.fields[field.name] for field in self._fields if field.items == kind}
        if any(len(numbers) != len(items) for numbers in of_kind.values()):
            return []  # captions in place of passages, or a figure that could not be opened
        plain = (replace(item, table=None) if isinstance(item, Passage) else item for item in items)
        return [(item, {name: of_kind[name][k] for name in of_kind}) for k, item in enumerate(plain)]


def _turned(vectors: Vectors, rng: np.random.Generator) -> Vectors:
    noise = rng.standard_normal(vectors.shape, dtype=np.float32)
    noise /= np.linalg.norm(noise, axis=-1, keepdims=True)
    turned = vectors + np.sqrt(1 / _COSINE**2 - 1).astype(np.float32) * noise
    unit: Vectors = turned / np.linalg.norm(turned, axis=-1, keepdims=True)
    return unit


def _queries(every: Sequence[Seed], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Give distinct queries: 40% words, 35% sentences, 15% headings, 8% words and a picture, 2% a picture.

    One in ten has a filter: one manual, or a range of years.
    """
    units = [(seed.package, unit) for seed in every for unit in seed.units]
    shown = [pair for pair in units if any(figure.picture for figure in pair[1].figures)]
    said: set[str] = set()
    while len(said) < _QUERIES:
        kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
        among = shown if kind in ("both", "picture") else units
        package, unit = among[rng.integers(len(among))]
        text = "" if kind == "picture" else _text("words" if kind == "both" else kind, unit, rng)
        key = text or unit.id
        if (kind != "picture" and not text) or key in said:
            continue
        said.add(key)
        query: dict[str, Any] = {"texts": [text] if text else []}
        if kind in ("both", "picture"):
            query["images"] = [{"base64": _picture(unit)}]
        if rng.random() < 0.1:
            query["filters"] = [_filter(package, rng)]
        yield {"query": query}


def _text(kind: str, unit: Unit, rng: np.random.Generator) -> str:
    if kind == "heading":
        return " ".join(unit.section[-2:])[:200] or unit.title
    lines = (line for passage in unit.passages for line in passage.text.split("\n"))
    found = [words for line in lines for words in sentences(line, longest=300) if len(words.split()) > 3]
    if not found:
        return ""
    sentence = found[rng.integers(len(found))].strip()
    if kind == "sentence":
        return sentence
    words = sorted(set(sentence.split()), key=len)[-4:]
    return " ".join(str(word) for word in rng.permutation(words)).strip(".,;:()")


def _picture(unit: Unit) -> str:
    """Return the unit's first picture as a camera might send it: smaller, JPEG."""
    path = next(figure.picture.path for figure in unit.figures if figure.picture)
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((_PICTURE_PX, _PICTURE_PX))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=80)
    return b64encode(data.getvalue()).decode()


def _filter(package: str, rng: np.random.Generator) -> dict[str, Any]:
    if rng.random() < 0.5:
        return {"field": "package", "operator": "=", "value": package}
    return {"field": "year", "operator": ">=", "value": int(rng.integers(2000, 2020))}


if __name__ == "__main__":
    main()
