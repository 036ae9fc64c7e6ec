"""A store answers as a dictionary with sums written out does, through any series of changes and searches."""

from __future__ import annotations

import math
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)
from tests.helpers.entries import make_entry, random_vectors

from plait.errors import InputError, LibraryError
from plait.index.backends import lancedb
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, Snapshot
from plait.index.lexical import words
from plait.schema import Filter, Query, Unit
from plait.scoring.mixture import MixtureParameters
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField, Vectors
from plait.search.searcher import Searcher

FIELDS = (
    VectorField("text", 8, 1, "passage", "text"),
    VectorField("ret", 16, 6, "unit", "joint"),
)
NAMES = ("ant", "bee", "cat", "dog", "eel", "fox")
WORDS = ("red", "green", "blue", "boilers", "grinding", "x9")
FILTERS: Mapping[Filter, Callable[[Entry, Unit], bool]] = {
    Filter("colour", "=", "red"): lambda entry, unit: entry.document.metadata.get("colour") == "red",
    Filter("colour", "!=", "red"): lambda entry, unit: entry.document.metadata.get("colour") != "red",
    Filter("year", ">=", 2000): lambda entry, unit: entry.document.metadata["year"] >= 2000,
    Filter("page", "=", 2): lambda entry, unit: unit.page == 2,
    Filter("section", "glob", "Part*"): lambda entry, unit: any(s.startswith("Part") for s in unit.section),
    Filter("document", "in", ("ant", "fox")): lambda entry, unit: entry.document.id in ("ant", "fox"),
}


@dataclass(frozen=True)
class Given:
    """An encoder that gives a query the vectors it is told to."""

    vectors: QueryVectors
    name: str = "given"
    fingerprint: str = "given-1"
    fields: tuple[VectorField, ...] = FIELDS
    mixture: MixtureParameters | None = None
    windows: int = 0
    truncated: int = 0

    def encode_query(self, query: Query) -> QueryVectors:
        return self.vectors

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        raise NotImplementedError


def entry_of(seed: int) -> Entry:
    """Return a document of none to three units, or of more than one block of BM25.

    There are few distinct texts and vectors, so that some are equal; units without vectors, and with many.
    """
    chance = random.Random(seed)
    texts = [" ".join(chance.choices(WORDS, k=chance.randrange(5))) for _ in range(chance.randrange(4))]
    if seed % 16 == 15:
        texts += [f"{word} {number}" for number, word in enumerate(WORDS * 6)]
    made = make_entry(
        chance.choice(NAMES),
        texts,
        source=chance.choice(("z.html", "a.html")),
        title=chance.choice(("Red things", "Nothing")),
        metadata={"year": chance.choice((1999, 2024))}
        | chance.choice(({}, {"colour": "red"}, {"colour": "blue"})),
        section=chance.choice(((), ("Part one", "Boilers"))),
        pages=[1 + place % 3 for place in range(len(texts))],
    )
    vectors = tuple(
        UnitVectors(
            {
                field.name: random_vectors(chance.randrange(4), field, chance.randrange(5))
                for field in FIELDS
                if chance.random() < 0.8
            }
        )
        for _ in texts
    )
    return replace(made, vectors=vectors)


# Numbers that entries are made of, not the entries: a series that draws thousands of values is cut short.
batches = st.lists(st.integers(0, 63), min_size=1, max_size=4).map(
    lambda seeds: list({entry.document.id: entry for entry in map(entry_of, seeds)}.values())
)
queries = st.tuples(st.integers(1, 2), st.integers(0, 6), st.sampled_from((0.25, 0.5, 0.9)))


