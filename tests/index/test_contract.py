"""What every index back end must do. A new one joins by adding a line to BACKENDS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.helpers.entries import FIELDS, make_entry, random_vectors

from plait.errors import InputError, ShapeError
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.index.multi_vector import MultiVectors
from plait.index.surroundings import SurroundedBm25
from plait.schema import Filter, Segment, Unit
from plait.scoring.vectors import UnitVectors

BACKENDS = {"lancedb": LanceIndex, "lancedb, scanned": partial(LanceIndex, exact_bytes=0)}
ONE = np.ones(1, np.float32)


@pytest.fixture(params=BACKENDS)
def opened(request, tmp_path):
    """Return a function that opens the same store again."""
    return lambda: BACKENDS[request.param](tmp_path / "store", FIELDS)


@pytest.fixture
def index(opened):
    return opened()


def ids_in(snapshot):
    return [unit.id for unit, _ in snapshot.units(range(len(snapshot)))]


def test_a_new_store_is_empty_and_can_be_searched(index):
    snapshot = index.snapshot()
    assert len(snapshot) == 0
    assert index.documents() == []
    assert index.pictures() == set()
    assert snapshot.units([]) == []
    assert snapshot.bm25(["words"], [1.0]).shape == (0,)
    assert snapshot.field_scores("text", random_vectors(1, FIELDS[0]), ONE).shape == (0,)
    assert snapshot.mask([Filter("page", "=", 1)]).shape == (0,)
    assert index.remove(["nobody"]) == 0


def test_what_is_stored_comes_back_whole_also_after_reopening(index, opened):
    entry = make_entry(
        "it's",
        ["first words", "zweite Wörter 画像"],
        metadata={"year": 2020, "draft": False, "size": 1.5},
        section=("Head > er", "Sub"),
        pages=(3, None),
        figures=2,
    )
    entry = replace(entry, document=replace(entry.document, warnings=("left out a table",)))
    index.add([entry])
    for store in (index, opened()):
        document = replace(entry.document, units=2)
        assert store.documents() == [document]
        assert store.snapshot().units([1, 0, 1]) == [(entry.units[row], document) for row in (1, 0, 1)]
        assert store.pictures() == {f"sha-it's-{unit}-{figure}" for unit in (0, 1) for figure in (0, 1)}


def test_adding_again_replaces_every_unit(index):
    index.add([make_entry("a", ["old one", "old two", "old three"]), make_entry("b", ["kept"])])
    index.add([make_entry("a", ["new one", "new two"]), make_entry("c", ["more"])])
    snapshot = index.snapshot()
    assert ids_in(snapshot) == ["a:0", "a:1", "b:0", "c:0"]
    assert snapshot.bm25(["old"], [1.0]).tolist() == [0, 0, 0, 0]
    assert (snapshot.bm25(["new"], [1.0]) > 0).tolist() == [True, True, False, False]
    assert [document.units for document in index.documents()] == [2, 1, 1]


def test_a_document_that_comes_twice_in_one_batch_is_refused_and_nothing_is_stored(index):
    index.add([make_entry("a", ["first"])])
    with pytest.raises(InputError, match="document b comes twice in one batch: give each document once"):
        index.add([make_entry("b"), make_entry("a", ["second"]), make_entry("b")])
    assert ids_in(index.snapshot()) == ["a:0"]
    assert index.snapshot().units([0])[0][0].passages[0].text == "first"


def test_the_store_counts_how_often_a_document_was_stored(index, opened):
    for version in (1, 2, 3):
        opened().add([make_entry("a", [f"text {version}"]), make_entry(f"only {version}")])
        versions = {document.id: document.version for document in index.documents()}
        assert versions == {"a": version, **{f"only {one}": 1 for one in range(1, version + 1)}}
    index.remove(["a"])
    index.add([make_entry("a")])
    assert {document.id: document.version for document in index.documents()}["a"] == 1


def test_a_document_without_units_is_remembered_but_not_ranked(index):
    index.add([make_entry("empty", []), make_entry("full", ["words"])])
    snapshot = index.snapshot()
    assert [document.id for document in index.documents()] == ["empty", "full"]
    assert ids_in(snapshot) == ["full:0"]
    assert snapshot.documents_of() == {"empty": range(0), "full": range(1)}
    assert snapshot.bm25(["words"], [1.0])[0] > 0
    assert len(snapshot.field_scores("text", random_vectors(1, FIELDS[0]), ONE)) == 1
    index.add([make_entry("empty", ["now", "two"])])
    assert ids_in(index.snapshot()) == ["empty:0", "empty:1", "full:0"]
    assert index.remove(["empty", "full", "empty", "nobody"]) == 2
    assert index.documents() == []


def test_a_snapshot_does_not_change_when_the_store_does(index):
    index.add([make_entry("a", ["red"]), make_entry("b", ["blue"])])
    before = index.snapshot()
    index.add([make_entry("a", ["green"]), make_entry("c", ["red"])])
    index.remove(["b"])
    index.optimize()
    assert ids_in(before) == ["a:0", "b:0"]
    assert (before.bm25(["red"], [1.0]) > 0).tolist() == [True, False]
    assert before.field_scores("text", random_vectors(1, FIELDS[0]), ONE).shape == (2,)
    assert before.mask([Filter("source", "=", "b.html")]).tolist() == [False, True]
    assert ids_in(index.snapshot()) == ["a:0", "c:0"]


def test_snapshots_share_what_was_read_until_something_changes(index, opened):
    index.add([make_entry("a")])
    first = index.snapshot()
    assert index.snapshot() is first
    opened().add([make_entry("b")])
    assert len(index.snapshot()) == 2


def test_many_threads_can_search_one_store_while_it_grows(index):
    index.add([make_entry("a", ["red words"])])
    query = random_vectors(1, FIELDS[1])

    def search(number):
        if number % 5 == 0:
            index.add([make_entry(f"d{number}", ["red words"])])
        snapshot = index.snapshot()
        image = snapshot.field_scores("image_tokens", query, ONE)
        bm25 = snapshot.bm25(["red"], [1.0])
        units = snapshot.units(range(len(snapshot)))
        return len(snapshot) == len(image) == len(bm25) == len(units) and (bm25 > 0).all()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(search, range(20)))
    assert len(index.snapshot()) == 5


def test_units_are_ordered_by_source_then_place_however_they_were_added(index):
    index.add([make_entry("z", ["1", "2"], source="a.html")])
    index.add([make_entry("a", ["1"], source="b.html"), make_entry("m", ["1"], source="a.html")])
    index.add([make_entry("z", ["1", "2", "3"], source="a.html")])
    snapshot = index.snapshot()
    assert ids_in(snapshot) == ["m:0", "z:0", "z:1", "z:2", "a:0"]
    assert {name: list(rows) for name, rows in snapshot.documents_of().items()} == {
        "m": [0],
        "z": [1, 2, 3],
        "a": [4],
    }
    assert [document.id for document in index.documents()] == ["m", "z", "a"]
    assert snapshot.owners.tolist() == [0, 1, 1, 1, 2]


def test_scores_equal_the_scan_and_bm25_of_what_was_added(index):
    entries = [
        make_entry(f"d{n}", [f"word{n} shared", "shared again"][: 1 + n % 2], figures=n % 3, seed=10 * n)
        for n in range(6)
    ]
    for entry in reversed(entries[:4]):
        index.add([entry])
    index.add(entries[3:])  # d3 for the second time
    snapshot = index.snapshot()
    units = [unit for entry in entries for unit in entry.units]
    vectors = [v for entry in entries for v in entry.vectors]
    assert ids_in(snapshot) == [unit.id for unit in units]
    for field in FIELDS:
        stored = [v.fields[field.name] for v in vectors]
        scan = MultiVectors.of(stored, tokens=field.tokens, width=field.width)
        query = random_vectors(2, field, seed=99)
        weights = np.array([0.25, 0.75], np.float32)
        expected = scan.scores(query, weights)
        np.testing.assert_allclose(snapshot.field_scores(field.name, query, weights), expected, atol=1e-6)
        rows = range(len(units))
        items = scan.item_scores(query, weights, rows)
        for found, each in zip(snapshot.item_scores(field.name, query, weights, rows), items, strict=True):
            np.testing.assert_allclose(found, each, atol=1e-6)
        best = [int(each.argmax()) if len(each) else None for each in items]
        assert snapshot.best_items(field.name, query, weights, rows) == best
    expected = SurroundedBm25.of(units).scores(["word2 shared", "again"], [0.3, 0.7])
    np.testing.assert_allclose(snapshot.bm25(["word2 shared", "again"], [0.3, 0.7]), expected, rtol=1e-6)


def test_a_filtered_scan_equals_a_store_that_holds_only_those_units(index, tmp_path):
    entries = [make_entry(f"d{n}", ["words"], metadata={"even": n % 2 == 0}, seed=n) for n in range(8)]
    index.add(entries)
    few = LanceIndex(tmp_path / "few", FIELDS)
    few.add(entries[::2])
    whole = index.snapshot()
    mask = whole.mask([Filter("even", "=", True)])
    for field in FIELDS:
        query = random_vectors(1, field, seed=99)
        filtered = whole.field_scores(field.name, query, ONE, mask)
        assert np.isnan(filtered[~mask]).all()
        alone = few.snapshot().field_scores(field.name, query, ONE)
        np.testing.assert_allclose(filtered[mask], alone, atol=1e-6)
    # BM25 keeps the statistics of the whole library, so that a filter never changes a unit's score
    everywhere = whole.bm25(["words"], [1.0])
    np.testing.assert_array_equal(whole.bm25(["words"], [1.0], mask), np.where(mask, everywhere, np.nan))


def test_a_unit_without_a_field_scores_nothing_there(index):
    entry = make_entry("a", ["one", "two"])
    vectors = (UnitVectors({"text": random_vectors(1, FIELDS[0])}), UnitVectors({}))
    index.add([replace(entry, vectors=vectors)])
    snapshot = index.snapshot()
    assert np.isnan(snapshot.field_scores("image_tokens", random_vectors(1, FIELDS[1]), ONE)).all()
    assert np.isnan(snapshot.field_scores("text", random_vectors(1, FIELDS[0]), ONE)).tolist() == [
        False,
        True,
    ]


def test_text_that_utf8_cannot_hold_is_stored_with_a_replacement(index):
    index.add([make_entry("a", ["broken \ud83d surrogate"], title="bad \udc00")])
    assert index.snapshot().units([0])[0][0].passages[0].text == "broken ? surrogate"


@pytest.mark.parametrize(
    "vectors",
    [
        {"text": np.zeros((1, 1, 7), np.float32)},
        {"text": np.zeros((1, 8), np.float32)},
        {"image_tokens": np.zeros((1, 2, 4), np.float32)},
        {"sound": np.zeros((1, 1, 8), np.float32)},
        {"text": np.full((1, 1, 8), np.nan, np.float32)},
    ],
)
def test_vectors_that_do_not_fit_are_refused_and_nothing_is_stored(index, vectors):
    bad = replace(make_entry("bad"), vectors=(UnitVectors(vectors),))
    with pytest.raises(ShapeError, match="bad"):
        index.add([make_entry("good"), bad])
    assert index.documents() == []


def test_units_that_do_not_fit_their_document_are_refused(index):
    document = StoredDocument("a", "A", "a.html", {}, "")
    unit, vectors = Unit("a:0", "a", 0, "A"), UnitVectors({})
    for entry in (
        Entry(document, (unit,), ()),
        Entry(document, (unit, unit), (vectors, vectors)),
        Entry(replace(document, id="b"), (unit,), (vectors,)),
    ):
        with pytest.raises(ShapeError):
            index.add([entry])


def test_an_unknown_field_is_refused(index):
    with pytest.raises(InputError, match="no vector field 'sound'"):
        index.snapshot().field_scores("sound", random_vectors(1, FIELDS[0]), ONE)


def test_figures_without_a_picture_are_stored(index):
    entry = make_entry("a", figures=0)
    unit = replace(entry.units[0], figures=(Segment("image", caption="lost"),))
    index.add([replace(entry, units=(unit,))])
    assert index.snapshot().units([0])[0][0] == unit
    assert index.pictures() == set()


def test_optimizing_changes_nothing_that_is_read(index, opened):
    for n in range(5):
        index.add([make_entry(f"d{n}", ["some words"], seed=n)])
    index.remove(["d2"])
    query = random_vectors(1, FIELDS[1], seed=99)
    before = index.snapshot().field_scores("image_tokens", query, ONE)
    index.optimize(keep_seconds=0)
    for store in (index, opened()):
        assert ids_in(store.snapshot()) == ["d0:0", "d1:0", "d3:0", "d4:0"]
        np.testing.assert_array_equal(store.snapshot().field_scores("image_tokens", query, ONE), before)
    index.close()
