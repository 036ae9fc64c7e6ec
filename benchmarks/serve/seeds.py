"""Real units of manuals with plait-mini's vectors, encoded once and kept: what the large library is made of.

    OMP_NUM_THREADS=1 nice -n 10 python -m benchmarks.serve.seeds --units 12000

Whole documents of the manuals in `benchmarks.search.real_material`, at most 400 units of each, in an order by
their ids: so the first N units are a sample of the whole for any N. An interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from benchmarks.real_input.fetch import CACHE
from benchmarks.search.real_material import LICENCE_OF, units_file, units_in
from plait.encode.mini import MiniEncoder
from plait.schema import Unit, unit_from_dict
from plait.scoring.vectors import UnitVectors

FOLDER = "serve-100k"  # below the cache
_MOST_PER_PACKAGE = 400
_MOST_PASSAGES = 12  # of a unit; a few lists of hundreds of names would take half of the time
_AT_A_TIME = 256  # units


@dataclass(frozen=True, slots=True)
class Seed:
    """A real document with the vectors of its units."""

    package: str
    units: tuple[Unit, ...]
    vectors: tuple[UnitVectors, ...]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--units", type=int, default=12_000)
    options.add_argument("--cache", type=Path, default=CACHE)
    asked = options.parse_args()
    encode(asked.cache, asked.units)


def encode(cache: Path, units: int) -> None:
    """Encode documents until so many units have vectors; what is there stays."""
    folder = cache / FOLDER / "seeds"
    folder.mkdir(parents=True, exist_ok=True)
    encoder = MiniEncoder.load(threads=1)
    done = 0
    for number, chunk in enumerate(_chunks(_documents(cache))):
        if done >= units:
            return
        target = folder / f"{number:04}.npz"
        if not target.is_file():
            began = time.perf_counter()
            _write(target, chunk, encoder.encode_units([unit for _, of in chunk for unit in of]))
            rate = sum(len(of) for _, of in chunk) / (time.perf_counter() - began)
            print(f"{target.name}: {done:,} units before, {rate:.0f}/s", file=sys.stderr, flush=True)
        done += sum(len(of) for _, of in chunk)


def seeds(cache: Path) -> Iterator[Seed]:
    """Give the documents that were encoded."""
    for file in sorted((cache / FOLDER / "seeds").glob("*.npz")):
        with np.load(file) as stored:
            fields = {name: stored[name].astype(np.float32) for name in stored if not name.startswith("_")}
            items = {
                name: iter(np.split(fields[name], np.cumsum(stored[f"_{name}"])[:-1])) for name in fields
            }
            documents = json.loads(str(stored["_documents"]))
        for package, of_document in documents:
            units = tuple(unit_from_dict(values) for values in of_document)
            vectors = tuple(UnitVectors({name: next(items[name]) for name in fields}) for _ in units)
            yield Seed(package, units, vectors)


Documents = Sequence[tuple[str, Sequence[Unit]]]


def _documents(cache: Path) -> list[tuple[str, list[Unit]]]:
    """Return (package, units) of all documents, in an order by their ids."""
    found = []
    for package in LICENCE_OF:
        every = units_in(units_file(package, cache=cache, work=cache / "ret-vectors"))
        documents = [list(units) for _, units in groupby(every, key=lambda unit: unit.document_id)]
        left = _MOST_PER_PACKAGE
        for units in sorted(documents, key=_drawn):
            short = [unit for unit in units if len(unit.passages) <= _MOST_PASSAGES]
            if short and len(short) <= left:
                left -= len(short)
                found.append((package, short))
    return sorted(found, key=lambda document: _drawn(document[1]))


def _drawn(units: Sequence[Unit]) -> str:
    return hashlib.sha256(units[0].document_id.encode()).hexdigest()


def _chunks(documents: Documents) -> Iterator[Documents]:
    chunk: list[tuple[str, Sequence[Unit]]] = []
    for document in documents:
        chunk.append(document)
        if sum(len(units) for _, units in chunk) >= _AT_A_TIME:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _write(target: Path, chunk: Documents, vectors: Sequence[UnitVectors]) -> None:
    texts = json.dumps([[package, [asdict(unit) for unit in units]] for package, units in chunk])
    arrays = {"_documents": np.array(texts)}
    for name in vectors[0].fields:
        of_units = [one.fields[name] for one in vectors]
        arrays[name] = np.concatenate(of_units).astype(np.float16)
        arrays[f"_{name}"] = np.array([len(one) for one in of_units])
    part = target.with_suffix(".partial.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]  # which of its options a name may be is unknown
    part.rename(target)


if __name__ == "__main__":
    main()