class StoreMachine(RuleBasedStateMachine):
    """One store, what it must hold, and views of it taken earlier with what they must show."""

    held = Bundle("held")

    @initialize(
        exact_bytes=st.sampled_from((0, 2000, lancedb.EXACT_BYTES)),
        unscanned=st.sampled_from((3, 4096)),
        batch=batches,
    )
    def open(self, exact_bytes: int, unscanned: int, batch: list[Entry]) -> None:
        """Small limits let a small library do what a large one does."""
        self.folder = Path(tempfile.mkdtemp())
        self.exact_bytes = exact_bytes
        self.limits = mock.patch.object(lancedb, "_UNSCANNED", unscanned)
        self.limits.start()
        self.stored: dict[str, Entry] = {}
        self.counts: Counter[str] = Counter()
        self.compactions = 0
        self.reopen()
        self.add(batch)

    def teardown(self) -> None:
        if hasattr(self, "limits"):
            self.limits.stop()
            shutil.rmtree(self.folder)

    @rule()
    def reopen(self) -> None:
        self.index = LanceIndex(self.folder / "store", FIELDS, exact_bytes=self.exact_bytes)

    @rule(batch=batches)
    def add(self, batch: list[Entry]) -> None:
        self.index.add(batch)
        for entry in batch:
            self.stored[entry.document.id] = entry
            self.counts[entry.document.id] += 1

    @rule(year=st.sampled_from((1999, 2024)), text=st.sampled_from(WORDS))
    def date(self, year: int, text: str) -> None:
        """Change documents but not their units, between two searches for words."""
        check_words(self.index.snapshot(), self.stored, [text], [1.0], ())
        for entry in list(self.stored.values())[:2]:
            metadata = {**entry.document.metadata, "year": year}
            self.add([replace(entry, document=replace(entry.document, metadata=metadata))])
        check_words(self.index.snapshot(), self.stored, [text], [1.0], ())

    @rule(batch=batches, how=st.sampled_from(("twice", "nan", "wide")))
    def add_what_is_refused(self, batch: list[Entry], how: str) -> None:
        bad = make_entry("gnu")
        vectors = {
            "twice": {},
            "nan": {"text": np.full((1, 1, 8), np.nan, np.float32)},
            "wide": {"ret": np.ones((1, 6, 17), np.float32)},
        }[how]
        bad = replace(bad, vectors=(UnitVectors(vectors),))
        with pytest.raises(InputError):
            self.index.add([*batch, bad, *[bad] * (how == "twice")])

    @rule(names=st.lists(st.sampled_from((*NAMES, "nobody")), max_size=3))
    def remove(self, names: list[str]) -> None:
        there = self.stored.keys() & set(names)
        assert self.index.remove(names) == len(there)
        for name in there:
            del self.stored[name], self.counts[name]

    @rule()
    def optimize(self) -> None:
        self.index.optimize()

    @rule()
    def compact(self) -> None:
        self.index.optimize(keep_seconds=0)
        self.compactions += 1

    @rule(target=held)
    def hold(self) -> tuple[Snapshot, dict[str, Entry], int]:
        return self.index.snapshot(), dict(self.stored), self.compactions

    @rule(view=consumes(held), asked=queries, text=st.sampled_from(WORDS))
    def look_back(
        self, view: tuple[Snapshot, dict[str, Entry], int], asked: tuple[int, int, float], text: str
    ) -> None:
        """A view shows what was stored when it was taken; once compacted, that or an error."""
        snapshot, stored, compactions = view
        try:
            for field in FIELDS:
                check_field(snapshot, stored, field, asked, ())
            check_words(snapshot, stored, [text], [1.0], ())
            check_units(snapshot, stored)
        except LibraryError:
            assert self.compactions > compactions

    @rule(asked=queries, filters=st.lists(st.sampled_from(list(FILTERS)), max_size=2))
    def search_vectors(self, asked: tuple[int, int, float], filters: list[Filter]) -> None:
        filters = self.known(filters)
        for field in FIELDS:
            check_field(self.index.snapshot(), self.stored, field, asked, filters)

    @rule(
        texts=st.lists(st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join), min_size=1, max_size=2),
        share=st.sampled_from((0.25, 1.0)),
        filters=st.lists(st.sampled_from(list(FILTERS)), max_size=2),
    )
    def search_words(self, texts: list[str], share: float, filters: list[Filter]) -> None:
        weights = [share, 0.5][: len(texts)]
        check_words(self.index.snapshot(), self.stored, texts, weights, self.known(filters))

    @rule(asked=queries, k=st.integers(1, 5), recall=st.sampled_from((1.0, 0.5)))
    def best(self, asked: tuple[int, int, float], k: int, recall: float) -> None:
        for field in FIELDS:
            check_best(self.index.snapshot(), self.stored, field, asked, k, recall)

    @precondition(lambda self: hasattr(self, "index"))
    @invariant()
    def the_documents_are_those_stored(self) -> None:
        found = {document.id: document for document in self.index.documents()}
        assert found == {
            name: replace(entry.document, units=len(entry.units), version=self.counts[name])
            for name, entry in self.stored.items()
        }

    def known(self, filters: Sequence[Filter]) -> list[Filter]:
        """Leave out a filter on metadata that nothing stored has: that is an error, and tested elsewhere."""
        keys = {key for entry in self.stored.values() for key in entry.document.metadata}
        return [one for one in filters if one.field in keys | {"page", "section", "document"}]


def ordered(stored: Mapping[str, Entry]) -> list[tuple[Entry, Unit, UnitVectors]]:
    """Return every unit by source, id and place."""
    by_source = sorted(stored.values(), key=lambda entry: (entry.document.source, entry.document.id))
    return [(e, u, v) for e in by_source for u, v in zip(e.units, e.vectors, strict=True)]


def check_units(snapshot: Snapshot, stored: Mapping[str, Entry]) -> None:
    found = snapshot.units(range(len(snapshot)))
    assert [unit for unit, _ in found] == [unit for _, unit, _ in ordered(stored)]


def check_field(
    snapshot: Snapshot,
    stored: Mapping[str, Entry],
    field: VectorField,
    asked: tuple[int, int, float],
    filters: Sequence[Filter],
) -> None:
    query, weights = query_of(field, asked)
    mask = snapshot.mask(filters)
    expected = oracle_field(stored, field, query, weights, filters)
    np.testing.assert_allclose(snapshot.field_scores(field.name, query, weights, mask), expected, atol=1e-5)
    rough, exact = snapshot.rough_scores(field.name, query, weights, mask)
    assert np.array_equal(np.isnan(rough), np.isnan(expected))
    if exact:
        np.testing.assert_allclose(rough, expected, atol=1e-5)
    rows = np.flatnonzero(~np.isnan(expected))[::-1]
    some = snapshot.exact_scores(field.name, query, weights, rows)
    np.testing.assert_allclose(some, expected[rows], atol=1e-5)


