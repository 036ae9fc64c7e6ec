"""A store of format 1, written before rows had digests, is read and then upgraded."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.entries import FIELDS, make_entry, random_vectors

from plait.index.backends.lancedb import LanceIndex
from plait.index.rows import digests, schema, schema_of_format_1

FORMAT_1 = Path(__file__).parents[1] / "fixtures" / "store-of-format-1"
ONE = np.ones(1, np.float32)


@pytest.fixture
def store(tmp_path):
    """Return a copy of a stored folder: documents "a" (two units), "b" (one), "empty" (none)."""
    shutil.copytree(FORMAT_1, tmp_path / "store")
    return tmp_path / "store"


def seen(index):
    """Return everything that a search can see of a store."""
    snapshot = index.snapshot()
    queries = [random_vectors(1, field) for field in FIELDS]
    units = snapshot.units(range(len(snapshot)))
    return (
        [unit for unit, _ in units],
        index.documents(),
        snapshot.bm25(["red green"], [1.0]).tolist(),
        [
            snapshot.field_scores(f.name, q, ONE).round(5).tolist()
            for f, q in zip(FIELDS, queries, strict=True)
        ],
    )


def columns(index):
    return index.snapshot()._table.columns


def test_a_store_of_format_1_is_read_as_it_is(store):
    index = LanceIndex(store, FIELDS)
    fresh = LanceIndex(store.parent / "fresh", FIELDS)
    fresh.add([make_entry("a", ["red words", "blue words"])])
    fresh.add([make_entry("b", ["green"], metadata={"year": 2020}, figures=2), make_entry("empty", [])])
    assert seen(index) == seen(fresh)
    assert columns(index) == schema_of_format_1(FIELDS).names


@pytest.mark.parametrize(
    "write",
    [
        lambda index: index.add([make_entry("new")]),
        lambda index: index.remove(["nobody", "b"]),
        lambda index: index.optimize(),
    ],
    ids=["add", "remove", "optimize"],
)
def test_the_first_write_upgrades_it(store, write):
    fresh = LanceIndex(store.parent / "fresh", FIELDS)
    fresh.add([make_entry("a", ["red words", "blue words"])])
    fresh.add([make_entry("b", ["green"], metadata={"year": 2020}, figures=2), make_entry("empty", [])])
    index = LanceIndex(store, FIELDS)
    write(index)
    write(fresh)
    assert columns(index) == schema(FIELDS).names
    assert seen(index) == seen(fresh) == seen(LanceIndex(store, FIELDS))
    assert seen(LanceIndex(store, FIELDS, exact_bytes=0)) == seen(index)


def test_a_reader_of_format_1_goes_on_while_it_is_upgraded(store):
    before = LanceIndex(store, FIELDS)
    snapshot = before.snapshot()
    LanceIndex(store, FIELDS).add([make_entry("new")])
    assert len(snapshot.units(range(len(snapshot)))) == 3
    assert len(before.snapshot()) == 4


def test_every_stored_row_has_the_digest_of_its_cells(store):
    index = LanceIndex(store, FIELDS)
    index.add([make_entry("a", ["changed"]), make_entry("none", [])])
    stored = index._table.to_arrow()
    np.testing.assert_array_equal(stored["digest"].to_numpy(), digests(stored, FIELDS))
    assert len(set(stored["digest"].to_pylist())) == len(stored)
