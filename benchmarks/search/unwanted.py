"""What an unwanted part of a query does: to what it is about, and to what is wanted.

    python -m benchmarks.search.unwanted

Questions of two topics are made of two questions to one manual whose answers stand in different documents.
Asked together, both answers are wanted; then the second question is asked once more as unwanted. Of the
first ten hits, "unwanted" are those of the document that answers the second question. "found" is how often
the unit that answers the first is among the ten. Last, questions of one topic alone, beside an unwanted part
of another: nothing should change. Manuals and their questions are those of honest_material.py, made once.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from benchmarks.real_input.fetch import CACHE
from benchmarks.search.honest_material import Asked, Manual, manual
from plait.encode.mini import MiniEncoder
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, Snapshot, StoredDocument
from plait.schema import Query
from plait.search.searcher import Searcher

MANUALS = ("debian-handbook", "jmeter-help")
_FIRST = 10


@dataclass(frozen=True, slots=True)
class Pair:
    """Two questions, the second about another document."""

    wanted: Asked
    other: Asked

    @property
    def both(self) -> Query:
        return Query(texts=(f"{_text(self.wanted)} {_text(self.other)}",))

    @property
    def without(self) -> Query:
        return Query(texts=(*self.both.texts, _text(self.other)), text_weights=(1, -1))

    @property
    def alone(self) -> Query:
        return Query(texts=(_text(self.wanted),))

    @property
    def alone_without(self) -> Query:
        return Query(texts=(_text(self.wanted), _text(self.other)), text_weights=(1, -1))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cache", type=Path, default=CACHE, help="where packages are unpacked")
    options.add_argument("--manuals", nargs="+", default=MANUALS)
    options.add_argument("--pairs", type=int, default=100)
    options.add_argument("--methods", nargs="+", default=("gated", "zsum"))
    asked = options.parse_args()
    encoder = MiniEncoder.load(threads=1)
    print("| manual | method | asked | unwanted of 10 | found in 10 | reciprocal rank |")
    print("|---|---|---|---|---|---|")
    for name in asked.manuals:
        made = manual(name, encoder, packages=asked.cache, work=asked.cache / "honest")
        pairs = paired(made, asked.pairs)
        with tempfile.TemporaryDirectory() as folder:
            searcher = Searcher(encoder, stored(made, encoder, Path(folder)))
            for method in asked.methods:
                for form in ("both", "without", "alone", "alone_without"):
                    cells = measured(searcher, pairs, form, method)
                    print(f"| {name} | {method} | {form} | {cells} |", flush=True)


def paired(made: Manual, count: int, *, seed: int = 0) -> list[Pair]:
    """Return pairs of questions in words whose answers stand in different documents."""
    drawn = random.Random(seed)
    asked = [one for one in made.asked if one.query.texts and not one.query.images]
    pairs: list[Pair] = []
    while len(pairs) < count:
        wanted, other = drawn.sample(asked, 2)
        if _documents(wanted).isdisjoint(_documents(other)):
            pairs.append(Pair(wanted, other))
    return pairs


def stored(made: Manual, encoder: MiniEncoder, folder: Path) -> Snapshot:
    """Return the manual as it is stored."""
    index = LanceIndex(folder, encoder.fields)
    both = sorted(
        zip(made.units, made.vectors, strict=True), key=lambda one: (one[0].document_id, one[0].ordinal)
    )
    entries = []
    for name, group in groupby(both, key=lambda one: one[0].document_id):
        units, vectors = zip(*group, strict=True)
        document = StoredDocument(name, units[0].title, name, {}, "0" * 64, units=len(units))
        entries.append(Entry(document, units, vectors))
    index.add(entries)
    return index.snapshot()


def measured(searcher: Searcher, pairs: Sequence[Pair], form: str, method: str) -> str:
    """Return the numbers of one way to ask, as cells of a table."""
    unwanted, found, reciprocal = [], [], []
    for pair in pairs:
        hits = searcher.search(getattr(pair, form), k=_FIRST, method=method)
        unwanted.append(sum(hit.document_id in _documents(pair.other) for hit in hits))
        ranks = [hit.rank for hit in hits if hit.unit_id in pair.wanted.relevant]
        found.append(bool(ranks))
        reciprocal.append(1 / ranks[0] if ranks else 0.0)
    return f"{np.mean(unwanted):.2f} | {np.mean(found):.2f} | {np.mean(reciprocal):.3f}"


def _text(asked: Asked) -> str:
    return " ".join(asked.query.texts)


def _documents(asked: Asked) -> set[str]:
    return {unit_id.rpartition(":")[0] for unit_id in asked.relevant}


if __name__ == "__main__":
    main()