def check_words(
    snapshot: Snapshot,
    stored: Mapping[str, Entry],
    texts: Sequence[str],
    weights: Sequence[float],
    filters: Sequence[Filter],
) -> None:
    expected = oracle_words(stored, texts, weights, filters)
    found = snapshot.bm25(texts, weights, snapshot.mask(filters))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def check_best(
    snapshot: Snapshot,
    stored: Mapping[str, Entry],
    field: VectorField,
    asked: tuple[int, int, float],
    k: int,
    recall: float,
) -> None:
    """The k best score as those of the oracle; at a lower recall each has the score the oracle gives it."""
    query, weights = query_of(field, asked)
    encoder = Given(QueryVectors({field.name: query}, {field.name: weights}))
    hits = Searcher(encoder, snapshot).search(Query(texts=("asked",)), k=k, lanes=[field.name], recall=recall)
    scores = oracle_field(stored, field, query, weights, ())
    of_unit = {unit.id: score for (_, unit, _), score in zip(ordered(stored), scores.tolist(), strict=True)}
    best = sorted((score for score in of_unit.values() if not math.isnan(score)), reverse=True)[:k]
    found = [hit.lanes[field.name] for hit in hits]
    np.testing.assert_allclose(found, [of_unit[hit.unit_id] for hit in hits], atol=1e-5)
    assert len({hit.unit_id for hit in hits}) == len(best)
    if recall == 1.0:
        np.testing.assert_allclose(found, best, atol=1e-5)


def query_of(field: VectorField, asked: tuple[int, int, float]) -> tuple[Vectors, Vectors]:
    """Return a query of one or two parts, and their weights."""
    parts, seed, share = asked
    return random_vectors(parts, field, 10 + seed), np.array([1 - share, share], np.float32)[-parts:]


def oracle_field(
    stored: Mapping[str, Entry],
    field: VectorField,
    query: Vectors,
    weights: Vectors,
    filters: Sequence[Filter],
) -> Vectors:
    scores = []
    for entry, unit, vectors in ordered(stored):
        items = vectors.fields.get(field.name, ())
        if not len(items) or not all(FILTERS[one](entry, unit) for one in filters):
            scores.append(np.nan)
            continue
        score = 0.0
        for part, weight in zip(query.astype(float), weights.tolist(), strict=True):
            score += weight * max(float((part @ item.astype(float).T).max(axis=1).mean()) for item in items)
        scores.append(score)
    return np.array(scores, np.float32)


def oracle_words(
    stored: Mapping[str, Entry], texts: Sequence[str], weights: Sequence[float], filters: Sequence[Filter]
) -> Vectors:
    """Return the BM25 of each unit, of the 32 units around it, and of its headings, mixed."""
    units = ordered(stored)
    blocks: dict[tuple[str, int], str] = {}
    for _, unit, _ in units:
        block = unit.document_id, unit.ordinal // 32
        blocks[block] = f"{blocks.get(block, '')}\n{unit.text}"
    asked = [(term, w) for text, w in zip(texts, weights, strict=True) for term in words(text)]
    own = bm25([unit.text for _, unit, _ in units], asked)
    around = dict(zip(blocks, bm25(list(blocks.values()), asked), strict=True))
    headings = bm25([" > ".join(heading_parts(unit)) for _, unit, _ in units], asked)
    scores = []
    for (entry, unit, _), mine, above in zip(units, own, headings, strict=True):
        mixed = 0.25 * mine + 0.4 * around[unit.document_id, unit.ordinal // 32] + 0.35 * above
        kept = all(FILTERS[one](entry, unit) for one in filters)
        scores.append((mixed if mine > 0 else 0.0) if kept else np.nan)
    return np.array(scores, np.float32)


def heading_parts(unit: Unit) -> list[str]:
    return list(dict.fromkeys(part for part in (unit.title, *unit.section) if part))


def bm25(texts: Sequence[str], asked: Sequence[tuple[str, float]]) -> list[float]:
    counted = [Counter(words(text)) for text in texts]
    mean = max(sum(one.total() for one in counted) / max(len(counted), 1), 1.0)
    scores = [0.0] * len(texts)
    for term, weight in asked:
        holders = sum(term in one for one in counted)
        idf = math.log1p((len(texts) - holders + 0.5) / (holders + 0.5))
        for place, one in enumerate(counted):
            often = one[term]
            held_back = 1.5 * (0.25 + 0.75 * one.total() / mean)
            scores[place] += weight * idf * often / (often + held_back) if often else 0.0
    return scores


StoreMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestStore = pytest.mark.slow(StoreMachine.TestCase)
